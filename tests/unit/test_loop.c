/*
 * test_loop.c - the loop: timers, sources, mail, stopping.
 */
#include <CUnit/CUnit.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

void suite_loop(void);

static struct loop *loop;

static void
begin(void)
{
	loop = loop_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
	loop_enter(loop);
}

static void
end(void)
{
	loop_free(&loop);
}

enum { TIMERS = 1000 };

static struct timer timers[TIMERS];
static unsigned fired;
static nsec_t last_at;
static bool in_order;

static void
count_fired(struct timer *t)
{
	if (t->at < last_at || t->at > loop_now(loop))
		in_order = false;
	last_at = t->at;
	fired++;
}

static void
test_timers(void)
{
	nsec_t now;
	unsigned cancelled = 0;

	begin();
	fired = 0;
	last_at = 0;
	in_order = true;
	srandom(1);
	now = loop_now(loop);
	for (int i = 0; i < TIMERS; i++) {
		timers[i] = (struct timer){.fn = count_fired};
		timer_set(loop, &timers[i], now + random() % 5000000);
	}
	for (int i = 0; i < TIMERS; i += 3) /* moves, both ways */
		timer_set(loop, &timers[i], now + random() % 5000000);
	for (int i = 1; i < TIMERS; i += 7, cancelled++) {
		timer_cancel(loop, &timers[i]);
		timer_cancel(loop, &timers[i]); /* not set: nothing */
		CU_ASSERT_EQUAL(timers[i].heap_at, 0);
	}
	while (fired < TIMERS - cancelled)
		loop_turn(loop, NSEC_NEVER);
	CU_ASSERT(in_order);
	for (int i = 0; i < TIMERS; i++)
		CU_ASSERT_EQUAL(timers[i].heap_at, 0);
	end();
}

static void
set_again(struct timer *t)
{
	fired++;
	timer_set(loop, t, loop_now(loop));
}

static void
test_timer_again(void)
{
	struct timer t = {.fn = set_again};

	begin();
	fired = 0;
	timer_set(loop, &t, loop_now(loop));
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(fired, 1); /* once a turn */
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(fired, 2);
	timer_cancel(loop, &t);
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(fired, 2);
	end();
}

static void
test_deadline(void)
{
	nsec_t from;
	double wall;

	begin();
	from = clock_mono();
	loop_turn(loop, from + NSEC_MS(5));
	CU_ASSERT(clock_mono() >= from + NSEC_MS(5));
	CU_ASSERT(loop_now(loop) >= from + NSEC_MS(5));
	wall = loop_wall(loop);
	CU_ASSERT(wall > 1.6e9 && wall <= clock_wall());
	CU_ASSERT(loop_wall(loop) == wall); /* once a turn */
	end();
}

/* ------------------------------------------------------------- sources */

struct probe {
	struct source source; /* first */
	unsigned events;
	struct probe *kills; /* unwatches and frees this one */
	bool dead;
};

static void
on_event(struct source *s)
{
	struct probe *p = (struct probe *)s;

	CU_ASSERT(!p->dead);
	p->events++;
	if (p->kills != NULL && !p->kills->dead) {
		loop_unwatch(loop, &p->kills->source);
		close(p->kills->source.fd);
		p->kills->dead = true;
	}
}

static void
make_pair(struct probe p[2])
{
	int fd[2];

	CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fd) == 0);
	for (int i = 0; i < 2; i++)
		p[i] = (struct probe){
			.source = {.fd = fd[i], .on_event = on_event}};
}

static void
test_source(void)
{
	struct probe p[2];
	char c;

	begin();
	make_pair(p);
	CU_ASSERT_EQUAL(loop_watch(loop, &p[0].source, false), 0);
	CU_ASSERT_EQUAL(loop_watch(loop, &p[0].source, false), -1);
	CU_ASSERT_EQUAL(errno, EEXIST);
	loop_turn(loop, NSEC_NEVER);
	CU_ASSERT_EQUAL(p[0].source.ready, SOURCE_WRITE);
	CU_ASSERT(!source_can(&p[0].source, SOURCE_READ));
	CU_ASSERT_EQUAL(write(p[1].source.fd, "x", 1), 1);
	loop_turn(loop, NSEC_NEVER);
	CU_ASSERT_EQUAL(p[0].source.ready, SOURCE_WRITE | SOURCE_READ);
	CU_ASSERT_EQUAL(p[0].events, 2);
	/* edges: nothing new, no event */
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(p[0].events, 2);
	CU_ASSERT_EQUAL(read(p[0].source.fd, &c, 1), 1);
	p[0].source.ready &= (uint8_t)~SOURCE_READ;
	CU_ASSERT(!source_can(&p[0].source, SOURCE_READ));
	close(p[1].source.fd);
	loop_turn(loop, NSEC_NEVER);
	CU_ASSERT(p[0].source.ready & SOURCE_HUP);
	p[0].source.ready &= (uint8_t)~SOURCE_READ;
	CU_ASSERT(source_can(&p[0].source, SOURCE_READ)); /* the end */
	loop_unwatch(loop, &p[0].source);
	close(p[0].source.fd);
	end();
}

/* A source that an earlier event of the same batch did away with. */
static void
test_unwatch(void)
{
	struct probe a[2], b[2];

	begin();
	make_pair(a);
	make_pair(b);
	a[0].kills = &b[0];
	b[0].kills = &a[0];
	loop_watch(loop, &a[0].source, false);
	loop_watch(loop, &b[0].source, false);
	loop_turn(loop, NSEC_NEVER); /* both are writable */
	CU_ASSERT_EQUAL(a[0].events + b[0].events, 1);
	CU_ASSERT(a[0].dead != b[0].dead);
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(a[0].events + b[0].events, 1);
	for (int i = 0; i < 2; i++) {
		if (!a[i].dead)
			close(a[i].source.fd);
		if (!b[i].dead)
			close(b[i].source.fd);
	}
	end();
}

static void
read_one(void *arg)
{
	struct probe *p = arg;
	enum fiber_wake how;
	char c;

	how = source_wait(&p->source, SOURCE_READ, "x",
	    loop_now(loop) + NSEC_MS(2));
	CU_ASSERT_EQUAL(how, FIBER_TIMEOUT);
	CU_ASSERT_PTR_NULL(p->source.waiter);
	CU_ASSERT_EQUAL(source_wait(&p->source, SOURCE_WRITE, "x", 0),
	    FIBER_WOKEN); /* ready: no wait */
	p->dead = true; /* tells the writer */
	how = source_wait(&p->source, SOURCE_READ, "x", NSEC_NEVER);
	CU_ASSERT_EQUAL(how, FIBER_WOKEN);
	CU_ASSERT_EQUAL(read(p->source.fd, &c, 1), 1);
	p->source.ready &= (uint8_t)~SOURCE_READ;
	how = source_wait(&p->source, SOURCE_READ, "x", NSEC_NEVER);
	CU_ASSERT_EQUAL(how, FIBER_CANCELED);
}

static void
test_wait(void)
{
	struct probe p[2];

	begin();
	make_pair(p);
	p[0].source.on_event = NULL;
	loop_watch(loop, &p[0].source, false);
	fiber_start(read_one, &p[0], "reader");
	while (!p[0].dead)
		loop_turn(loop, NSEC_NEVER);
	CU_ASSERT_EQUAL(write(p[1].source.fd, "x", 1), 1);
	while (p[0].source.ready != SOURCE_WRITE || fiber_count() != 1)
		loop_turn(loop, NSEC_NEVER);
	loop_turn(loop, 0);
	end();
	close(p[0].source.fd);
	close(p[1].source.fd);
}

static void
test_exclusive(void)
{
	struct probe p[2];

	begin();
	make_pair(p);
	CU_ASSERT_EQUAL(write(p[1].source.fd, "x", 1), 1);
	CU_ASSERT_EQUAL(loop_watch(loop, &p[0].source, true), 0);
	for (unsigned i = 1; i <= 3; i++) { /* by level */
		loop_turn(loop, NSEC_NEVER);
		CU_ASSERT_EQUAL(p[0].events, i);
	}
	loop_unwatch(loop, &p[0].source);
	close(p[0].source.fd);
	close(p[1].source.fd);
	end();
}

/* ---------------------------------------------------------------- mail */

enum { SENDERS = 3, LETTERS = 3000 };

struct letter {
	struct mail mail; /* first */
	int sender, n;
};

static int got[SENDERS];
static int got_n;

static void
receive(struct mail *m)
{
	struct letter *l = (struct letter *)m;

	CU_ASSERT_EQUAL(got[l->sender], l->n); /* in order */
	got[l->sender]++;
	got_n++;
	free(l);
	if (got_n == SENDERS * LETTERS)
		loop_stop(loop);
}

static void *
send_letters(void *arg)
{
	int sender = (int)(intptr_t)arg;

	for (int i = 0; i < LETTERS; i++) {
		struct letter *l = malloc(sizeof *l);
		*l = (struct letter){.mail.fn = receive};
		l->sender = sender;
		l->n = i;
		loop_post(loop, &l->mail);
		if (i % 64 == 0)
			sched_yield(); /* lets the loop fall asleep */
	}
	return NULL;
}

static void
test_mail(void)
{
	pthread_t t[SENDERS];

	begin();
	memset(got, 0, sizeof got);
	got_n = 0;
	for (int i = 0; i < SENDERS; i++)
		pthread_create(&t[i], NULL, send_letters,
		    (void *)(intptr_t)i);
	loop_run(loop);
	CU_ASSERT_EQUAL(got_n, SENDERS * LETTERS);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(t[i], NULL);
	end();
}

/* One letter at a time, each to a loop that has nothing else to do. */
static struct loop *ping, *pong;
static atomic_int rounds;

static void
bounce(struct mail *m)
{
	struct loop *to = loop_self() == ping ? pong : ping;

	if (atomic_fetch_add(&rounds, 1) >= 2000) {
		loop_stop(ping);
		loop_stop(pong);
		return;
	}
	loop_post(to, m);
}

static void *
run_pong(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void
test_ping_pong(void)
{
	struct mail ball = {.fn = bounce};
	pthread_t t;

	ping = loop_new();
	pong = loop_new();
	rounds = 0;
	pthread_create(&t, NULL, run_pong, pong);
	loop_post(pong, &ball);
	loop_run(ping);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(rounds, 2001);
	loop_free(&ping);
	loop_free(&pong);
}

static void
count_hook(void *arg)
{
	++*(int *)arg;
}

static void
test_stop_and_hook(void)
{
	int n = 0;

	begin();
	loop_set_turn_hook(loop, count_hook, &n);
	loop_stop(loop);
	loop_run(loop); /* at once back, but for the hook before waiting */
	CU_ASSERT_EQUAL(n, 1);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	CU_ASSERT_EQUAL(n, 3);
	CU_ASSERT_PTR_EQUAL(loop_self(), loop);
	loop_enter(NULL);
	CU_ASSERT_PTR_NULL(loop_self());
	loop_turn(loop, 0);
	CU_ASSERT_PTR_NULL(loop_self());
	end();
}

void
suite_loop(void)
{
	CU_pSuite s = CU_add_suite("loop", NULL, NULL);

	CU_add_test(s, "timers", test_timers);
	CU_add_test(s, "timer that sets itself again", test_timer_again);
	CU_add_test(s, "deadline and clocks", test_deadline);
	CU_add_test(s, "source", test_source);
	CU_add_test(s, "unwatch in a batch", test_unwatch);
	CU_add_test(s, "wait for a source", test_wait);
	CU_add_test(s, "exclusive", test_exclusive);
	CU_add_test(s, "mail", test_mail);
	CU_add_test(s, "mail to a sleeper", test_ping_pong);
	CU_add_test(s, "stop and hook", test_stop_and_hook);
}
