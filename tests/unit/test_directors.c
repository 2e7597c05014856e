/*
 * test_directors.c - who is picked: rings, weights, averages, probes' history,
 * and the line of those who wait.
 */
#include <CUnit/CUnit.h>

#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "ewma.h"
#include "loop.h"
#include "probe_history.h"
#include "vmod/directors_pool.h"
#include "vmod/shard_ring.h"

/* --- the ring ------------------------------------------------------------ */

static const struct str idents[] = {STR("b1"), STR("b2"), STR("b3")};
static const double weights[] = {1, 1, 2.5};

static bool
is_healthy(void *priv, unsigned host)
{
	return !(*(unsigned *)priv >> host & 1);
}

/* sick: a mask of hosts */
static int
pick(const struct shard_ring *r, uint32_t key, int64_t alt,
    enum shard_healthy mode, unsigned sick)
{
	struct shard_walk w;

	shard_walk_begin(&w, r, key);
	return shard_pick(&w, alt, mode, is_healthy, &sick);
}

/* Values of Varnish 7.1. */
static void
test_ring(void)
{
	struct shard_ring *r = shard_ring_new(3, idents, weights, 25);

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_EQUAL(r->point_n, 25 + 25 + 62);
	CU_ASSERT_EQUAL(shard_key(STR("/abc")), 2709043216u);
	CU_ASSERT_EQUAL(pick(r, 5, 0, SHARD_CHOSEN, 0), 2);
	CU_ASSERT_EQUAL(pick(r, 5, 1, SHARD_CHOSEN, 0), 0);
	CU_ASSERT_EQUAL(pick(r, 5, 2, SHARD_CHOSEN, 0), 1);
	/* more than there are: the last */
	CU_ASSERT_EQUAL(pick(r, 5, 3, SHARD_CHOSEN, 0), 1);
	/* beyond the last point */
	CU_ASSERT_EQUAL(pick(r, UINT32_MAX, 0, SHARD_CHOSEN, 0), 1);
	free(r);
}

static void
test_ring_health(void)
{
	struct shard_ring *r = shard_ring_new(3, idents, weights, 25);

	/* the order of key 5 is 2, 0, 1 */
	CU_ASSERT_EQUAL(pick(r, 5, 0, SHARD_CHOSEN, 4), 0);
	CU_ASSERT_EQUAL(pick(r, 5, 1, SHARD_CHOSEN, 4), 0);
	CU_ASSERT_EQUAL(pick(r, 5, 1, SHARD_ALL, 4), 1);
	CU_ASSERT_EQUAL(pick(r, 5, 0, SHARD_IGNORE, 7), 2);
	CU_ASSERT_EQUAL(pick(r, 5, 1, SHARD_IGNORE, 7), 0);
	CU_ASSERT_EQUAL(pick(r, 5, 0, SHARD_CHOSEN, 7), -1);
	CU_ASSERT_EQUAL(pick(r, 5, 9, SHARD_ALL, 7), -1);
	/* those behind are sick: the last healthy one that was skipped, but
	 * for the alternative before it */
	CU_ASSERT_EQUAL(pick(r, 5, 1, SHARD_CHOSEN, 3), -1);
	CU_ASSERT_EQUAL(pick(r, 5, 2, SHARD_CHOSEN, 2), 2);
	CU_ASSERT_EQUAL(pick(r, 5, 9, SHARD_CHOSEN, 2), 2);
	CU_ASSERT_EQUAL(pick(r, 5, 9, SHARD_CHOSEN, 3), 2);
	CU_ASSERT_EQUAL(pick(r, 5, 2, SHARD_ALL, 2), 2);
	free(r);
}

/* When a backend comes, the keys of the others stay or go to it. */
static void
test_ring_is_stable(void)
{
	struct shard_ring *two = shard_ring_new(2, idents, weights, 67);
	struct shard_ring *three = shard_ring_new(3, idents, weights, 67);
	unsigned moved = 0;

	for (uint32_t i = 0; i < 10000; i++) {
		uint32_t key = i * 429497u;
		int before = pick(two, key, 0, SHARD_IGNORE, 0);
		int after = pick(three, key, 0, SHARD_IGNORE, 0);

		if (before != after) {
			CU_ASSERT_EQUAL(after, 2);
			moved++;
		}
	}
	/* 2.5 of 4.5 */
	CU_ASSERT(moved > 4500 && moved < 6600);
	free(two);
	free(three);
}

static void
test_ring_limits(void)
{
	static const double huge[] = {1e30, 1, 1};
	static const double tiny[] = {1e-30, 0, 1};
	struct shard_ring *r;

	CU_ASSERT_PTR_NULL(shard_ring_new(3, idents, huge, 1));
	r = shard_ring_new(3, idents, tiny, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_EQUAL(r->point_n, 3);
	free(r);
	CU_ASSERT_EQUAL(shard_key_of_blob("\1\2", 2), 0x0102);
	CU_ASSERT_EQUAL(shard_key_of_blob("\1\2\3\4\5", 5), 0x01020304);
	CU_ASSERT_EQUAL(shard_key_of_blob(NULL, 0), 0);
}

/* --- weights ------------------------------------------------------------- */

static void
test_weights(void)
{
	struct backend b[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
	struct pool p;

	CU_ASSERT_FATAL(pool_init(NULL, &p));
	CU_ASSERT_PTR_NULL(pool_by_weight(NULL, &p, 0.5));
	pool_add(NULL, &p, &b[0], 1);
	pool_add(NULL, &p, &b[1], 0);
	pool_add(NULL, &p, &b[2], 3);
	CU_ASSERT_PTR_EQUAL(pool_by_weight(NULL, &p, 0), &b[0]);
	CU_ASSERT_PTR_EQUAL(pool_by_weight(NULL, &p, 0.24), &b[0]);
	CU_ASSERT_PTR_EQUAL(pool_by_weight(NULL, &p, 0.25), &b[2]);
	CU_ASSERT_PTR_EQUAL(pool_by_weight(NULL, &p, 1), &b[2]);
	b[2].admin = BACKEND_SICK;
	CU_ASSERT_PTR_EQUAL(pool_by_weight(NULL, &p, 0.9), &b[0]);
	b[0].admin = BACKEND_SICK;
	/* healthy, but of no weight */
	CU_ASSERT_PTR_NULL(pool_by_weight(NULL, &p, 0.9));
	CU_ASSERT_FALSE(pool_is_healthy(NULL, &p, NULL));
	CU_ASSERT_EQUAL(pool_remove(NULL, &p, &b[2]), 2);
	CU_ASSERT_EQUAL(pool_remove(NULL, &p, &b[2]), -1);
	CU_ASSERT_EQUAL(pool_remove(NULL, &p, &b[0]), 0);
	CU_ASSERT_EQUAL(pool_members(&p)->n, 1);
	pool_destroy(&p);
}

/* --- averages ------------------------------------------------------------ */

static void
test_ewma(void)
{
	uint64_t s = 0;

	CU_ASSERT_EQUAL(ewma_value(s, 1000), 0);
	s = ewma_add(s, 1000, 0.1);
	CU_ASSERT_DOUBLE_EQUAL(ewma_value(s, 1000), 0.1, 1e-6);
	/* a peak at once, and its end slowly */
	s = ewma_add(s, 1000, 1);
	CU_ASSERT_DOUBLE_EQUAL(ewma_value(s, 1000), 1, 1e-6);
	s = ewma_add(s, 1010, 0.1);
	CU_ASSERT_DOUBLE_EQUAL(ewma_value(s, 1010), 0.43109, 1e-4);
	/* without samples it is forgotten */
	CU_ASSERT_DOUBLE_EQUAL(ewma_value(s, 1020), 0.43109 / 2.71828, 1e-4);
	CU_ASSERT_EQUAL(ewma_value(s, 2000), 0);
	/* a clock that is behind changes nothing */
	CU_ASSERT_DOUBLE_EQUAL(ewma_value(s, 1009), 0.43109, 1e-4);
	/* no time at all is a sample, too */
	CU_ASSERT(ewma_value(ewma_add(0, 5, 0), 5) > 0);
}

/* --- probes -------------------------------------------------------------- */

static void
test_history(void)
{
	const unsigned good = 1u << PROBE_IPV4 | 1u << PROBE_XMIT |
	    1u << PROBE_RECV | 1u << PROBE_HAPPY;
	char letters[PROBE_EVENT_MAX + 1];
	struct probe_history h;

	probe_history_init(&h, 4, 2, 1);
	CU_ASSERT_FALSE(h.healthy);
	CU_ASSERT(probe_history_add(&h, good, 0.5));
	CU_ASSERT(h.healthy);
	probe_history_letters(&h, letters);
	CU_ASSERT_STRING_EQUAL(letters, "4---X-RH");
	CU_ASSERT_FALSE(probe_history_add(&h, good, 1.5));
	CU_ASSERT_DOUBLE_EQUAL(h.average, 1, 1e-9);
	CU_ASSERT_EQUAL(h.good, 3);
	/* each bad one pushes a good one out */
	CU_ASSERT_FALSE(probe_history_add(&h, 0, 0));
	CU_ASSERT_FALSE(probe_history_add(&h, 0, 0));
	CU_ASSERT_EQUAL(h.good, 2);
	CU_ASSERT(probe_history_add(&h, 1u << PROBE_IPV4, 0));
	CU_ASSERT_FALSE(h.healthy);
	CU_ASSERT_DOUBLE_EQUAL(h.average, 1, 1e-9);
	probe_history_letters(&h, letters);
	CU_ASSERT_STRING_EQUAL(letters, "4-------");
	probe_history_init(&h, 64, 64, 64);
	CU_ASSERT(h.healthy);
	CU_ASSERT_EQUAL(h.good, 64);
	CU_ASSERT(probe_history_add(&h, 0, 0));
}

/* --- the line ------------------------------------------------------------ */

struct waiting {
	struct backend_slots *slots;
	nsec_t deadline;
	int result;          /* enum slot_result; -1: not yet */
};

static void
wait_for_slot(void *arg)
{
	struct waiting *w = arg;

	w->result = (int)slots_take(w->slots, w->deadline);
}

static void
test_slots(void)
{
	struct loop *loop = loop_new();
	struct backend_slots s;
	struct waiting w[5];

	loop_enter(loop);
	slots_init(&s, 1, 3);
	for (int i = 0; i < 5; i++) {
		w[i] = (struct waiting){&s, i == 2 ?
		    clock_mono() + NSEC_MS(20) : NSEC_NEVER, -1};
		fiber_start(wait_for_slot, &w[i], "test");
	}
	/* one has it, three wait, one is too many */
	CU_ASSERT_EQUAL(w[0].result, SLOT_TAKEN);
	CU_ASSERT_EQUAL(w[1].result, -1);
	CU_ASSERT_EQUAL(w[4].result, SLOT_NONE);
	while (w[2].result < 0)
		loop_turn(loop, clock_mono());
	CU_ASSERT_EQUAL(w[2].result, SLOT_NONE);
	CU_ASSERT_EQUAL(w[1].result, -1);
	/* in their order, without a gap for others */
	slots_give(&s);
	CU_ASSERT_EQUAL(s.used, 1);
	while (w[1].result < 0)
		loop_turn(loop, clock_mono());
	CU_ASSERT_EQUAL(w[3].result, -1);
	slots_give(&s);
	while (w[3].result < 0)
		loop_turn(loop, clock_mono());
	slots_give(&s);
	CU_ASSERT_EQUAL(s.used, 0);
	CU_ASSERT_EQUAL(s.queue_n, 0);
	slots_destroy(&s);
	loop_enter(NULL);
	loop_free(&loop);
}

void
suite_directors(void)
{
	CU_pSuite s = CU_add_suite("directors", NULL, NULL);

	CU_add_test(s, "the ring is Varnish's", test_ring);
	CU_add_test(s, "sick backends of a ring", test_ring_health);
	CU_add_test(s, "who stays when one comes", test_ring_is_stable);
	CU_add_test(s, "weights and blobs of any size", test_ring_limits);
	CU_add_test(s, "weights", test_weights);
	CU_add_test(s, "response time", test_ewma);
	CU_add_test(s, "history of a probe", test_history);
	CU_add_test(s, "waiting for a slot", test_slots);
}
