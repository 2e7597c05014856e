/*
 * test_object.c - heads of objects: copied, timed, written and read back.
 */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"

void suite_object(void);

static struct object *
make(void)
{
	static struct field field[4];
	struct http h = {.status = 200,
	    .version = 11,
	    .field = field,
	    .field_cap = 4,
	    .reason = STR("Fine")};
	char name[] = "X-Name", value[] = "value";
	struct field_name own = {str_from_z(name), FIELD_OTHER};
	struct object *o;

	http_add_known(&h, FIELD_ETAG, STR("\"e\""));
	http_add(&h, &own, str_from_z(value));
	http_add_known(&h, FIELD_CONTENT_LENGTH, STR("17"));
	o = object_new(&h, STR("vary"), STR("one two"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	memset(name, '?', sizeof name);
	memset(value, '?', sizeof value);
	return o;
}

static void
check(const struct object *o)
{
	struct field_name own = {STR("x-name"), FIELD_OTHER};

	CU_ASSERT_EQUAL(o->http.status, 200);
	CU_ASSERT(str_eq(o->http.reason, STR("Fine")));
	CU_ASSERT_EQUAL(o->http.field_n, 3);
	CU_ASSERT(str_eq(http_get(&o->http, FIELD_ETAG), STR("\"e\"")));
	CU_ASSERT(str_eq(http_get(&o->http, FIELD_CONTENT_LENGTH), STR("17")));
	CU_ASSERT(str_eq(http_get_name(&o->http, &own), STR("value")));
	CU_ASSERT(str_eq(o->vary, STR("vary")));
	CU_ASSERT(str_eq(o->tags, STR("one two")));
}

static void
test_bytes(void)
{
	struct object *o = make(), *back;
	size_t n = object_head_size(o), head = n - o->tags.len;
	char *p = malloc(n);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	check(o);
	object_head_write(o, p);
	back = object_from_bytes(str_of(p, n), o->vary);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	check(back);
	object_unref(&back);
	/* a head that lacks its end, or is none */
	for (size_t i = 0; i < head; i++)
		CU_ASSERT_PTR_NULL(object_from_bytes(str_of(p, i), STR_NULL));
	p[0] = 'X';
	CU_ASSERT_PTR_NULL(object_from_bytes(str_of(p, n), STR_NULL));
	free(p);
	object_unref(&o);
	CU_ASSERT_PTR_NULL(o);
}

static void
test_times(void)
{
	struct object *o = make();

	o->t_origin = 100;
	o->ttl = 10;
	o->grace = 5;
	o->keep = 2;
	CU_ASSERT_EQUAL(object_age(o, 90), 0); /* a clock that went back */
	CU_ASSERT_EQUAL(object_age(o, 104), 4);
	CU_ASSERT_EQUAL(object_ttl_left(o, 104), 6);
	CU_ASSERT_EQUAL(object_ttl_left(o, 112), -2);
	CU_ASSERT_FALSE(object_is_expired(o, 116));
	CU_ASSERT_TRUE(object_is_expired(o, 117));
	object_unref(&o);
}

static void
test_references(void)
{
	struct object *o = make(), *second = object_ref(o);

	object_unref(&o);
	CU_ASSERT_PTR_NULL(o);
	check(second);
	object_unref(&second);
	object_unref(&second); /* nothing: no harm */
}

void
suite_object(void)
{
	CU_pSuite s = CU_add_suite("object", NULL, NULL);

	CU_add_test(s, "bytes", test_bytes);
	CU_add_test(s, "times", test_times);
	CU_add_test(s, "references", test_references);
}
