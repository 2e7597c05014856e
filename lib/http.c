/*
 * http.c - the head of a message: its array of fields, and writing it out.
 *
 * A known name is compared by its id; only names outside tbl/fields.h are
 * compared byte by byte.  The order of fields is kept throughout, since the
 * order of equal names carries meaning (RFC 9110 5.3).
 */
#include "http.h"
#include "http_scan.h"

bool
http_init(struct http *h, struct arena *a, unsigned cap)
{
	memset(h, 0, sizeof(*h));
	h->version = 11;
	if (cap > UINT16_MAX)
		cap = UINT16_MAX;
	h->field = arena_alloc(a, cap * sizeof(*h->field));
	if (!h->field)
		return false;
	h->field_cap = cap;
	return true;
}

void
http_copy(struct http *h, const struct http *from)
{
	unsigned n = from->field_n;

	h->method = from->method;
	h->target = from->target;
	h->reason = from->reason;
	h->status = from->status;
	h->version = from->version;
	h->overflow = from->overflow;
	if (n > h->field_cap) {
		n = h->field_cap;
		h->overflow = true;
	}
	if (n > 0)
		memcpy(h->field, from->field, n * sizeof(*h->field));
	h->field_n = n;
	h->names = from->names;
}

static inline struct str
value_of(const struct field *f)
{
	return str_of(f->value, f->value_len);
}

/* index of the next field of that id at or after i; -1: none */
static inline int
find_known(const struct http *h, enum field_id id, unsigned i)
{
	for (; i < h->field_n; i++)
		if (h->field[i].id == id)
			return i;
	return -1;
}

/* Apart, so that the answer "none" saves no registers. */
static int __attribute__((noinline))
search(const struct http *h, const struct field_name *name, unsigned i)
{
	int found;

	for (;; i = found + 1) {
		found = find_known(h, name->id, i);
		if (found < 0 || name->id != FIELD_OTHER)
			return found;
		/* most of the others differ in length */
		if (h->field[found].name_len == name->name.len &&
		    str_caseeq(name->name, str_of(h->field[found].name,
					       h->field[found].name_len)))
			return found;
	}
}

int
http_find(const struct http *h, const struct field_name *name, unsigned i)
{
	if (h->names != 0 && !(h->names & http_name_bit(name->id, name->name)))
		return -1;
	return search(h, name, i);
}

struct str
http_get(const struct http *h, enum field_id known)
{
	int i = find_known(h, known, 0);

	return i < 0 ? STR_NULL : value_of(&h->field[i]);
}

struct str
http_get_name(const struct http *h, const struct field_name *name)
{
	int i = http_find(h, name, 0);

	return i < 0 ? STR_NULL : value_of(&h->field[i]);
}

unsigned
http_count(const struct http *h, enum field_id known)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->field_n; i++)
		n += h->field[i].id == known;
	return n;
}

struct str
http_get_list(const struct http *h, enum field_id known, struct arena *a)
{
	int first = find_known(h, known, 0), i;
	size_t len = 0;
	char *list, *to;

	if (first < 0)
		return STR_NULL;
	i = find_known(h, known, first + 1);
	if (i < 0)
		return value_of(&h->field[first]);
	for (i = first; i >= 0; i = find_known(h, known, i + 1))
		len += (i == first ? 0 : 2) + h->field[i].value_len;
	to = list = arena_bytes(a, len);
	if (!list)
		return STR_NULL;
	for (i = first; i >= 0; i = find_known(h, known, i + 1)) {
		if (i != first) {
			*to++ = ',';
			*to++ = ' ';
		}
		memcpy(to, h->field[i].value, h->field[i].value_len);
		to += h->field[i].value_len;
	}
	return str_of(list, len);
}

void
http_remove_at(struct http *h, unsigned i)
{
	h->field_n--;
	memmove(&h->field[i], &h->field[i + 1],
	    (h->field_n - i) * sizeof(*h->field));
}

/* Removes all fields of that name at or after i in one pass; how many. */
static unsigned
remove_from(struct http *h, const struct field_name *name, unsigned i)
{
	unsigned kept = i, n;
	int next = http_find(h, name, i);

	for (; i < h->field_n; i++) {
		if ((int)i == next)
			next = http_find(h, name, i + 1);
		else
			h->field[kept++] = h->field[i];
	}
	n = h->field_n - kept;
	h->field_n = kept;
	return n;
}

unsigned
http_unset_name(struct http *h, const struct field_name *name)
{
	int i = http_find(h, name, 0);

	return i < 0 ? 0 : remove_from(h, name, i);
}

unsigned
http_unset(struct http *h, enum field_id known)
{
	return http_unset_name(h, &(struct field_name){STR_NULL, known});
}

bool
http_add(struct http *h, const struct field_name *name, struct str value)
{
	if (h->field_n == h->field_cap || name->name.len > UINT16_MAX ||
	    value.len > UINT32_MAX) {
		h->overflow = true;
		return false;
	}
	if (h->field_n == 0)
		h->names = 0;
	if (h->field_n == 0 || h->names != 0)
		h->names |= http_name_bit(name->id, name->name);
	h->field[h->field_n++] = (struct field){
	    .name = name->name.p,
	    .value = value.p,
	    .value_len = value.len,
	    .name_len = name->name.len,
	    .id = name->id,
	};
	return true;
}

bool
http_add_known(struct http *h, enum field_id id, struct str value)
{
	return http_add(h, &(struct field_name){field_name_of(id), id}, value);
}

bool
http_set(struct http *h, const struct field_name *name, struct str value)
{
	int i = http_find(h, name, 0);

	if (i < 0)
		return http_add(h, name, value);
	remove_from(h, name, i + 1);
	if (value.len > UINT32_MAX) {
		/* Neither the old value nor a cut one: say that it is lost. */
		http_remove_at(h, i);
		h->overflow = true;
		return false;
	}
	h->field[i].value = value.p;
	h->field[i].value_len = value.len;
	return true;
}

bool
http_set_known(struct http *h, enum field_id id, struct str value)
{
	return http_set(h, &(struct field_name){field_name_of(id), id}, value);
}

bool
http_join(struct http *h, enum field_id id, struct arena *a)
{
	int first = find_known(h, id, 0);
	struct str list;

	if (first < 0 || find_known(h, id, first + 1) < 0)
		return true;
	list = http_get_list(h, id, a);
	return list.p != NULL && http_set_known(h, id, list);
}

size_t
http_sent_len(const struct field *f)
{
	size_t len = f->value_len;

	while (len > 0 && http_is_space(f->value[len - 1]))
		len--;
	return len;
}

static size_t
fields_size(const struct http *h)
{
	size_t size = 0;

	for (unsigned i = 0; i < h->field_n; i++)
		size += h->field[i].name_len + http_sent_len(&h->field[i]) + 4;
	return size;
}

static inline char *
put(char *to, const char *p, size_t len)
{
	if (len > 0)
		memcpy(to, p, len);
	return to + len;
}

/*
 * Is the field a whole line, "Name: value\r\n", where it lies?  What begins
 * like one was parsed from a head or copied into an object, and both have
 * the end of the line behind it.
 */
static bool
is_line(const struct field *f)
{
	return f->value == f->name + f->name_len + 2 &&
	    !memcmp(f->name + f->name_len, ": ", 2) &&
	    !memcmp(f->value + f->value_len, "\r\n", 2);
}

/* Lines that follow each other, as an object's do, are one copy. */
static char *
write_fields(const struct http *h, char *to)
{
	for (unsigned i = 0; i < h->field_n;) {
		const struct field *f = &h->field[i];
		const char *end = f->name;

		while (i < h->field_n && h->field[i].name == end &&
		    is_line(&h->field[i])) {
			end = h->field[i].value + h->field[i].value_len + 2;
			i++;
		}
		if (end > f->name) {
			to = put(to, f->name, (size_t)(end - f->name));
			continue;
		}
		to = put(to, f->name, f->name_len);
		*to++ = ':';
		*to++ = ' ';
		to = put(to, f->value, http_sent_len(f));
		*to++ = '\r';
		*to++ = '\n';
		i++;
	}
	*to++ = '\r';
	*to++ = '\n';
	return to;
}

size_t
http_request_size(const struct http *h)
{
	return h->method.len + 1 + h->target.len + sizeof(" HTTP/1.1\r\n") -
	    1 + fields_size(h) + 2;
}

char *
http_write_request(const struct http *h, char *to)
{
	to = put(to, h->method.p, h->method.len);
	*to++ = ' ';
	to = put(to, h->target.p, h->target.len);
	to = put(to, h->version == 10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n", 11);
	return write_fields(h, to);
}

static struct str
reason_of(const struct http *h)
{
	return h->reason.p ? h->reason : str_from_z(http_reason(h->status));
}

size_t
http_response_size(const struct http *h)
{
	return sizeof("HTTP/1.1 200 \r\n") - 1 + reason_of(h).len +
	    fields_size(h) + 2;
}

char *
http_write_response(const struct http *h, char *to)
{
	struct str reason = reason_of(h);

	to = put(to, "HTTP/1.1 ", 9);
	/* VCL may set 1404 to tell its own 404 from the origin's; the wire
	 * has three digits. */
	*to++ = '0' + h->status / 100 % 10;
	*to++ = '0' + h->status / 10 % 10;
	*to++ = '0' + h->status % 10;
	*to++ = ' ';
	to = put(to, reason.p, reason.len);
	*to++ = '\r';
	*to++ = '\n';
	return write_fields(h, to);
}
