/*
 * test_segment.c - segment files: made, filled, given up.
 */
#include <CUnit/CUnit.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segment.h"

enum { SIZE = 64 << 10 };

static char dir[64];
static struct segments t;

static void
begin(void)
{
	int fd;

	snprintf(dir, sizeof dir, "/tmp/copal-test-seg-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL_FATAL(segments_open(&t, fd, "seg", SIZE), 0);
	close(fd);
}

static void
end(void)
{
	char path[128];

	segments_close(&t);
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof path, "%s/seg/%04d", dir, i);
		(void)unlink(path);
	}
	snprintf(path, sizeof path, "%s/seg", dir);
	CU_ASSERT_EQUAL(rmdir(path), 0);
	(void)rmdir(dir);
}

static bool
exists(const char *name)
{
	return faccessat(t.dirfd, name, F_OK, 0) == 0;
}

static void
test_append(void)
{
	struct segment *s;
	uint64_t a, b;
	char buf[8];

	begin();
	s = segments_create(&t, SIZE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(segment_append(s, 1, "hello", 5, &a), 0);
	CU_ASSERT_EQUAL(segment_append(s, 2, "world", 5, &b), 0);
	CU_ASSERT_EQUAL(a, SEGMENT_HEADER_LEN);
	CU_ASSERT_EQUAL(b, SEGMENT_ALIGN + SEGMENT_HEADER_LEN);
	CU_ASSERT_EQUAL(segment_sync(s), 0);
	CU_ASSERT_EQUAL(pread(segment_fd(s), buf, 5, (off_t)b), 5);
	CU_ASSERT_EQUAL(memcmp(buf, "world", 5), 0);
	CU_ASSERT_TRUE(
	    segment_has_room(s, SIZE - 2 * SEGMENT_ALIGN - SEGMENT_HEADER_LEN));
	CU_ASSERT_FALSE(segment_has_room(
	    s, SIZE - 2 * SEGMENT_ALIGN - SEGMENT_HEADER_LEN + 1));
	end();
}

static void
test_retire(void)
{
	struct segment *s, *held, *again;
	uint64_t at;
	char buf[8];

	begin();
	s = segments_create(&t, SIZE);
	CU_ASSERT_EQUAL(segment_append(s, 1, "hello", 5, &at), 0);
	held = segments_get(&t, 1, s->gen);
	CU_ASSERT_PTR_EQUAL(held, s);
	segments_retire(&t, s);
	CU_ASSERT_TRUE(segment_is_dead(held));
	CU_ASSERT_FALSE(exists("0001"));
	CU_ASSERT_EQUAL(t.bytes, 0);
	/* The number is used again, the file and the generation are not. */
	again = segments_create(&t, SIZE);
	CU_ASSERT_EQUAL(again->no, 1);
	CU_ASSERT_NOT_EQUAL(again->gen, held->gen);
	CU_ASSERT_PTR_NULL(segments_get(&t, 1, held->gen));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_EQUAL(segment_append(again, 1, "other", 5, &at), 0);
	CU_ASSERT_EQUAL(pread(segment_fd(held), buf, 5, (off_t)at), 5);
	CU_ASSERT_EQUAL(memcmp(buf, "hello", 5), 0);
	segment_unref(&held);
	CU_ASSERT_PTR_NULL(held);
	end();
}

static void
test_adopt(void)
{
	struct segment *s;
	int fd;

	begin();
	for (int i = 0; i < 3; i++)
		CU_ASSERT_PTR_NOT_NULL(segments_create(&t, SIZE));
	segments_close(&t);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL_FATAL(segments_open(&t, fd, "seg", SIZE), 0);
	close(fd);
	CU_ASSERT_EQUAL(segments_adopt(&t, 2, 7, SIZE, 1024), 0);
	CU_ASSERT_EQUAL(segments_adopt(&t, 2, 8, SIZE, 1024), EINVAL);
	CU_ASSERT_EQUAL(segments_adopt(&t, 0, 8, SIZE, 0), EINVAL);
	CU_ASSERT_EQUAL(segments_adopt(&t, 3, 8, SIZE, SIZE + 512), EINVAL);
	CU_ASSERT_EQUAL(segments_adopt(&t, 3, 8, SIZE, 100), EINVAL);
	segments_sweep(&t);
	CU_ASSERT_FALSE(exists("0001"));
	CU_ASSERT_TRUE(exists("0002"));
	CU_ASSERT_FALSE(exists("0003"));
	s = segments_get(&t, 2, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	segment_unref(&s);
	s = segments_create(&t, SIZE);
	CU_ASSERT_EQUAL(s->gen, 8);
	CU_ASSERT_EQUAL(segments_oldest(&t, NULL, NULL)->no, 2);
	CU_ASSERT_PTR_EQUAL(segments_oldest(&t, t.tab[2], NULL), s);
	CU_ASSERT_PTR_NULL(segments_oldest(&t, t.tab[2], s));
	end();
}

void
suite_segment(void)
{
	CU_pSuite s = CU_add_suite("segment", NULL, NULL);

	CU_add_test(s, "append and read", test_append);
	CU_add_test(s, "a retired one lives while it is held", test_retire);
	CU_add_test(s, "adopted, and others swept", test_adopt);
}
