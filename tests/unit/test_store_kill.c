/*
 * test_store_kill.c - a store whose process is killed, again and again.
 */
#include <CUnit/CUnit.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_rig.h"

/* More numbers than a run gets to */
enum { PURGED_N = 1000000 };

static struct rig rig;

static void
end(void)
{
	rig_fini(&rig);
}

struct ack {
	uint32_t no;
	bool purge;
};

static int ack_fd;

struct churn_put {
	uint32_t no;
	char *body;
};

static void
churn_ack(void *priv, uint64_t seq)
{
	struct churn_put *p = priv;
	struct ack a = {p->no, false};

	if (seq != 0 && write(ack_fd, &a, sizeof a) != sizeof a)
		_exit(1);
	free(p->body);
	free(p);
}

static struct item
churned(uint32_t no)
{
	return (struct item){
	    .no = no, .body_len = 1 + no * 7919 % (no % 5 ? 3000 : 200000)};
}

/* Puts for ever, and purges each seventh again. */
static void
churn(uint32_t no)
{
	if (!rig_open(&rig))
		_exit(2);
	for (;; no++) {
		struct item it = churned(no);
		struct churn_put *p = malloc(sizeof *p);
		struct store_meta m = {
		    .t_origin = 1e9 + no, .ttl = 60, .status = 200};
		char key[17], head[17];
		struct store_put *put;
		struct str in = STR_NULL;

		*p = (struct churn_put){no, item_body(&it)};
		memset(key, 'k', 16);
		key[snprintf(key, 16, "/%u", no)] = ' ';
		memset(head, 'h', 16);
		head[snprintf(head, 16, "v0")] = ' ';
		m.key = str_of(key, 16);
		m.head = str_of(head, 16);
		item_hash(no, m.hash);
		while ((put = store_put_begin(rig.st, it.body_len)) == NULL)
			usleep(1000);
		if (it.body_len <= STORE_INLINE_MAX)
			in = str_of(p->body, it.body_len);
		else
			while (!store_put_piece(
			    put, p->body, (uint32_t)it.body_len, NULL, NULL))
				usleep(1000);
		store_put_commit(&put, &m, in, churn_ack, p);
		if (no % 7 == 0) {
			struct ack a = {no, true};

			if (rig_purge(&rig, no, no) == NULL &&
			    write(ack_fd, &a, sizeof a) != sizeof a)
				_exit(1);
		}
	}
}

/* Starts at no, killed after ms; what was acknowledged, malloc'd. */
static struct ack *
churn_and_kill(uint32_t no, unsigned ms, size_t *n)
{
	size_t room = 1 << 20, len = 0;
	char *buf = malloc(room);
	int fd[2], status;
	ssize_t r;
	pid_t pid;

	if (pipe(fd) != 0)
		abort();
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		ack_fd = fd[1];
		churn(no);
	}
	close(fd[1]);
	/* From its first answer on, so that it is at work. */
	r = read(fd[0], buf, 1);
	len += r > 0 ? (size_t)r : 0;
	for (unsigned i = 0; i < ms; i++) {
		usleep(1000);
		if (i + 1 == ms)
			kill(pid, SIGKILL);
	}
	while ((r = read(fd[0], buf + len, room - len)) > 0)
		len += (size_t)r;
	close(fd[0]);
	waitpid(pid, &status, 0);
	CU_ASSERT_TRUE(WIFSIGNALED(status));
	*n = len / sizeof(struct ack);
	return (struct ack *)buf;
}

/* Whatever is there is right, and none of it was purged. */
static void
check_all(const bool *purged, uint32_t from)
{
	unsigned wrong = 0, back = 0;
	struct store_object *o;
	uint64_t seq = 0;
	int rc;

	while ((rc = store_next(rig.st, &seq, &o)) == 1) {
		uint32_t no;
		struct item it;

		if (o == NULL) {
			wrong++;
			continue;
		}
		no = (uint32_t)strtoul(o->meta.key.p + 1, NULL, 10);
		it = churned(no);
		wrong += item_get(&rig, &it) != 1;
		back += no >= from && purged[no % PURGED_N];
		store_object_free(&o);
	}
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(back, 0);
}

/* And what was acknowledged last is there. */
static void
check_after_kill(const struct ack *ack, size_t n, uint32_t from)
{
	static bool purged[PURGED_N];
	unsigned lost = 0;

	memset(purged, 0, sizeof purged);
	CU_ASSERT_TRUE_FATAL(rig_open(&rig));
	CU_ASSERT_EQUAL(rig_set_aside_n(&rig), 0);
	for (size_t i = 0; i < n; i++)
		purged[ack[i].no % PURGED_N] |= ack[i].purge;
	check_all(purged, from);
	for (size_t i = n > 200 ? n - 200 : 0; i < n; i++) {
		struct item it = churned(ack[i].no);

		/* A purge may have been done, and not been told. */
		lost += ack[i].no % 7 != 0 && item_get(&rig, &it) != 1;
	}
	CU_ASSERT_EQUAL(lost, 0);
	store_close(&rig.st);
}

static void
test_kill(void)
{
	uint32_t no = 0;
	size_t total = 0;

	rig_init(&rig);
	for (unsigned round = 0; round < 20; round++) {
		size_t n;
		struct ack *ack = churn_and_kill(no, 20 + round * 13 % 70, &n);
		uint32_t from = no;

		total += n;
		for (size_t i = 0; i < n; i++)
			if (ack[i].no >= no)
				no = ack[i].no + 1;
		no += 20000; /* beyond what was queued */
		/* Now and then several times in a row */
		if (round % 6 < 2)
			check_after_kill(ack, n, from);
		free(ack);
	}
	CU_ASSERT_TRUE(total > 20); /* there was something to lose */
	end();
}

void
suite_store_kill(void)
{
	CU_pSuite s = CU_add_suite("store_kill", NULL, NULL);

	CU_add_test(s, "kill -9", test_kill);
}
