/*
 * http.h - the head of a request or a response, as an array of fields.
 *
 * Nothing here does I/O or owns bytes: names and values point into the buffer
 * that was parsed or the arena that they were set from.  The array itself
 * lives in an arena and has a fixed capacity (parameter http_max_hdr).
 *
 * A field that was parsed or set is contiguous as "Name: value" or not; the
 * writer does not care.
 */
#ifndef COPAL_HTTP_H
#define COPAL_HTTP_H

#include <stdint.h>

#include "arena.h"
#include "str.h"

enum field_id {
	FIELD_OTHER = 0,
#define FIELD(id, name) FIELD_##id,
#include "tbl/fields.h"
#undef FIELD
	FIELD_MAX
};

struct field {
	const char *name;
	const char *value;
	uint32_t value_len;
	uint16_t name_len;
	uint8_t id; /* enum field_id */
};

struct http {
	struct str method;  /* request */
	struct str target;  /* request; as received */
	struct str reason;  /* response; may be empty */
	uint16_t status;    /* response; 0 in a request */
	uint8_t version;    /* 10 or 11 (HTTP/1.x), 20 */
	bool overflow;      /* a field was lost: no room (sticky) */
	uint16_t field_n, field_cap;
	struct field *field;
	/* http_name_bit of all names that may be there; 0: not known */
	uint64_t names;
};

/*
 * One of 64 bits for a name, so that most names that are not in
 * a head are known not to be without looking at its fields.
 */
static inline uint64_t
http_name_bit(enum field_id id, struct str name)
{
	unsigned n = id;

	if (id == FIELD_OTHER && name.len > 0)
		n = (unsigned)(name.len * 5 +
		    ((unsigned char)name.p[0] & 0xdf) * 3 +
		    ((unsigned char)name.p[name.len - 1] & 0xdf) * 7);
	return (uint64_t)1 << (n & 63);
}

/*
 * Room for cap fields from the arena; false when it is full (the head then
 * has room for none).
 */
bool http_init(struct http *, struct arena *, unsigned cap);
/*
 * Start line and fields of from, in the array that the head has; the bytes
 * are shared, not copied.  What does not fit is lost: overflow.
 */
void http_copy(struct http *, const struct http *from);

/* id of a name, without regard to case; FIELD_OTHER if not in the table */
enum field_id field_id(struct str name);
struct str field_name_of(enum field_id);

/* A name as VCL and lookups use it; id as field_id(name) says. */
struct field_name {
	struct str name;
	enum field_id id;
};

/* the first field of that name; p == NULL: none */
struct str http_get(const struct http *, enum field_id known);
struct str http_get_name(const struct http *, const struct field_name *);
/* index of the next field of that name at or after i; -1: none */
int http_find(const struct http *, const struct field_name *, unsigned i);
unsigned http_count(const struct http *, enum field_id known);
/*
 * All values of a list field joined with ", " (RFC 9110 5.3); the value
 * itself if there is one only, else a copy in the arena.  p == NULL: none, or
 * the arena is full, which its sticky flag tells apart.
 */
struct str http_get_list(const struct http *, enum field_id known,
    struct arena *);
/* Removes all fields of that name; how many. */
unsigned http_unset(struct http *, enum field_id known);
unsigned http_unset_name(struct http *, const struct field_name *);
void http_remove_at(struct http *, unsigned i);
/* Appends; the bytes must outlive the head.  false and overflow: no room */
bool http_add(struct http *, const struct field_name *, struct str value);
bool http_add_known(struct http *, enum field_id, struct str value);
/* Replaces all fields of that name by one (in the place of the first). */
bool http_set(struct http *, const struct field_name *, struct str value);
bool http_set_known(struct http *, enum field_id, struct str value);

/* RFC 9110 15: the reason phrase; "Unknown HTTP Status" if there is none */
const char *http_reason(unsigned status);
/* Is there one? */
bool http_status_is_known(unsigned status);
/*
 * A valid token (RFC 9110 5.6.2), a valid field value (5.5: may be empty, no
 * white space at either end)?
 */
bool http_is_token(struct str);
bool http_is_value(struct str);

/*
 * Is the field hop-by-hop: Connection and what it names, Keep-Alive,
 * Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings
 * (RFC 9110 7.6.1)?  connection: the list in Connection.  Protected fields
 * (Host, Content-Length, Content-Type, Cache-Control, ...: all that
 * tbl/fields.h knows, except Proxy-Auth*) are never made hop-by-hop by
 * Connection.
 */
/*
 * Several lines of a field become one, joined by commas (RFC 9110 5.3), in the
 * place of the first.  false: no room, and nothing has changed.
 */
bool http_join(struct http *, enum field_id, struct arena *);
bool http_is_hop_by_hop(const struct field *, struct str connection);

/* of its value, without blanks that policy has left at the end */
size_t http_sent_len(const struct field *);
/*
 * Serialised size of start line + fields + CRLF, and the writing of it;
 * returns the end.  A request says HTTP/1.0 if version is 10, else HTTP/1.1.
 * reason with p == NULL: that of the status.  Of the status, the last three
 * digits are written.  Names and values are not checked here.
 */
size_t http_request_size(const struct http *);
char *http_write_request(const struct http *, char *to);
size_t http_response_size(const struct http *);
char *http_write_response(const struct http *, char *to); /* HTTP/1.1 always */

#endif
