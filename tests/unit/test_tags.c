/*
 * test_tags.c - lists of tags, and the table of what was purged.
 */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "tag_marks.h"
#include "tags.h"

void suite_tags(void);

/* tags are joined with '|' */
static void
list_is(const char *text, const char *wanted)
{
	char got[100] = "";
	struct str list = str_from_z(text), tag;

	while (tags_next(&list, &tag))
		snprintf(got + strlen(got), sizeof got - strlen(got),
		    "%.*s|", STR_ARG(tag));
	CU_ASSERT_STRING_EQUAL(got, wanted);
}

static void
test_lists(void)
{
	struct str none = STR_NULL, tag;

	CU_ASSERT_FALSE(tags_next(&none, &tag));
	list_is("", "");
	list_is(" ,, \t", "");
	list_is("a", "a|");
	list_is(",a,b  c\t\n\v\f\rd;e/f", "a|b|c|d;e/f|");
}

static struct object *
make(const char *tags, uint64_t tested)
{
	struct http h = {.status = 200, .version = 11};
	struct object *o = object_new(&h, STR_NULL, str_from_z(tags));

	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	o->inval_seq = tested;
	tags_count_in(o);
	return o;
}

static void
drop(struct object *o)
{
	tags_count_out(o);
	object_unref(&o);
}

static unsigned
purge(const char *tag, uint64_t seq, bool soft)
{
	unsigned hit = 0;

	CU_ASSERT(tags_purge(tag_hash(str_from_z(tag)), seq, soft, &hit));
	return hit;
}

static void
test_hard(void)
{
	struct object *ab = make("a b", 10), *b = make("b", 10);
	struct object *late;

	CU_ASSERT_EQUAL(purge("a", 20, false), 1);
	CU_ASSERT(tags_hit(ab, 10, 0));
	CU_ASSERT_FALSE(tags_hit(b, 10, 0));
	CU_ASSERT_FALSE(tags_hit(ab, 20, 0));
	/* counted once; b is still in memory twice */
	CU_ASSERT_EQUAL(purge("a", 21, false), 0);
	CU_ASSERT_EQUAL(purge("b", 22, true), 2);
	/* its fetch began before the purge: never valid, never counted */
	late = make("a", 15);
	CU_ASSERT(tags_hit(late, 15, 0));
	CU_ASSERT_EQUAL(purge("a", 23, false), 0);
	drop(late);
	late = make("a", 23);
	CU_ASSERT_EQUAL(purge("a", 24, true), 1);
	drop(late);
	drop(ab);
	CU_ASSERT_EQUAL(purge("b", 25, true), 1);
	drop(b);
	CU_ASSERT_EQUAL(purge("b", 26, true), 0);
}

static void
test_soft(void)
{
	struct object *o = make("s", 1000);

	o->t_origin = 50;
	o->ttl = 100;
	o->grace = 30;
	CU_ASSERT_EQUAL(purge("s", 60 * 1000000, true), 1);
	CU_ASSERT_FALSE(tags_hit(o, 1000, 65));
	CU_ASSERT_EQUAL(o->ttl, 10); /* until the purge */
	CU_ASSERT_EQUAL(o->grace, 30);
	CU_ASSERT_EQUAL(purge("s", 70 * 1000000, true), 1);
	CU_ASSERT_FALSE(tags_hit(o, 60 * 1000000, 75));
	CU_ASSERT_EQUAL(o->ttl, 10); /* it was stale before */
	/* a clock that was set back */
	o->t_origin = 20;
	o->ttl = 100;
	CU_ASSERT_FALSE(tags_hit(o, 1000, 30));
	CU_ASSERT_EQUAL(o->ttl, 10);
	drop(o);
}

enum { MANY = 20000 };

static void
test_many(void)
{
	const uint64_t at = 100 * 1000000;
	char name[16];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "m%u", i);
		CU_ASSERT_EQUAL(purge(name, at + i, false), 0);
	}
	tags_forget(at + MANY / 2);
	for (unsigned i = 0; i < MANY; i += 1000) {
		struct object *o;

		snprintf(name, sizeof name, "m%u", i);
		o = make(name, at);
		CU_ASSERT_EQUAL(tags_hit(o, at, 0), i > MANY / 2);
		drop(o);
	}
	tags_forget(UINT64_MAX);
}

static void
test_marks(void)
{
	CU_ASSERT_EQUAL(tag_marks_newest(UINT64_MAX), 0);
	CU_ASSERT_EQUAL(tag_marks_surplus(0), 0);
	CU_ASSERT_FALSE(tag_marks_forget(UINT64_MAX));
	for (uint64_t i = 1; i <= MANY; i++)
		CU_ASSERT(tag_marks_add(3, 10 * i));
	CU_ASSERT_EQUAL(tag_marks_newest(9), 0);
	CU_ASSERT_EQUAL(tag_marks_newest(10), 10);
	CU_ASSERT_EQUAL(tag_marks_newest(5555), 5550);
	CU_ASSERT_EQUAL(tag_marks_newest(UINT64_MAX), 10 * MANY);
	CU_ASSERT_EQUAL(tag_marks_surplus(3 * MANY), 0);
	CU_ASSERT_EQUAL(tag_marks_surplus(300), 10 * 50);
	CU_ASSERT_FALSE(tag_marks_forget(9));
	CU_ASSERT(tag_marks_forget(10 * (MANY - 10) + 5));
	CU_ASSERT_EQUAL(tag_marks_newest(10 * (MANY - 10) + 9), 0);
	CU_ASSERT_EQUAL(tag_marks_newest(10 * MANY - 1), 10 * (MANY - 1));
	CU_ASSERT_EQUAL(tag_marks_surplus(30), 0);
	CU_ASSERT_EQUAL(tag_marks_surplus(29), 10 * (MANY - 5));
	/* the room of those that were forgotten is used again */
	for (uint64_t i = MANY + 1; i <= 3 * MANY; i++) {
		CU_ASSERT(tag_marks_add(1, 10 * i));
		CU_ASSERT(tag_marks_forget(10 * (i - 5)));
		CU_ASSERT_EQUAL(tag_marks_newest(10 * (i - 5)), 0);
		CU_ASSERT_EQUAL(tag_marks_newest(10 * i), 10 * i);
		if (i > MANY + 5)
			CU_ASSERT_EQUAL(tag_marks_surplus(5), 0);
	}
	tag_marks_free();
	CU_ASSERT_EQUAL(tag_marks_newest(UINT64_MAX), 0);
}

void
suite_tags(void)
{
	CU_pSuite s = CU_add_suite("tags", NULL, NULL);

	CU_add_test(s, "lists", test_lists);
	CU_add_test(s, "hard purges", test_hard);
	CU_add_test(s, "soft purges", test_soft);
	CU_add_test(s, "many", test_many);
	CU_add_test(s, "marks", test_marks);
}
