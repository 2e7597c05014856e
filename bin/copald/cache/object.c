/*
 * object.c - the life of an object, and its head as bytes.
 *
 * Stored form of a head: "HTTP/1.1 200 Reason\r\n" and fields, as on the
 * wire, so that the strict parser reads it back and a format of its own
 * need not be defended; then the tags, up to the end.
 */
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "encodings.h"
#include "esi_plan.h"
#include "http1.h"
#include "memory.h"
#include "object.h"

struct object *
object_new(const struct http *from, struct str vary, struct str tags)
{
	size_t fields = from->field_n * sizeof(struct field);
	size_t bytes = from->reason.len + vary.len + tags.len;
	struct object *o = aligned_alloc(64, (sizeof *o + 63) & ~(size_t)63);
	char *p;

	if (o == NULL)
		return NULL;
	memset(o, 0, sizeof *o);
	for (unsigned i = 0; i < from->field_n; i++)
		bytes += from->field[i].name_len + from->field[i].value_len + 4;
	o->head_len = fields + bytes;
	o->head_mem = malloc(o->head_len > 0 ? o->head_len : 1);
	if (o->head_mem == NULL) {
		free(o);
		return NULL;
	}
	o->ref = 1;
	o->content_length = -1;
	o->http = *from;
	o->http.method = o->http.target = STR_NULL;
	o->http.field = o->head_mem;
	o->http.field_cap = from->field_n;
	p = (char *)o->head_mem + fields;
	for (unsigned i = 0; i < from->field_n; i++) {
		const struct field *f = &from->field[i];
		struct field *to = &o->http.field[i];

		/* contiguous, as it will be sent: one copy a field */
		*to = *f;
		to->name = p;
		memcpy(p, f->name, f->name_len);
		p += f->name_len;
		memcpy(p, ": ", 2);
		p += 2;
		to->value = p;
		to->value_len = (uint32_t)http_sent_len(f);
		memcpy(p, f->value, to->value_len);
		p += to->value_len;
		memcpy(p, "\r\n", 2);
		p += 2;
	}
	if (from->reason.len > 0)
		memcpy(p, from->reason.p, from->reason.len);
	o->http.reason = str_of(p, from->reason.len);
	p += from->reason.len;
	if (vary.len > 0)
		memcpy(p, vary.p, vary.len);
	o->vary = vary.len > 0 ? str_of(p, vary.len) : STR_NULL;
	p += vary.len;
	if (tags.len > 0)
		memcpy(p, tags.p, tags.len);
	o->tags = tags.len > 0 ? str_of(p, tags.len) : STR_NULL;
	body_init(&o->body);
	memory_charge((int64_t)(sizeof *o + o->head_len));
	COUNT_INC(n_object);
	return o;
}

struct object *
object_ref(struct object *o)
{
	atomic_fetch_add_explicit(&o->ref, 1, memory_order_relaxed);
	return o;
}

void
object_unref(struct object **pp)
{
	struct object *o = *pp;
	struct esi_plan *plan;

	*pp = NULL;
	if (o == NULL || atomic_fetch_sub_explicit(&o->ref, 1,
	    memory_order_acq_rel) != 1)
		return;
	memory_charge(-(int64_t)(sizeof *o + o->head_len));
	encodings_free(o);
	plan = atomic_load(&o->esi_plan);
	esi_plan_unref(&plan);
	body_destroy(&o->body);
	free(o->head_mem);
	free(o->last_chunk);
	free(o);
	COUNT_ADD(n_object, -1);
}

double
object_age(const struct object *o, double now)
{
	double age = now - o->t_origin;

	return age > 0 ? age : 0;
}

double
object_ttl_left(const struct object *o, double now)
{
	return o->t_origin + o->ttl - now;
}

bool
object_is_expired(const struct object *o, double now)
{
	return object_ttl_left(o, now) + o->grace + o->keep <= 0;
}

size_t
object_head_size(const struct object *o)
{
	return http_response_size(&o->http) + o->tags.len;
}

void
object_head_write(const struct object *o, char *to)
{
	http_write_response(&o->http, to);
	if (o->tags.len > 0)
		memcpy(to + http_response_size(&o->http), o->tags.p,
		    o->tags.len);
}

struct object *
object_from_bytes(struct str head, struct str vary)
{
	static const struct h1_limits no_limits = {UINT32_MAX, UINT32_MAX};
	struct h1_scan scan = {0};
	struct h1_framing framing;
	struct object *o = NULL;
	struct arena a;
	struct http h;
	size_t head_len, fields = 16, room;
	const char *why;
	char *mem;

	for (size_t i = 0; i < head.len; i++)
		fields += head.p[i] == '\n';
	room = fields * sizeof(struct field) + 256;
	mem = aligned_alloc(16, (room + head.len + 31) & ~(size_t)15);
	if (mem == NULL)
		return NULL;
	arena_init(&a, mem, room);
	memcpy(mem + room, head.p, head.len);
	/* as for HEAD: a stored Content-Length says nothing of framing */
	if (fields <= UINT16_MAX && http_init(&h, &a, (unsigned)fields) &&
	    h1_parse_response(&h, &framing, true, mem + room, head.len, &scan,
	    &no_limits, &head_len, &why) == H1_OK)
		o = object_new(&h, vary, str_of(mem + room + head_len,
		    head.len - head_len));
	arena_reset(&a);
	free(mem);
	return o;
}
