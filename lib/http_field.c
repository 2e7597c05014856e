/*
 * http_field.c - names and values of fields: ids, classes of bytes, syntax,
 * which fields end at the next hop; and the names of status codes.
 *
 * A name is looked up in a small hash table over its length and three of its
 * bytes, made from tbl/fields.h before main() runs: adding a field to the
 * table is enough.  One comparison without regard to case follows, eight
 * bytes at a time.
 */
#include "http.h"
#include "http_scan.h"

#define ALPHA(c)                                                             \
	(((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define DIGIT(c) ((c) >= '0' && (c) <= '9')
#define HEX(c)                                                               \
	(DIGIT(c) || ((c) >= 'a' && (c) <= 'f') || ((c) >= 'A' && (c) <= 'F'))
#define MARK(c)                                                              \
	((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' ||            \
	    (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' ||          \
	    (c) == '_' || (c) == '~')
#define TOKEN(c)                                                             \
	(ALPHA(c) || DIGIT(c) || MARK(c) || (c) == '#' || (c) == '%' ||      \
	    (c) == '^' || (c) == '`' || (c) == '|')
#define HOST(c)                                                              \
	(ALPHA(c) || DIGIT(c) || MARK(c) || (c) == '(' || (c) == ')' ||      \
	    (c) == ',' || (c) == ';' || (c) == '=')
#define CLASSES(c)                                                           \
	((TOKEN(c) ? HTTP_CHAR_TOKEN : 0) |                                  \
	    ((c) == '\t' || ((c) >= ' ' && (c) != 0x7f) ? HTTP_CHAR_VALUE    \
							: 0) |               \
	    ((c) > ' ' && (c) != 0x7f && (c) != '#' ? HTTP_CHAR_TARGET       \
						    : 0) |                   \
	    (HOST(c) ? HTTP_CHAR_HOST : 0) |                                 \
	    (DIGIT(c) ? HTTP_CHAR_DIGIT : 0) | (HEX(c) ? HTTP_CHAR_HEX : 0))
#define CLASSES_4(c)                                                         \
	CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define CLASSES_16(c)                                                        \
	CLASSES_4(c), CLASSES_4((c) + 4), CLASSES_4((c) + 8),                \
	    CLASSES_4((c) + 12)
#define CLASSES_64(c)                                                        \
	CLASSES_16(c), CLASSES_16((c) + 16), CLASSES_16((c) + 32),           \
	    CLASSES_16((c) + 48)

const uint8_t http_char[256] = {
    CLASSES_64(0),
    CLASSES_64(64),
    CLASSES_64(128),
    CLASSES_64(192),
};

/*
 * Longer than any name in the table; a multiple of eight.  fold has 0xdf
 * where the name has a letter, 0xff elsewhere: ANDed to the difference of two
 * names it leaves out the case of letters, and of nothing else.
 */
enum { KNOWN_MAX = 32 };

static const struct known {
	uint8_t len;
	char name[KNOWN_MAX];
} known[FIELD_MAX] = {
#define FIELD(id, name) [FIELD_##id] = {sizeof(name) - 1, name},
#include "tbl/fields.h"
#undef FIELD
};

#define FIELD(id, name)                                                      \
	_Static_assert(sizeof(name) <= KNOWN_MAX, "KNOWN_MAX: " name);
#include "tbl/fields.h"
#undef FIELD
_Static_assert((int)FIELD_MAX <= UINT8_MAX, "struct field has one byte");

static char fold[FIELD_MAX][KNOWN_MAX];

/* Open addressing; eight times as many slots as names, so that most names
 * that are not in the table meet an empty slot. */
enum { SLOT_BITS = 9, SLOT_N = 1 << SLOT_BITS };
static uint8_t slot[SLOT_N];
_Static_assert((int)FIELD_MAX < SLOT_N / 4, "SLOT_BITS is too small");

static inline unsigned
slot_of(const char *name, size_t len)
{
	uint32_t key;

	key = (uint8_t)name[0] | (uint8_t)name[len / 2] << 8 |
	    (uint8_t)name[len - 1] << 16;
	key = (key | 0x202020) + ((uint32_t)len << 24);
	return (key * UINT32_C(0x9e3779b1)) >> (32 - SLOT_BITS);
}

__attribute__((constructor)) static void
slots_fill(void)
{
	for (unsigned id = 1; id < FIELD_MAX; id++) {
		const struct known *k = &known[id];
		unsigned i = slot_of(k->name, k->len);

		for (unsigned c = 0; c < KNOWN_MAX; c++)
			fold[id][c] = ALPHA(k->name[c]) ? 0xdf : 0xff;
		while (slot[i])
			i = (i + 1) % SLOT_N;
		slot[i] = id;
	}
}

static inline uint64_t
differ_8(const char *a, const char *b, const char *mask)
{
	uint64_t x, y, m;

	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	memcpy(&m, mask, 8);
	return (x ^ y) & m;
}

static inline uint32_t
differ_4(const char *a, const char *b, const char *mask)
{
	uint32_t x, y, m;

	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	memcpy(&m, mask, 4);
	return (x ^ y) & m;
}

/* Is name, which has the length of the known name, that name? */
static inline bool
is_known(const char *name, unsigned id)
{
	const char *k = known[id].name, *mask = fold[id];
	unsigned len = known[id].len, i;
	uint64_t differ = 0;

	if (len >= 8) {
		for (i = 0; i + 8 <= len; i += 8)
			differ |= differ_8(name + i, k + i, mask + i);
		i = len - 8;
		return (differ | differ_8(name + i, k + i, mask + i)) == 0;
	}
	if (len >= 4) {
		i = len - 4;
		return (differ_4(name, k, mask) |
			   differ_4(name + i, k + i, mask + i)) == 0;
	}
	for (i = 0; i < len; i++)
		differ |= (name[i] ^ k[i]) & mask[i];
	return differ == 0;
}

enum field_id
field_id(struct str name)
{
	unsigned i;

	if (name.len == 0 || name.len >= KNOWN_MAX)
		return FIELD_OTHER;
	for (i = slot_of(name.p, name.len); slot[i]; i = (i + 1) % SLOT_N)
		if (known[slot[i]].len == name.len &&
		    is_known(name.p, slot[i]))
			return slot[i];
	return FIELD_OTHER;
}

struct str
field_name_of(enum field_id id)
{
	if (id == FIELD_OTHER || id >= FIELD_MAX)
		return STR_NULL;
	return str_of(known[id].name, known[id].len);
}

bool
http_is_token(struct str s)
{
	return s.len > 0 && http_scan_token(s.p, s.p + s.len) == s.p + s.len;
}

/* RFC 9110 5.5: no white space at either end; may be empty. */
bool
http_is_value(struct str s)
{
	const char *end;

	if (s.len == 0)
		return true;
	end = s.p + s.len;
	return !http_is_space(s.p[0]) && !http_is_space(end[-1]) &&
	    http_scan_value(s.p, end) == end;
}

/*
 * A name in the table has a meaning for everyone on the way (RFC 9110 7.6.1:
 * Cache-Control is never appropriate as a connection option), so Connection
 * can't take it away: a client that sends "Connection: Host, X-Forwarded-For"
 * would strip what the origin decides by.
 */
bool
http_is_hop_by_hop(const struct field *f, struct str connection)
{
	switch (f->id) {
	case FIELD_CONNECTION:
	case FIELD_HTTP2_SETTINGS:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_TE:
	case FIELD_TRAILER:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_UPGRADE:
		return true;
	case FIELD_OTHER:
	case FIELD_PROXY_AUTHENTICATE:
	case FIELD_PROXY_AUTHENTICATION_INFO:
	case FIELD_PROXY_AUTHORIZATION:
		return connection.len > 0 &&
		    str_list_has(connection, str_of(f->name, f->name_len));
	default:
		return false;
	}
}

const char *
http_reason(unsigned status)
{
	switch (status) {
	case 100: return "Continue";
	case 101: return "Switching Protocols";
	case 102: return "Processing";
	case 103: return "Early Hints";
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 203: return "Non-Authoritative Information";
	case 204: return "No Content";
	case 205: return "Reset Content";
	case 206: return "Partial Content";
	case 207: return "Multi-Status";
	case 208: return "Already Reported";
	case 226: return "IM Used";
	case 300: return "Multiple Choices";
	case 301: return "Moved Permanently";
	case 302: return "Found";
	case 303: return "See Other";
	case 304: return "Not Modified";
	case 305: return "Use Proxy";
	case 307: return "Temporary Redirect";
	case 308: return "Permanent Redirect";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 407: return "Proxy Authentication Required";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 410: return "Gone";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
	case 417: return "Expectation Failed";
	case 418: return "I'm a teapot";
	case 421: return "Misdirected Request";
	case 422: return "Unprocessable Content";
	case 423: return "Locked";
	case 424: return "Failed Dependency";
	case 425: return "Too Early";
	case 426: return "Upgrade Required";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 451: return "Unavailable For Legal Reasons";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	case 506: return "Variant Also Negotiates";
	case 507: return "Insufficient Storage";
	case 508: return "Loop Detected";
	case 510: return "Not Extended";
	case 511: return "Network Authentication Required";
	default: return "Unknown HTTP Status";
	}
}

bool
http_status_is_known(unsigned status)
{
	return strcmp(http_reason(status), "Unknown HTTP Status") != 0;
}
