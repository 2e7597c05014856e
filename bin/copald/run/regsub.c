/*
 * regsub.c - regsub() and regsuball() of VCL.
 *
 * The result is written into what is left of the arena in one go; nothing
 * else takes from the arena meanwhile.  What does not fit there goes on in
 * large pieces, if the arena has them.
 */
#include "regsub.h"

struct output {
	struct arena *arena;
	char *p;
	size_t len, room;
	bool large; /* p is a piece of its own */
	bool full;
};

static bool
make_room(struct output *o, size_t len)
{
	size_t room = 2 * (o->len + len);
	char *p;

	if (room < ARENA_LARGE)
		room = ARENA_LARGE;
	if (!o->large)
		arena_commit(o->arena, o->len);
	o->large = true;
	p = arena_bytes(o->arena, room);
	if (p == NULL)
		return false;
	memcpy(p, o->p, o->len);
	o->p = p;
	o->room = room;
	return true;
}

static void
put(struct output *o, const char *p, size_t len)
{
	if (o->full)
		return;
	if (len > o->room - o->len && !make_room(o, len)) {
		o->full = true;
		return;
	}
	if (len != 0)
		memcpy(o->p + o->len, p, len);
	o->len += len;
}

static void
put_substitution(struct output *o, struct str sub, struct str subject,
    const regex_groups g)
{
	for (size_t i = 0; i < sub.len; i++) {
		char c = sub.p[i];
		unsigned n;

		/* runs of ordinary bytes in one go */
		if (c != '\\' || i + 1 == sub.len) {
			const char *end = memchr(sub.p + i + 1, '\\',
			    sub.len - i - 1);
			size_t len = end != NULL ? (size_t)(end - sub.p) - i
						 : sub.len - i;

			put(o, sub.p + i, len);
			i += len - 1;
			continue;
		}
		c = sub.p[++i];
		if (c < '0' || c > '9') {
			put(o, &c, 1);
			continue;
		}
		n = c - '0';
		if (g[2 * n] != REGEX_UNSET)
			put(o, subject.p + g[2 * n],
			    g[2 * n + 1] - g[2 * n]);
	}
}

enum regsub_result
regsub(struct arena *a, bool all, struct str subject,
    const struct vcl_regex *re, struct str sub, struct str *out, int *error)
{
	struct output o = {.arena = a};
	regex_groups g;
	size_t at = 0;
	int r;

	if (subject.p == NULL)
		subject = STR("");
	*out = subject;
	r = regex_match(re, subject, 0, false, g, error);
	if (r < 0)
		return REGSUB_FAILED;
	if (r == 0)
		return REGSUB_OK;
	o.p = arena_reserve(a, &o.room);
	if (o.p == NULL)
		return REGSUB_NO_ROOM;
	do {
		/* \K may put the match's begin behind its end */
		if (g[0] > g[1] || g[0] < at) {
			g[0] = g[1] > at ? g[1] : at;
			g[1] = g[0];
		}
		put(&o, subject.p + at, g[0] - at);
		put_substitution(&o, sub, subject, g);
		at = g[1];
		if (!all || at >= subject.len || o.full)
			break;
		r = regex_match(re, subject, at, true, g, error);
		/* \K in a lookahead: a match that ends where it began */
	} while (r > 0 && g[1] > at);
	put(&o, subject.p + at, subject.len - at);
	if (!o.large)
		arena_commit(a, r < 0 || o.full ? 0 : o.len);
	if (r < 0)
		return REGSUB_FAILED;
	if (o.full) {
		arena_set_overflow(a);
		return REGSUB_NO_ROOM;
	}
	*out = str_of(o.p, o.len);
	return REGSUB_OK;
}
