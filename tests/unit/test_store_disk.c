/*
 * test_store_disk.c - a store on a disk that fails, is full, or can not be
 * read.
 */
#include <CUnit/CUnit.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "store_rig.h"

static struct rig rig;

static enum fault_op fault_at;
static int fault_error;

static int
fail(enum fault_op op)
{
	return op == fault_at ? fault_error : 0;
}

static void
recover(struct item *it)
{
	fault_hook = NULL;
	fault_retry_ms = 0;
	CU_ASSERT_NOT_EQUAL(item_put(&rig, it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, it), 1);
	CU_ASSERT_FALSE(rig_stats(&rig).read_only);
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.message, "work again"));
}

static void
test_failing_disk(void)
{
	static const struct {
		enum fault_op op;
		int error;
	} t[] = {
	    {FAULT_SEGMENT_CREATE, EIO},
	    {FAULT_SEGMENT_WRITE, ENOSPC},
	    {FAULT_SEGMENT_SYNC, EIO},
	    {FAULT_CATALOGUE_BEGIN, EIO},
	    {FAULT_CATALOGUE_COMMIT, ENOSPC},
	};
	struct item old = {.no = 1, .body_len = 800};
	struct item new = {.body_len = 3000000};

	rig_init(&rig);
	rig.cfg.size = 64 << 20; /* what is lost meanwhile takes room */
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &old), 0);
	for (unsigned i = 0; i < 5; i++) {
		new.no = 10 + i;
		fault_at = t[i].op;
		fault_error = t[i].error;
		fault_hook = fail;
		fault_retry_ms = 3600 * 1000; /* until recover() */
		CU_ASSERT_EQUAL(item_put(&rig, &new), 0);
		CU_ASSERT_TRUE(rig_stats(&rig).read_only);
		CU_ASSERT_PTR_NOT_NULL(
		    strstr(rig.message, strerror(fault_error)));
		CU_ASSERT_PTR_NULL(store_put_begin(rig.st, 10));
		/* Hits go on. */
		CU_ASSERT_EQUAL(item_get(&rig, &old), 1);
		CU_ASSERT_EQUAL(item_get(&rig, &new), 0);
		if (t[i].op == FAULT_CATALOGUE_COMMIT) {
			CU_ASSERT_PTR_NOT_NULL(rig_purge(&rig, 1, 1));
		}
		recover(&new);
	}
	CU_ASSERT_EQUAL(item_get(&rig, &old), 1);
	/* One message for the failure, one for its end */
	CU_ASSERT_EQUAL(rig.message_n, 10);
	rig_reopen(&rig);
	for (unsigned i = 0; i < 4; i++) {
		new.no = 10 + i;
		CU_ASSERT_EQUAL(item_get(&rig, &new), 1);
	}
	fault_retry_ms = 5000;
	rig_fini(&rig);
}

/* A purge of what is there works, though new bodies can't be synced. */
static void
test_purge_on_failing_disk(void)
{
	struct item it = {.no = 1, .body_len = 5000};
	struct item other = {.no = 2, .body_len = 5000};

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	fault_at = FAULT_SEGMENT_SYNC;
	fault_error = EIO;
	fault_hook = fail;
	CU_ASSERT_TRUE(item_put_async(&rig, &other));
	CU_ASSERT_PTR_NULL(rig_purge(&rig, 1, 1));
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &other), 0);
	fault_hook = NULL;
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	rig_fini(&rig);
}

static int
commit_fails(enum fault_op op)
{
	return op == FAULT_CATALOGUE_COMMIT ? EIO : 0;
}

/* It says so, and everything is as it was. */
static void
test_empty_fails(void)
{
	struct item it = {.no = 7, .body_len = 300000};
	uint64_t objects = 0;

	rig_begin(&rig);
	CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
	fault_hook = commit_fails;
	CU_ASSERT_EQUAL(store_empty(rig.st, &objects, rig.err), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.err, "Input/output"));
	fault_hook = NULL;
	CU_ASSERT_EQUAL(rig.gone_n, 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	rig_reopen(&rig);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
	CU_ASSERT_EQUAL(store_empty(rig.st, &objects, rig.err), 0);
	CU_ASSERT_EQUAL(item_get(&rig, &it), 0);
	rig_fini(&rig);
}

/* A disk smaller than the store was told: it keeps to what there is. */
static unsigned segments_left;

static int
small_disk(enum fault_op op)
{
	if (op != FAULT_SEGMENT_CREATE)
		return 0;
	if (segments_left == 0)
		return ENOSPC;
	segments_left--;
	return 0;
}

static void
test_small_disk(void)
{
	unsigned found = 0;

	rig_init(&rig);
	rig.cfg.size = 128 << 20;
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	segments_left = 3;
	fault_hook = small_disk;
	for (unsigned i = 0; i < 60; i++) {
		struct item it = {.no = i, .body_len = 900000};

		if (i > 0 && rig.message_n > 0)
			segments_left = 1; /* what was unlinked is free */
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		found += item_get(&rig, &it) == 1;
	}
	fault_hook = NULL;
	CU_ASSERT_EQUAL(found, 60);
	CU_ASSERT_TRUE(rig_stats(&rig).evicted > 0);
	CU_ASSERT_EQUAL(rig.message_n, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(rig.message, "disk is full"));
	rig_fini(&rig);
}

/* Nothing wrong is given out, and it works again when the disk does. */
static void
test_disk_cannot_be_read(void)
{
	static const enum fault_op op[] = {
	    FAULT_SEGMENT_OPEN, FAULT_SEGMENT_READ, FAULT_CATALOGUE_READ};

	for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
		struct item it = {.no = 1, .body_len = 300000};
		struct item small = {.no = 2, .body_len = 700};

		rig_begin(&rig);
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &it), 0);
		CU_ASSERT_NOT_EQUAL(item_put(&rig, &small), 0);
		/* The segment that is filled is open from the start. */
		for (unsigned no = 10; no < 22; no++) {
			struct item more = {.no = no, .body_len = 500000};

			CU_ASSERT_NOT_EQUAL(item_put(&rig, &more), 0);
		}
		rig_reopen(&rig);
		fault_at = op[i];
		fault_error = EIO;
		fault_hook = fail;
		for (unsigned n = 0; n < 3; n++) {
			CU_ASSERT_NOT_EQUAL(item_get(&rig, &it), 1);
			CU_ASSERT_EQUAL(item_get(&rig, &small) == 1,
			    op[i] != FAULT_CATALOGUE_READ);
		}
		fault_hook = NULL;
		CU_ASSERT_EQUAL(item_get(&rig, &it), 1);
		CU_ASSERT_EQUAL(item_get(&rig, &small), 1);
		rig_fini(&rig);
	}
}

/* One disk operation after the other fails, once. */
static _Atomic int faults_left;

static int
fail_one(enum fault_op op)
{
	(void)op;
	return --faults_left == 0 ? EIO : 0;
}

static void
put_get_purge(bool *purged)
{
	for (unsigned no = 1; no <= 14; no++) {
		struct item it = {.no = no,
		    .body_len = no % 3 == 0   ? 700
				: no % 3 == 1 ? 40000
					      : 8000000};

		(void)item_put(&rig, &it);
		(void)item_get(&rig, &it);
	}
	*purged = rig_purge(&rig, 1, 13) == NULL;
	rig_reopen(&rig);
}

static void
test_each_fault(void)
{
	/* each at first, then some: there are many writes */
	int step = getenv("COPAL_EACH_FAULT") != NULL ? 1 : 20;
	int n = 0, old = fault_retry_ms;

	fault_retry_ms = 1;
	do {
		bool purged = false;

		rig_begin(&rig);
		n += n < 20 ? 1 : step;
		faults_left = n;
		fault_hook = fail_one;
		put_get_purge(&purged);
		fault_hook = NULL;
		if (rig.st == NULL) /* it said why */
			rig_open(&rig);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rig.st);
		for (unsigned no = 1; no <= 14; no++) {
			struct item it = {.no = no,
			    .body_len = no % 3 == 0   ? 700
					: no % 3 == 1 ? 40000
						      : 8000000};
			int got = item_get(&rig, &it);

			/* Right, or not there */
			CU_ASSERT_TRUE(got == 0 || got == 1);
			if (no == 13 && purged)
				CU_ASSERT_EQUAL(got, 0);
		}
		/* And it works again. */
		CU_ASSERT_NOT_EQUAL(
		    item_put(&rig, &(struct item){.no = 99, .body_len = 5000}),
		    0);
		rig_fini(&rig);
	} while (faults_left <= 0);
	CU_ASSERT_TRUE(n > 30);
	fault_retry_ms = old;
}

static void
test_file_size_limit(void)
{
	int status;
	pid_t pid;

	rig_init(&rig);
	pid = fork();
	if (pid == 0) {
		struct rlimit l = {1 << 20, 1 << 20};
		struct item it = {.no = 1, .body_len = 500};
		struct item large = {.no = 2, .body_len = 50000};
		int bad = 0;

		setrlimit(RLIMIT_FSIZE, &l);
		bad |= !rig_open(&rig);
		bad |= bad || item_put(&rig, &it) == 0;
		bad |= bad || item_put(&rig, &large) != 0;
		bad |= bad || !rig_stats(&rig).read_only;
		bad |= bad || item_get(&rig, &it) != 1;
		store_close(&rig.st);
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rig_fini(&rig);
}

void
suite_store_disk(void)
{
	CU_pSuite s = CU_add_suite("store_disk", NULL, NULL);

	CU_add_test(s, "a failing disk", test_failing_disk);
	CU_add_test(s, "a purge on a failing disk", test_purge_on_failing_disk);
	CU_add_test(s, "emptied on a failing disk", test_empty_fails);
	CU_add_test(s, "a small disk", test_small_disk);
	CU_add_test(s, "a disk that cannot be read", test_disk_cannot_be_read);
	CU_add_test(s, "each operation fails once", test_each_fault);
	CU_add_test(s, "a limit on file size", test_file_size_limit);
}
