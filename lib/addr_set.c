/*
 * addr_set.c - the addresses of one origin, and which to try first.
 */
#include <stdlib.h>

#include "addr_set.h"

/*
 * How long one that failed is left to the last: long enough that an address
 * that swallows packets costs few requests, short enough that one that is back
 * is soon used.
 */
#define HOLD_DOWN NSEC_S(10)

struct addr_set *
addr_set_new(unsigned n)
{
	struct addr_set *s;

	if (n > ADDR_SET_MAX)
		n = ADDR_SET_MAX;
	s = calloc(1, sizeof *s + n * sizeof s->at[0]);
	if (s == NULL)
		return NULL;
	s->ref = 1;
	s->n = n;
	return s;
}

struct addr_set *
addr_set_ref(struct addr_set *s)
{
	atomic_fetch_add_explicit(&s->ref, 1, memory_order_relaxed);
	return s;
}

void
addr_set_unref(struct addr_set **pp)
{
	struct addr_set *s = *pp;

	*pp = NULL;
	if (s != NULL && atomic_fetch_sub_explicit(&s->ref, 1,
	    memory_order_acq_rel) == 1)
		free(s);
}

static bool
is_held_down(const struct addr_entry *e, nsec_t now)
{
	nsec_t at = atomic_load_explicit(&e->failed_at, memory_order_relaxed);

	return at != 0 && now - at < HOLD_DOWN;
}

/* Of the same rank: one does not come before the other. */
static bool
is_before(const struct addr_entry *a, const struct addr_entry *b, nsec_t now)
{
	bool a_down = is_held_down(a, now), b_down = is_held_down(b, now);

	return a_down != b_down ? b_down : a->priority < b->priority;
}

/* splitmix64: [0, 1) */
static double
draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static void
swap(unsigned char *a, unsigned char *b)
{
	unsigned char x = *a;

	*a = *b;
	*b = x;
}

/* n of the same rank: each place is drawn by the shares that are left. */
static void
draw_order(const struct addr_set *s, unsigned char *order, unsigned n,
    uint64_t turn)
{
	uint64_t state = turn;
	double left = 0;

	for (unsigned i = 0; i < n; i++)
		left += s->at[order[i]].share;
	for (unsigned i = 0; i + 1 < n; i++) {
		double x = draw(&state) * left;
		unsigned j = i;

		while (j + 1 < n && x >= s->at[order[j]].share)
			x -= s->at[order[j++]].share;
		left -= s->at[order[j]].share;
		swap(&order[i], &order[j]);
	}
}

static void
rotate(unsigned char *order, unsigned n, unsigned by)
{
	unsigned char was[ADDR_SET_MAX];

	for (unsigned i = 0; i < n; i++)
		was[i] = order[i];
	for (unsigned i = 0; i < n; i++)
		order[i] = was[(i + by) % n];
}

static bool
shares_are_equal(const struct addr_set *s, const unsigned char *order,
    unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		if (s->at[order[i]].share != s->at[order[0]].share)
			return false;
	return true;
}

void
addr_set_order(const struct addr_set *s, uint64_t turn, nsec_t now,
    unsigned char order[ADDR_SET_MAX])
{
	for (unsigned i = 0; i < s->n; i++) {
		unsigned j = i;

		for (; j > 0 && is_before(&s->at[i], &s->at[order[j - 1]],
		    now); j--)
			order[j] = order[j - 1];
		order[j] = (unsigned char)i;
	}
	for (unsigned i = 0, n; i < s->n; i += n) {
		for (n = 1; i + n < s->n &&
		    !is_before(&s->at[order[i]], &s->at[order[i + n]], now);
		    n++)
			continue;
		if (shares_are_equal(s, order + i, n))
			rotate(order + i, n, (unsigned)(turn % n));
		else
			draw_order(s, order + i, n, turn);
	}
}

static const struct addr_entry *
find(const struct addr_set *s, const struct addr *a)
{
	for (unsigned i = 0; i < s->n; i++)
		if (addr_eq(&s->at[i].addr, a))
			return &s->at[i];
	return NULL;
}

bool
addr_set_has(const struct addr_set *s, const struct addr *a)
{
	return find(s, a) != NULL;
}

bool
addr_set_eq(const struct addr_set *a, const struct addr_set *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		const struct addr_entry *e = find(b, &a->at[i].addr);

		if (e == NULL || e->priority != a->at[i].priority ||
		    e->share != a->at[i].share)
			return false;
	}
	return true;
}

void
addr_set_inherit(struct addr_set *new, const struct addr_set *old)
{
	for (unsigned i = 0; i < new->n; i++) {
		const struct addr_entry *e = find(old, &new->at[i].addr);

		if (e != NULL)
			new->at[i].failed_at = e->failed_at;
	}
}
