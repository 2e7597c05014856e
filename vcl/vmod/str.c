/*
 * str.c - module str: parts of strings, and questions about them.
 *
 * What is a part of an argument is given back as a slice of it.
 */
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

VCL_INT
vmod_str_count(struct vcl_ctx *ctx, VCL_STRING s)
{
	(void)ctx;
	return s.p != NULL ? (VCL_INT)s.len : -1;
}

VCL_BOOL
vmod_str_startswith(struct vcl_ctx *ctx, VCL_STRING s1, VCL_STRING s2)
{
	(void)ctx;
	return s1.p != NULL && s2.p != NULL && str_starts(s1, s2);
}

VCL_BOOL
vmod_str_endswith(struct vcl_ctx *ctx, VCL_STRING s1, VCL_STRING s2)
{
	(void)ctx;
	return s1.p != NULL && s2.p != NULL && s1.len >= s2.len &&
	    str_eq(str_of(s1.p + s1.len - s2.len, s2.len), s2);
}

VCL_BOOL
vmod_str_contains(struct vcl_ctx *ctx, VCL_STRING s1, VCL_STRING s2)
{
	(void)ctx;
	return s1.p != NULL && s2.p != NULL &&
	    memmem(s1.p, s1.len, s2.p, s2.len) != NULL;
}

/* No string is as long, and sums of a few do not overflow. */
#define FAR_AWAY (INT64_MAX / 4)

static VCL_INT
clamp(VCL_INT i)
{
	return i > FAR_AWAY ? FAR_AWAY : i < -FAR_AWAY ? -FAR_AWAY : i;
}

VCL_STRING
vmod_str_take(struct vcl_ctx *ctx, VCL_STRING s, VCL_INT n, VCL_INT offset)
{
	VCL_INT len = (VCL_INT)s.len, from, to;

	(void)ctx;
	if (s.p == NULL)
		return s;
	n = clamp(n);
	from = clamp(offset);
	if (from < 0 || (from == 0 && n < 0))
		from += len;
	to = from + n;
	if (n < 0) {
		to = from;
		from += n;
	}
	if (from < 0)
		from = 0;
	if (to > len)
		to = len;
	return from < to ? str_of(s.p + from, (size_t)(to - from)) : STR("");
}

VCL_STRING
vmod_str_substr(struct vcl_ctx *ctx, VCL_STRING s, VCL_INT n, VCL_INT offset)
{
	return vmod_str_take(ctx, s, n, offset);
}

VCL_STRING
vmod_str_reverse(struct vcl_ctx *ctx, VCL_STRING s)
{
	char *to;

	if (s.len == 0)
		return s;
	to = vrt_alloc(ctx, s.len);
	if (to == NULL)
		return STR("");
	for (size_t i = 0; i < s.len; i++)
		to[i] = s.p[s.len - 1 - i];
	return str_of(to, s.len);
}

/* ---- parts ---- */

static bool
separates(struct str separators, char c)
{
	return separators.len != 0 &&
	    memchr(separators.p, c, separators.len) != NULL;
}

/* Takes the next part off the front of *s; false at the end. */
static bool
next_part(struct str *s, struct str separators, struct str *part)
{
	size_t from = 0, to;

	while (from < s->len && separates(separators, s->p[from]))
		from++;
	for (to = from; to < s->len && !separates(separators, s->p[to]);)
		to++;
	*part = str_of(s->p + from, to - from);
	*s = str_of(s->p + to, s->len - to);
	return part->len != 0;
}

/* The same, off its end. */
static bool
last_part(struct str *s, struct str separators, struct str *part)
{
	size_t to = s->len, from;

	while (to > 0 && separates(separators, s->p[to - 1]))
		to--;
	for (from = to; from > 0 && !separates(separators, s->p[from - 1]);)
		from--;
	*part = str_of(s->p + from, to - from);
	s->len = from;
	return part->len != 0;
}

VCL_STRING
vmod_str_split(struct vcl_ctx *ctx, VCL_STRING s, VCL_INT n, VCL_STRING sep)
{
	struct str part;

	(void)ctx;
	if (s.len == 0 || sep.len == 0)
		return STR_NULL;
	while (n > 0 && next_part(&s, sep, &part))
		if (--n == 0)
			return part;
	while (n < 0 && last_part(&s, sep, &part))
		if (++n == 0)
			return part;
	return STR_NULL;
}

static int
part_cmp(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/*
 * The shorter list is sorted and each part of the longer one looked up: both
 * may come from a client, and be as long as a header may be.  The list is in
 * what is left of the workspace, which nothing of it is kept of.
 */
VCL_BOOL
vmod_str_token_intersect(struct vcl_ctx *ctx, VCL_STRING str1, VCL_STRING str2,
    bool has_separators, VCL_STRING separators)
{
	struct str longer = str1.len > str2.len ? str1 : str2;
	struct str shorter = str1.len > str2.len ? str2 : str1;
	struct str part, *list;
	size_t room, pad, n = 0;
	bool found = false;
	char *space;

	if (!has_separators)
		separators = STR(" ,");
	if (shorter.len == 0)
		return false;
	space = vrt_reserve(ctx, &room);
	if (space == NULL)
		return false;
	pad = -(uintptr_t)space & (_Alignof(struct str) - 1);
	room = room > pad ? (room - pad) / sizeof *list : 0;
	list = (struct str *)(void *)(space + pad);
	for (; next_part(&shorter, separators, &part) && n <= room; n++)
		if (n < room)
			list[n] = part;
	if (n <= room) {
		qsort(list, n, sizeof *list, part_cmp);
		while (!found && next_part(&longer, separators, &part))
			found = bsearch(&part, list, n, sizeof *list,
			    part_cmp) != NULL;
	}
	vrt_commit(ctx, 0);
	if (n > room)
		vrt_failf(ctx, "Workspace overflow (str.token_intersect)");
	return found;
}
