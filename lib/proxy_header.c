/*
 * proxy_header.c - the PROXY protocol's header, sent and received.
 *
 * Version 2: a signature of 12 bytes; version and command; family and
 * protocol; the length of what follows; both addresses, both ports; TLVs: a
 * byte of type, two of length, the value.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "proxy_header.h"

enum {
	V1_MAX = 107,     /* a whole line */
	V2_HEAD = 16,     /* before the addresses */
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_UNSPEC = 0x00,
	V2_TCP4 = 0x11,
	V2_UDP4 = 0x12,
	V2_TCP6 = 0x21,
	V2_UDP6 = 0x22,
	V2_UNIX_STREAM = 0x31,
	V2_UNIX_DGRAM = 0x32,
	TLV_HEAD = 3,
};

static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";
enum { SIGNATURE_LEN = sizeof v2_signature - 1 };

static size_t
write_v1(unsigned char *out, const struct addr *src, const struct addr *dst)
{
	char from[ADDR_HOST_MAX], to[ADDR_HOST_MAX];

	if (src == NULL)
		return (size_t)snprintf((char *)out, PROXY_HEADER_MAX,
		    "PROXY UNKNOWN\r\n");
	addr_host(src, from);
	addr_host(dst, to);
	return (size_t)snprintf((char *)out, PROXY_HEADER_MAX,
	    "PROXY TCP%c %s %s %u %u\r\n",
	    src->sa.sa_family == AF_INET ? '4' : '6', from, to,
	    addr_port(src), addr_port(dst));
}

static unsigned char *
put(unsigned char *p, const void *from, size_t len)
{
	memcpy(p, from, len);
	return p + len;
}

static size_t
write_v2(unsigned char *out, const struct addr *src, const struct addr *dst,
    struct str authority)
{
	unsigned char *p = put(out, v2_signature, SIGNATURE_LEN);
	uint16_t len;

	*p++ = src != NULL ? V2_PROXY : V2_LOCAL;
	*p++ = src == NULL ? V2_UNSPEC :
	    src->sa.sa_family == AF_INET ? V2_TCP4 : V2_TCP6;
	p += sizeof len;
	if (src != NULL && src->sa.sa_family == AF_INET) {
		p = put(p, &src->in4.sin_addr, 4);
		p = put(p, &dst->in4.sin_addr, 4);
		p = put(p, &src->in4.sin_port, 2);
		p = put(p, &dst->in4.sin_port, 2);
	} else if (src != NULL) {
		p = put(p, &src->in6.sin6_addr, 16);
		p = put(p, &dst->in6.sin6_addr, 16);
		p = put(p, &src->in6.sin6_port, 2);
		p = put(p, &dst->in6.sin6_port, 2);
	}
	if (authority.len > 0) {
		if (authority.len > PROXY_AUTHORITY_MAX)
			authority.len = PROXY_AUTHORITY_MAX;
		*p++ = PROXY_TLV_AUTHORITY;
		*p++ = 0;
		*p++ = (unsigned char)authority.len;
		p = put(p, authority.p, authority.len);
	}
	len = htons((uint16_t)(p - out - V2_HEAD));
	memcpy(out + 14, &len, sizeof len);
	return (size_t)(p - out);
}

size_t
proxy_header_write(unsigned char out[PROXY_HEADER_MAX], unsigned version,
    const struct addr *src, const struct addr *dst, struct str authority)
{
	if (src != NULL && (dst == NULL ||
	    src->sa.sa_family != dst->sa.sa_family ||
	    (src->sa.sa_family != AF_INET && src->sa.sa_family != AF_INET6)))
		src = NULL;
	return version == 1 ? write_v1(out, src, dst) :
	    write_v2(out, src, dst, authority);
}

/* ---- received ---- */

static void
make_addr4(struct addr *a, const void *ip, uint16_t port)
{
	memset(a, 0, sizeof *a);
	a->len = sizeof a->in4;
	a->in4.sin_family = AF_INET;
	a->in4.sin_port = port;
	memcpy(&a->in4.sin_addr, ip, 4);
}

static void
make_addr6(struct addr *a, const void *ip, uint16_t port)
{
	memset(a, 0, sizeof *a);
	a->len = sizeof a->in6;
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = port;
	memcpy(&a->in6.sin6_addr, ip, 16);
}

/* The next word of *line, which ends at one space or at the line's end. */
static struct str
next_word(struct str *line)
{
	const char *space = line->len != 0
	    ? memchr(line->p, ' ', line->len) : NULL;
	size_t n = space != NULL ? (size_t)(space - line->p) : line->len;
	struct str word = str_of(line->p, n);

	n += space != NULL;
	line->p += n;
	line->len -= n;
	return word;
}

static bool
read_text_addr(struct addr *a, bool v6, struct str ip, struct str port)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	uint64_t n;

	if (ip.len == 0 || ip.len >= sizeof text || port.len > 5 ||
	    !str_to_u64(port, &n) || n > 65535)
		return false;
	memcpy(text, ip.p, ip.len);
	text[ip.len] = '\0';
	if (strlen(text) != ip.len ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes) != 1)
		return false;
	(v6 ? make_addr6 : make_addr4)(a, bytes, htons((uint16_t)n));
	return true;
}

static enum proxy_result
read_v1(struct str received, struct proxy_header *h, size_t *used,
    const char **why)
{
	size_t most = received.len < V1_MAX ? received.len : V1_MAX;
	const char *end = memmem(received.p, most, "\r\n", 2);
	struct str line, family, src, dst, src_port;

	if (end == NULL) {
		*why = "a line that does not end";
		return received.len < V1_MAX ? PROXY_MORE : PROXY_BAD;
	}
	line = str_of(received.p, (size_t)(end - received.p));
	*used = line.len + 2;
	next_word(&line); /* PROXY */
	family = next_word(&line);
	if (str_eq(family, STR("UNKNOWN")))
		return PROXY_OK;
	src = next_word(&line);
	dst = next_word(&line);
	src_port = next_word(&line);
	*why = "no addresses of TCP4 or TCP6";
	if (!str_eq(family, STR("TCP4")) && !str_eq(family, STR("TCP6")))
		return PROXY_BAD;
	h->known = true;
	return read_text_addr(&h->src, family.p[3] == '6', src, src_port) &&
		read_text_addr(&h->dst, family.p[3] == '6', dst, line)
	    ? PROXY_OK : PROXY_BAD;
}

/* Takes one off *tlv; false: it is cut short. */
static bool
next_tlv(struct str *tlv, unsigned *type, struct str *value)
{
	const unsigned char *p = (const unsigned char *)tlv->p;
	size_t len;

	if (tlv->len < TLV_HEAD)
		return false;
	*type = p[0];
	len = (size_t)p[1] << 8 | p[2];
	if (len > tlv->len - TLV_HEAD)
		return false;
	*value = str_of(tlv->p + TLV_HEAD, len);
	tlv->p += TLV_HEAD + len;
	tlv->len -= TLV_HEAD + len;
	return true;
}

static bool
tlvs_are_right(struct str tlv)
{
	struct str value;
	unsigned type;

	while (tlv.len != 0)
		if (!next_tlv(&tlv, &type, &value))
			return false;
	return true;
}

bool
proxy_tlv_find(struct str tlv, unsigned type, struct str *value)
{
	unsigned t;

	while (next_tlv(&tlv, &t, value))
		if (t == type)
			return true;
	return false;
}

/* Castagnoli's; a few hundred bytes a connection need no table. */
static uint32_t
crc32c(uint32_t crc, const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* Of the whole header, in which it counts as zero; none is right, too. */
static bool
checksum_is_right(struct str header, struct str tlv)
{
	static const unsigned char zero[4];
	const unsigned char *p = (const unsigned char *)header.p, *v;
	struct str value;
	uint32_t crc;
	size_t before;

	if (!proxy_tlv_find(tlv, PROXY_TLV_CRC32C, &value))
		return true;
	if (value.len != sizeof zero)
		return false;
	v = (const unsigned char *)value.p;
	before = (size_t)(v - p);
	crc = crc32c(~0u, p, before);
	crc = crc32c(crc, zero, sizeof zero);
	crc = ~crc32c(crc, v + sizeof zero,
	    header.len - before - sizeof zero);
	return crc == ((uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 |
	    (uint32_t)v[2] << 8 | v[3]);
}

/* What the addresses of a family take; > len: they can't be there. */
static size_t
addresses_len(unsigned family, size_t len)
{
	switch (family) {
	case V2_TCP4:
	case V2_UDP4:
		return 12;
	case V2_TCP6:
	case V2_UDP6:
		return 36;
	case V2_UNIX_STREAM:
	case V2_UNIX_DGRAM:
		return 216;
	case V2_UNSPEC:
		return 0;
	default: /* what follows can't be told from the addresses */
		return len;
	}
}

static enum proxy_result
read_v2(struct str received, size_t max, struct proxy_header *h, size_t *used,
    const char **why)
{
	const unsigned char *p = (const unsigned char *)received.p;
	uint16_t port[2];
	size_t len, n;

	if (received.len < V2_HEAD)
		return PROXY_MORE;
	*why = "an unknown command";
	if (p[12] != V2_LOCAL && p[12] != V2_PROXY)
		return PROXY_BAD;
	len = (size_t)p[14] << 8 | p[15];
	*why = "it is too long";
	if (len > max - V2_HEAD)
		return PROXY_BAD;
	if (received.len < V2_HEAD + len)
		return PROXY_MORE;
	*used = V2_HEAD + len;
	if (p[12] == V2_LOCAL)
		return PROXY_OK;
	n = addresses_len(p[13], len);
	*why = "it is too short for its addresses";
	if (n > len)
		return PROXY_BAD;
	h->known = p[13] == V2_TCP4 || p[13] == V2_TCP6;
	h->tlv = str_of(received.p + V2_HEAD + n, len - n);
	p += V2_HEAD;
	if (h->known && n == 12) {
		memcpy(port, p + 8, 4);
		make_addr4(&h->src, p, port[0]);
		make_addr4(&h->dst, p + 4, port[1]);
	} else if (h->known) {
		memcpy(port, p + 32, 4);
		make_addr6(&h->src, p, port[0]);
		make_addr6(&h->dst, p + 16, port[1]);
	}
	*why = "its TLVs are cut short";
	if (!tlvs_are_right(h->tlv))
		return PROXY_BAD;
	*why = "its checksum is wrong";
	return checksum_is_right(str_of(received.p, *used), h->tlv) ?
	    PROXY_OK : PROXY_BAD;
}

/* Are these the first bytes of that, as far as they go? */
static bool
may_begin(struct str s, struct str with)
{
	return !memcmp(s.p, with.p, s.len < with.len ? s.len : with.len);
}

enum proxy_result
proxy_header_read(struct str received, size_t max, struct proxy_header *h,
    size_t *used, const char **why)
{
	*h = (struct proxy_header){.version = 1};
	*used = 0;
	*why = "";
	if (received.len == 0)
		return PROXY_MORE;
	if (may_begin(received, STR("PROXY ")))
		return received.len < 6 ? PROXY_MORE
					: read_v1(received, h, used, why);
	h->version = 2;
	if (may_begin(received, str_of(v2_signature, SIGNATURE_LEN)))
		return read_v2(received, max, h, used, why);
	*why = "it does not begin with a PROXY header";
	return PROXY_BAD;
}
