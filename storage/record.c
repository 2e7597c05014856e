/*
 * record.c - objects to catalogue records and back.  The form is drawn in
 * record.h.
 */
#include "record.h"

#include <assert.h>
#include <xxhash.h>

enum { RECORD_MAGIC = 0x31434c43 };

/* Bits of form */
enum {
	FORM_INLINE = 1,
	FORM_KEY = 2, /* set: not STR_NULL */
	FORM_VARY = 4,
	FORM_HEAD = 8,
	FORM_PACKED = 16,
	FORM_ALL = 31,
};

struct fixed {
	uint32_t magic;
	uint32_t len;       /* of the whole record */
	uint64_t fixed_sum; /* of the fixed part behind this */
	uint64_t tail_sum;  /* of what follows the fixed part */
	uint8_t hash[STORE_HASH_LEN];
	uint64_t vhash;
	double t_origin, ttl, grace, keep, last_modified;
	uint64_t inval_seq;
	uint64_t body_len;
	uint32_t flags;
	uint16_t status;
	uint16_t form;
	uint32_t key_len, vary_len, head_len, inline_len, extent_n;
	uint32_t dict;
};

_Static_assert(sizeof(struct fixed) == RECORD_FIXED_LEN,
    "the fixed part has no hidden padding");

static const size_t sum_from = offsetof(struct fixed, tail_sum);

static uint64_t
fixed_sum(const void *buf, uint64_t seq)
{
	return XXH3_64bits_withSeed(
	    (const char *)buf + sum_from, RECORD_FIXED_LEN - sum_from, seq);
}

static void
seal(struct fixed *f, const void *tail, size_t tail_len, uint64_t seq)
{
	f->tail_sum = XXH3_64bits_withSeed(tail, tail_len, seq);
	f->fixed_sum = fixed_sum(f, seq);
}

size_t
record_size(const struct record *r)
{
	const struct store_meta *m = &r->meta;

	if (m->key.len > RECORD_STRING_MAX || m->vary.len > RECORD_STRING_MAX ||
	    m->head.len > RECORD_STRING_MAX ||
	    r->inline_body.len > STORE_INLINE_MAX ||
	    r->extent_n > RECORD_EXTENT_MAX)
		return 0;
	return RECORD_FIXED_LEN + m->key.len + m->vary.len + m->head.len +
	       r->inline_body.len + (size_t)r->extent_n * RECORD_EXTENT_LEN;
}

static uint8_t *
append(uint8_t *out, const void *p, size_t len)
{
	if (len > 0)
		memcpy(out, p, len);
	return out + len;
}

void
record_encode(const struct record *r, uint64_t seq, uint8_t *out)
{
	const struct store_meta *m = &r->meta;
	struct fixed f = {
	    .magic = RECORD_MAGIC,
	    .len = (uint32_t)record_size(r),
	    .vhash = r->vhash,
	    .t_origin = m->t_origin,
	    .ttl = m->ttl,
	    .grace = m->grace,
	    .keep = m->keep,
	    .last_modified = m->last_modified,
	    .inval_seq = m->inval_seq,
	    .body_len = m->body_len,
	    .flags = m->flags,
	    .status = m->status,
	    .form = (uint16_t)((r->inline_body.p ? FORM_INLINE : 0) |
			       (m->key.p ? FORM_KEY : 0) |
			       (m->vary.p ? FORM_VARY : 0) |
			       (m->head.p ? FORM_HEAD : 0) |
			       (r->packed ? FORM_PACKED : 0)),
	    .key_len = (uint32_t)m->key.len,
	    .vary_len = (uint32_t)m->vary.len,
	    .head_len = (uint32_t)m->head.len,
	    .inline_len = (uint32_t)r->inline_body.len,
	    .extent_n = r->extent_n,
	    .dict = r->packed ? r->dict : 0,
	};
	uint8_t *p = out + RECORD_FIXED_LEN;

	assert(f.len >= RECORD_FIXED_LEN);
	memcpy(f.hash, m->hash, STORE_HASH_LEN);
	p = append(p, m->key.p, m->key.len);
	p = append(p, m->vary.p, m->vary.len);
	p = append(p, m->head.p, m->head.len);
	p = append(p, r->inline_body.p, r->inline_body.len);
	p = append(p, r->extent, (size_t)r->extent_n * RECORD_EXTENT_LEN);
	assert(p == out + f.len);
	seal(&f, out + RECORD_FIXED_LEN, f.len - RECORD_FIXED_LEN, seq);
	memcpy(out, &f, sizeof f);
}

void
record_seal(void *buf, size_t len, uint64_t seq)
{
	uint8_t *p = buf;
	struct fixed f;

	if (p == NULL || len < RECORD_FIXED_LEN)
		return;
	memcpy(&f, p, RECORD_FIXED_LEN);
	f.magic = RECORD_MAGIC;
	seal(&f, p + RECORD_FIXED_LEN, len - RECORD_FIXED_LEN, seq);
	memcpy(p, &f, RECORD_FIXED_LEN);
}

/* How long the body may be for the way it is kept */
static bool
body_len_ok(const struct fixed *f)
{
	if (f->form & FORM_PACKED)
		return f->body_len > 0 && f->body_len <= STORE_PIECE_MAX &&
		       (f->form & FORM_INLINE ? f->inline_len > 0
					      : f->extent_n == 1);
	return f->dict == 0 &&
	       (!(f->form & FORM_INLINE) || f->body_len == f->inline_len);
}

static bool
fixed_ok(const struct fixed *f, uint64_t seq)
{
	uint64_t len;

	if (f->magic != RECORD_MAGIC || f->fixed_sum != fixed_sum(f, seq))
		return false;
	if (f->key_len > RECORD_STRING_MAX || f->vary_len > RECORD_STRING_MAX ||
	    f->head_len > RECORD_STRING_MAX ||
	    f->inline_len > STORE_INLINE_MAX ||
	    f->extent_n > RECORD_EXTENT_MAX || (f->form & ~FORM_ALL) != 0)
		return false;
	/* A string that is not there has no bytes; inline, no extents. */
	if ((!(f->form & FORM_KEY) && f->key_len > 0) ||
	    (!(f->form & FORM_VARY) && f->vary_len > 0) ||
	    (!(f->form & FORM_HEAD) && f->head_len > 0) ||
	    (!(f->form & FORM_INLINE) && f->inline_len > 0) ||
	    ((f->form & FORM_INLINE) && f->extent_n > 0) || !body_len_ok(f))
		return false;
	len = (uint64_t)RECORD_FIXED_LEN + f->key_len + f->vary_len +
	      f->head_len + f->inline_len +
	      (uint64_t)f->extent_n * RECORD_EXTENT_LEN;
	return len == f->len;
}

bool
record_peek(
    const void *buf, size_t len, uint64_t seq, struct record *r, size_t *whole)
{
	struct fixed f;

	if (len < RECORD_FIXED_LEN)
		return false;
	memcpy(&f, buf, sizeof f);
	if (!fixed_ok(&f, seq))
		return false;
	*r = (struct record){
	    .meta =
		{
		    .t_origin = f.t_origin,
		    .ttl = f.ttl,
		    .grace = f.grace,
		    .keep = f.keep,
		    .last_modified = f.last_modified,
		    .inval_seq = f.inval_seq,
		    .body_len = f.body_len,
		    .flags = f.flags,
		    .status = f.status,
		},
	    .vhash = f.vhash,
	    .packed = (f.form & FORM_PACKED) != 0,
	    .dict = f.dict,
	    .extent_n = f.extent_n,
	};
	memcpy(r->meta.hash, f.hash, STORE_HASH_LEN);
	*whole = f.len;
	return true;
}

static struct str
take(const char **p, bool there, uint32_t len)
{
	struct str s = STR_NULL;

	if (there)
		s = str_of(*p, len);
	*p += len;
	return s;
}

bool
record_decode(const void *buf, size_t len, uint64_t seq, struct record *r)
{
	const char *p = (const char *)buf + RECORD_FIXED_LEN;
	struct fixed f;
	size_t whole;
	uint64_t body = 0;

	if (!record_peek(buf, len, seq, r, &whole) || whole != len)
		return false;
	memcpy(&f, buf, sizeof f);
	if (f.tail_sum != XXH3_64bits_withSeed(p, len - RECORD_FIXED_LEN, seq))
		return false;
	r->meta.key = take(&p, f.form & FORM_KEY, f.key_len);
	r->meta.vary = take(&p, f.form & FORM_VARY, f.vary_len);
	r->meta.head = take(&p, f.form & FORM_HEAD, f.head_len);
	r->inline_body = take(&p, f.form & FORM_INLINE, f.inline_len);
	r->extent = (const uint8_t *)p;
	if (r->inline_body.p != NULL)
		return true;
	for (uint32_t i = 0; i < r->extent_n; i++) {
		struct record_extent e = record_extent_at(r, i);

		if (e.len == 0 || e.len > STORE_PIECE_MAX ||
		    e.offset > INT64_MAX - STORE_PIECE_MAX)
			return false;
		body += e.len;
	}
	return r->packed || body == r->meta.body_len;
}

void
record_extent_put(uint8_t out[RECORD_EXTENT_LEN], const struct record_extent *e)
{
	const uint32_t pad = 0;

	memcpy(out, &e->segno, 4);
	memcpy(out + 4, &e->gen, 4);
	memcpy(out + 8, &e->offset, 8);
	memcpy(out + 16, &e->len, 4);
	memcpy(out + 20, &pad, 4);
	memcpy(out + 24, &e->sum, 8);
}

struct record_extent
record_extent_at(const struct record *r, uint32_t i)
{
	const uint8_t *p = r->extent + (size_t)i * RECORD_EXTENT_LEN;
	struct record_extent e;

	memcpy(&e.segno, p, 4);
	memcpy(&e.gen, p + 4, 4);
	memcpy(&e.offset, p + 8, 8);
	memcpy(&e.len, p + 16, 4);
	memcpy(&e.sum, p + 24, 8);
	return e;
}
