/*
 * test_uring.c - reads by io_uring.
 */
#include <CUnit/CUnit.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "uring.h"

static struct loop *loop;
static struct uring *ring;

struct reading {
	int fd;
	uint64_t at;
	ssize_t n;
	bool done;
	char buf[64];
};

static void
read_one(void *arg)
{
	struct reading *r = arg;

	r->n = uring_read(ring, r->fd, r->buf, sizeof r->buf, r->at);
	r->done = true;
}

/* false: it is not to be had here, which is no failure. */
static bool
begin(unsigned entries)
{
	loop = loop_new();
	loop_enter(loop);
	ring = uring_new(loop, entries);
	if (ring == NULL)
		loop_free(&loop);
	return ring != NULL;
}

static void
end(void)
{
	while (fiber_count() > 0)
		loop_turn(loop, NSEC_NEVER);
	loop_free(&loop);
	uring_free(&ring);
	CU_ASSERT_PTR_NULL(ring);
}

static void
wait_for(const struct reading *r)
{
	while (!r->done)
		loop_turn(loop, NSEC_NEVER);
}

/* A read that hangs delays neither the loop nor other reads. */
static void
test_slow(void)
{
	char name[] = "/tmp/copal-test-uring-XXXXXX";
	int pipe_fd[2], fd = mkstemp(name);
	struct reading slow = {.fd = -1}, file = {.at = 3};

	if (!begin(8))
		goto out;
	CU_ASSERT_EQUAL_FATAL(pipe(pipe_fd), 0);
	CU_ASSERT_EQUAL(write(fd, "0123456789", 10), 10);
	slow.fd = pipe_fd[0];
	file.fd = fd;
	CU_ASSERT_EQUAL(fiber_start(read_one, &slow, "slow"), 0);
	for (int i = 0; i < 100; i++) {
		file.done = false;
		CU_ASSERT_EQUAL(fiber_start(read_one, &file, "file"), 0);
		wait_for(&file);
		CU_ASSERT_EQUAL(file.n, 7);
		CU_ASSERT_EQUAL(memcmp(file.buf, "3456789", 7), 0);
	}
	CU_ASSERT_FALSE(slow.done);
	CU_ASSERT_EQUAL(write(pipe_fd[1], "late", 4), 4);
	wait_for(&slow);
	CU_ASSERT_EQUAL(slow.n, 4);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	end();
out:
	close(fd);
	unlink(name);
}

static void
test_full(void)
{
	struct reading slow[2] = {{.fd = -1}, {.fd = -1}}, more = {.fd = 0};
	int pipe_fd[2];

	if (!begin(2))
		return;
	CU_ASSERT_EQUAL_FATAL(pipe(pipe_fd), 0);
	for (int i = 0; i < 2; i++) {
		slow[i].fd = pipe_fd[0];
		fiber_start(read_one, &slow[i], "slow");
	}
	more.fd = pipe_fd[0];
	fiber_start(read_one, &more, "one more");
	wait_for(&more);
	CU_ASSERT_EQUAL(more.n, -EAGAIN);
	close(pipe_fd[1]); /* the end of the file for both */
	wait_for(&slow[0]);
	wait_for(&slow[1]);
	CU_ASSERT_EQUAL(slow[0].n, 0);
	CU_ASSERT_EQUAL(slow[1].n, 0);
	close(pipe_fd[0]);
	end();
}

static void
test_error(void)
{
	struct reading r = {.fd = -1};

	if (!begin(2))
		return;
	fiber_start(read_one, &r, "nothing");
	wait_for(&r);
	CU_ASSERT_EQUAL(r.n, -EBADF);
	end();
}

void
suite_uring(void)
{
	CU_pSuite s = CU_add_suite("uring", NULL, NULL);

	CU_add_test(s, "a slow read", test_slow);
	CU_add_test(s, "too many", test_full);
	CU_add_test(s, "no file", test_error);
}
