/*
 * digest.c - module digest: checksums, signatures and base64.
 *
 * Hashes are OpenSSL's, each looked up once: a lookup costs more than the
 * hash of a short text.  OpenSSL's configuration file is not read: that needs
 * more stack than a fiber has.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "config.h"
#include "encoding.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

enum algorithm {
	MD5, SHA1, SHA224, SHA256, SHA384, SHA512, RIPEMD160,
	/* of the legacy provider, a file that need not be there */
	MD4, WHIRLPOOL,
	ALGORITHM_N,
};

static EVP_MD *algorithms[ALGORITHM_N]; /* NULL: this OpenSSL has it not */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_once_t once_legacy = PTHREAD_ONCE_INIT;

static void
look_up(void)
{
	static const char *const names[] = {
		"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512",
		"RIPEMD160",
	};

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	for (unsigned i = 0; i < MD4; i++)
		algorithms[i] = EVP_MD_fetch(NULL, names[i], NULL);
}

/* In a context of its own: nothing else is to find its hashes. */
static void
look_up_legacy(void)
{
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

	if (context == NULL ||
	    OSSL_PROVIDER_load(context, "legacy") == NULL) {
		OSSL_LIB_CTX_free(context);
		return;
	}
	algorithms[MD4] = EVP_MD_fetch(context, "MD4", NULL);
	algorithms[WHIRLPOOL] = EVP_MD_fetch(context, "WHIRLPOOL", NULL);
}

static const EVP_MD *
algorithm(enum algorithm a)
{
	pthread_once(&once, look_up);
	if (a >= MD4)
		pthread_once(&once_legacy, look_up_legacy);
	return algorithms[a];
}

static VCL_STRING
hex(struct vcl_ctx *ctx, struct str prefix, const uint8_t *bytes, size_t len)
{
	char *p = vrt_alloc(ctx, prefix.len + 2 * len);

	if (p == NULL)
		return STR_NULL;
	memcpy(p, prefix.p, prefix.len);
	encoding_write(ENCODING_HEX, false, bytes, len, p + prefix.len);
	return str_of(p, prefix.len + 2 * len);
}

/* ---- hashes ---- */

static VCL_STRING
hash(struct vcl_ctx *ctx, enum algorithm a, VCL_STRING s)
{
	const EVP_MD *md = algorithm(a);
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned len;

	if (md == NULL || EVP_Digest(s.p != NULL ? s.p : "", s.len, sum, &len,
	    md, NULL) != 1) {
		vrt_failf(ctx, "digest: OpenSSL has not this hash");
		return STR_NULL;
	}
	return hex(ctx, STR(""), sum, len);
}

static VCL_STRING
hmac(struct vcl_ctx *ctx, enum algorithm a, VCL_STRING key, VCL_STRING s)
{
	const EVP_MD *md = algorithm(a);
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned len;

	if (key.p == NULL) {
		vrt_log_error(ctx, "digest: a signature's key is unset");
		return STR_NULL;
	}
	if (md == NULL || key.len > INT32_MAX || HMAC(md, key.p, (int)key.len,
	    (const uint8_t *)(s.p != NULL ? s.p : ""), s.len, sum, &len) ==
	    NULL) {
		vrt_failf(ctx, "digest: OpenSSL has not this hash");
		return STR_NULL;
	}
	return hex(ctx, STR("0x"), sum, len);
}

#define HASH_ONLY(name, a)                                                    \
	VCL_STRING                                                            \
	vmod_digest_hash_##name(struct vcl_ctx *ctx, VCL_STRING s)            \
	{                                                                     \
		return hash(ctx, a, s);                                       \
	}
HASH_ONLY(ripemd160, RIPEMD160)
HASH_ONLY(md4, MD4)
HASH_ONLY(whirlpool, WHIRLPOOL)

#define HASH(name, a)                                                         \
	HASH_ONLY(name, a)                                                    \
	VCL_STRING                                                            \
	vmod_digest_hmac_##name(struct vcl_ctx *ctx, VCL_STRING key,          \
	    VCL_STRING s)                                                     \
	{                                                                     \
		return hmac(ctx, a, key, s);                                  \
	}
HASH(md5, MD5)
HASH(sha1, SHA1)
HASH(sha224, SHA224)
HASH(sha256, SHA256)
HASH(sha384, SHA384)
HASH(sha512, SHA512)

static VCL_STRING
sum_hex(struct vcl_ctx *ctx, uint32_t sum)
{
	uint8_t b[4] = {(uint8_t)sum, (uint8_t)(sum >> 8),
	    (uint8_t)(sum >> 16), (uint8_t)(sum >> 24)};

	return hex(ctx, STR(""), b, sizeof b);
}

/* A bit at a time: headers are short. */
VCL_STRING
vmod_digest_hash_crc32(struct vcl_ctx *ctx, VCL_STRING s)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (uint32_t)(uint8_t)s.p[i] << 24;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
	}
	return sum_hex(ctx, ~crc);
}

VCL_STRING
vmod_digest_hash_crc32b(struct vcl_ctx *ctx, VCL_STRING s)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (uint8_t)s.p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return sum_hex(ctx, ~crc);
}

VCL_STRING
vmod_digest_hash_adler32(struct vcl_ctx *ctx, VCL_STRING s)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < s.len; i++) {
		a = (a + (uint8_t)s.p[i]) % 65521;
		b = (b + a) % 65521;
	}
	return sum_hex(ctx, b << 16 | a);
}

/* ---- base64 ---- */

static VCL_STRING
encode(struct vcl_ctx *ctx, enum encoding e, struct str s)
{
	char *p = vrt_alloc(ctx, encoding_text_max(e, s.len) + 1);

	return p != NULL
	    ? str_of(p, encoding_write(e, false, s.p, s.len, p)) : STR_NULL;
}

static unsigned
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 0;
}

/* As libvmod-digest: half a byte is dropped, and what is no digit is 0. */
static VCL_STRING
encode_hex(struct vcl_ctx *ctx, enum encoding e, struct str s)
{
	char *bytes;

	if (s.len > 2 && str_starts(s, STR("0x"))) {
		s.p += 2;
		s.len -= 2;
	}
	bytes = vrt_alloc(ctx, s.len / 2 + 1);
	if (bytes == NULL)
		return STR_NULL;
	for (size_t i = 0; i < s.len / 2; i++)
		bytes[i] = (char)(hex_digit(s.p[2 * i]) << 4 |
		    hex_digit(s.p[2 * i + 1]));
	return encode(ctx, e, str_of(bytes, s.len / 2));
}

/* -1: none of this alphabet. Padding is zero bits, wherever it is. */
static int
base64_bits(enum encoding e, char c)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *rest = e == ENCODING_BASE64 ? "+/" : "-_";
	const char *at = memchr(letters, c, sizeof(letters) - 1);

	if (at != NULL)
		return (int)(at - letters);
	if (c == '=' && e != ENCODING_BASE64URLNOPAD)
		return 0;
	return c == rest[0] ? 62 : c == rest[1] ? 63 : -1;
}

/* As libvmod-digest does it: what a last group lacks is zero bits. */
static VCL_STRING
decode(struct vcl_ctx *ctx, enum encoding e, struct str s)
{
	char *p = vrt_alloc(ctx, s.len / 4 * 3 + 4), *end = p;
	uint32_t bits;

	if (p == NULL)
		return STR_NULL;
	for (size_t i = 0; i < s.len; i += 4) {
		bits = 0;
		for (size_t n = i; n < i + 4; n++) {
			int b = n < s.len ? base64_bits(e, s.p[n]) : 0;

			if (b < 0)
				return STR_NULL;
			bits = bits << 6 | (uint32_t)b;
		}
		*end++ = (char)(bits >> 16);
		*end++ = (char)(bits >> 8);
		*end++ = (char)bits;
	}
	return str_of(p, strnlen(p, (size_t)(end - p)));
}

#define BASE64(name, e)                                                       \
	VCL_STRING                                                            \
	vmod_digest_##name(struct vcl_ctx *ctx, VCL_STRING s)                 \
	{                                                                     \
		return encode(ctx, e, s);                                     \
	}                                                                     \
	VCL_STRING                                                            \
	vmod_digest_##name##_hex(struct vcl_ctx *ctx, VCL_STRING s)           \
	{                                                                     \
		return encode_hex(ctx, e, s);                                 \
	}                                                                     \
	VCL_STRING                                                            \
	vmod_digest_##name##_decode(struct vcl_ctx *ctx, VCL_STRING s)        \
	{                                                                     \
		return decode(ctx, e, s);                                     \
	}
BASE64(base64, ENCODING_BASE64)
BASE64(base64url, ENCODING_BASE64URL)
BASE64(base64url_nopad, ENCODING_BASE64URLNOPAD)

VCL_STRING
vmod_digest_version(struct vcl_ctx *ctx)
{
	(void)ctx;
	return VCL_S(PACKAGE_VERSION);
}
