/*
 * test_counters.c - counters, their text for Prometheus, the work directory.
 */
#include <CUnit/CUnit.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "metrics_text.h"
#include "workdir.h"

static char dir[64];

static int
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/copal-test-cnt-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
teardown(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/log/counters", dir);
	(void)unlink(path);
	snprintf(path, sizeof path, "%s/log/backends", dir);
	(void)unlink(path);
	snprintf(path, sizeof path, "%s/log", dir);
	(void)rmdir(path);
	return rmdir(dir);
}

static void
test_sum(void)
{
	struct counters_map *w, *r;

	COUNT_INC(client_req); /* there is none to count in */
	errno = 0;
	CU_ASSERT_PTR_NULL(counters_open(dir));
	CU_ASSERT_EQUAL(errno, ENOENT);
	w = counters_create(dir, 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	r = counters_open(dir);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_EQUAL(counters_sum(r, CNT_client_req), 0);
	counters_bind(w, 1);
	COUNT_INC(client_req);
	COUNT_ADD(n_object, 5);
	counters_bind(w, 2);
	COUNT_ADD(client_req, 10);
	COUNT_ADD(n_object, -7);
	COUNT_SET(uptime, 3);
	COUNT_ADD_SHARED(client_req, 100);
	CU_ASSERT_EQUAL(counters_sum(r, CNT_client_req), 111);
	CU_ASSERT_EQUAL(counters_sum(r, CNT_n_object), -2);
	CU_ASSERT_EQUAL(counters_sum(r, CNT_uptime), 3);
	counters_bind(w, 3); /* there is none: as a thread that is no core */
	COUNT_INC(client_req);
	CU_ASSERT_EQUAL(counters_sum(r, CNT_client_req), 112);

	/* Taken over as it is, until another number of blocks is wanted. */
	counters_bind(w, 1);
	counters_close(&w);
	COUNT_INC(client_req);
	w = counters_create(dir, 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_EQUAL(counters_sum(w, CNT_client_req), 112);
	counters_clear(w);
	CU_ASSERT_EQUAL(counters_sum(r, CNT_client_req), 0);
	CU_ASSERT_FALSE(counters_is_stale(r));
	counters_close(&w);
	w = counters_create(dir, 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_TRUE(counters_is_stale(r));
	counters_close(&r);
	CU_ASSERT_PTR_NULL(r);
	counters_close(&w);
	CU_ASSERT_PTR_NULL(counters_create(dir, 0));
}

/* Written, read, and as Prometheus has them. */
static void
test_backends(void)
{
	struct backend_stats s = {0}, got;
	char name[32], *text;
	size_t room, n;

	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "boot.b%u", i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(backend_stats_add(&s, name));
		s.at[i].v[BACKEND_CNT_req] = INT64_MAX - i;
		s.at[i].v[BACKEND_CNT_busy] = i;
	}
	CU_ASSERT(backend_stats_write(&s, dir));
	CU_ASSERT(backend_stats_read(&got, dir));
	CU_ASSERT(backend_stats_eq(&s, &got));
	room = metrics_text_room(got.n);
	text = malloc(room);
	n = metrics_text_backends(&got, text, room);
	CU_ASSERT(n < room && n == strlen(text));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "# TYPE copal_backend_req_total counter\n"
	    "copal_backend_req_total{backend=\"boot.b0\"} "
	    "9223372036854775807\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "copal_backend_busy_total{backend=\"boot.b99\"} 99\n"));
	free(text);
	backend_stats_free(&got);
	s.n = 0;
	CU_ASSERT(backend_stats_write(&s, dir));
	CU_ASSERT(backend_stats_read(&got, dir));
	CU_ASSERT_EQUAL(got.n, 0);
	CU_ASSERT(!backend_stats_read(&got, "/nowhere"));
	backend_stats_free(&got);
	backend_stats_free(&s);
}

static void
test_metrics(void)
{
	struct counters_map *w = counters_create(dir, 2);
	size_t room = metrics_text_room(0), n;
	char *text = malloc(room);
	char small[64];

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	counters_clear(w);
	counters_bind(w, 1);
	COUNT_ADD(cache_hit, INT64_MAX);
	n = metrics_text_write(w, text, room);
	CU_ASSERT_TRUE(n < room);
	CU_ASSERT_EQUAL(n, strlen(text));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "# HELP copal_cache_hit_total Requests answered from the cache\n"
	    "# TYPE copal_cache_hit_total counter\n"
	    "copal_cache_hit_total 9223372036854775807\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "# TYPE copal_uptime gauge\n"
					    "copal_uptime 0\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "copal_up 1\n"));
	CU_ASSERT_EQUAL(metrics_text_write(w, small, sizeof small), n);
	CU_ASSERT_EQUAL(strlen(small), sizeof small - 1);
	metrics_text_write(NULL, text, room);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "copal_up 0\n"));
	free(text);
	counters_close(&w);
}

static void
test_workdir(void)
{
	char path[64];

	CU_ASSERT_EQUAL(workdir_path("/x/y", path, sizeof path), 0);
	CU_ASSERT_STRING_EQUAL(path, "/x/y");
	CU_ASSERT_EQUAL(workdir_path("../y", path, sizeof path), -1);
	CU_ASSERT_EQUAL(workdir_path("a/..", path, sizeof path), -1);
	CU_ASSERT_EQUAL(workdir_path("/much/too/long", path, 5), -1);
	CU_ASSERT_EQUAL(errno, ENAMETOOLONG);
}

void suite_counters(void);

void
suite_counters(void)
{
	CU_pSuite s = CU_add_suite("counters", setup, teardown);

	CU_add_test(s, "sum", test_sum);
	CU_add_test(s, "metrics", test_metrics);
	CU_add_test(s, "of backends", test_backends);
	CU_add_test(s, "workdir", test_workdir);
}
