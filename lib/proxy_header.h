/*
 * proxy_header.h - the PROXY protocol's header, sent and received.
 *
 * Says at the beginning of a connection whose it is: the HAProxy project's
 * "The PROXY protocol", versions 1 (a line of text) and 2 (binary, with
 * TLVs).
 */
#ifndef COPAL_PROXY_HEADER_H
#define COPAL_PROXY_HEADER_H

#include <stddef.h>

#include "sock.h"
#include "str.h"

enum {
	PROXY_AUTHORITY_MAX = 255,
	/* a header of either version */
	PROXY_HEADER_MAX = 16 + 36 + 3 + PROXY_AUTHORITY_MAX,
};

/*
 * Writes the header of a connection from src to dst; its length in bytes.
 * version is 1 or 2.  src NULL, or addresses that are not both IPv4 or both
 * IPv6: nobody's connection (UNKNOWN, LOCAL).  authority: the host name that
 * is wanted (PP2_TYPE_AUTHORITY), of version 2 only; len 0: not sent; cut to
 * PROXY_AUTHORITY_MAX.
 */
size_t proxy_header_write(unsigned char out[PROXY_HEADER_MAX],
    unsigned version, const struct addr *src, const struct addr *dst,
    struct str authority);

struct proxy_header {
	unsigned version;
	bool known;          /* whose it is; else: the peer's own connection */
	struct addr src, dst;
	struct str tlv;      /* what version 2 adds, in the bytes received */
};

enum proxy_result {
	PROXY_OK,
	PROXY_MORE, /* it is not complete */
	PROXY_BAD,  /* it is none; *why says what is wrong */
};

/*
 * Reads the header that a connection begins with, of at most max bytes; *used
 * of those received belong to it.  Addresses that are not of TCP over IP are
 * not known.  The TLVs are well-formed, and a checksum among them is right.
 */
enum proxy_result proxy_header_read(struct str received, size_t max,
    struct proxy_header *out, size_t *used, const char **why);

enum {
	PROXY_TLV_ALPN = 0x01,
	PROXY_TLV_AUTHORITY = 0x02,
	PROXY_TLV_CRC32C = 0x03,
	PROXY_TLV_SSL = 0x20,
	/* in PROXY_TLV_SSL */
	PROXY_TLV_SSL_VERSION = 0x21,
	PROXY_TLV_SSL_CN = 0x22,
	PROXY_TLV_SSL_CIPHER = 0x23,
	PROXY_TLV_SSL_SIG_ALG = 0x24,
	PROXY_TLV_SSL_KEY_ALG = 0x25,
};
/* What PROXY_TLV_SSL begins with, before its own TLVs. */
enum {
	PROXY_SSL_LEN = 5,       /* flags; result of the check, not 0: bad */
	PROXY_SSL = 1,
	PROXY_SSL_CERT_CONN = 2,
	PROXY_SSL_CERT_SESS = 4,
};
/* The value of the first TLV of a type; false: there is none. */
bool proxy_tlv_find(struct str tlv, unsigned type, struct str *value);

#endif
