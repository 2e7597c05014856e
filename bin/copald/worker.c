/*
 * worker.c - the worker process: its stores, its cores, and its first
 * thread, which does what the manager says.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "ban.h"
#include "core.h"
#include "encodings.h"
#include "counters.h"
#include "memory.h"
#include "panic.h"
#include "probe.h"
#include "forwarded.h"
#include "params.h"
#include "ctx.h"
#include "program.h"
#include "stevedore.h"
#include "stream.h"
#include "request.h"
#include "resolver.h"
#include "worker_cli.h"

static const struct worker_config *cfg;
static char store_error[512];
static volatile sig_atomic_t terminated;
static double started_at;

/* --- a core's own second ------------------------------------------------- */

struct core_gauges {
	struct timer timer;
	struct core *core;
};

static void
core_second(struct timer *t)
{
	struct core_gauges *g = (struct core_gauges *)t;

	counters_mine->v[CNT_n_fiber] = fiber_count();
	timer_set(g->core->loop, t, loop_now(g->core->loop) + NSEC_S(1));
}

static void
core_started(struct core *c)
{
	static struct core_gauges *gauges;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	panic_thread();
	program_bind_core(c->index);
	pthread_mutex_lock(&lock);
	if (gauges == NULL)
		gauges = calloc(core_count(), sizeof *gauges);
	pthread_mutex_unlock(&lock);
	if (gauges == NULL)
		return;
	gauges[c->index].timer.fn = core_second;
	gauges[c->index].core = c;
	core_second(&gauges[c->index].timer);
}

/* In a dying thread: numbers only. */
static void
describe(char *buf, size_t len)
{
	const struct core *c = core_self();

	store_note_crash();
	if (c == NULL)
		return;
	snprintf(buf, len,
	    "core = %u, connections = %u, fibers = %u, on a %s\n", c->index,
	    c->conn_n, fiber_count(),
	    fiber_self() != NULL ? "fiber" : "loop's stack");
}

/* --- the first thread ---------------------------------------------------- */

static void
store_gauges(void)
{
	struct store_stats sum = {0}, st;

	for (unsigned i = 0; i < stevedore_count(); i++) {
		if (stevedore_at(i)->store == NULL)
			continue;
		store_stats(stevedore_at(i)->store, &st);
		sum.puts += st.puts;
		sum.put_bytes += st.put_bytes;
		sum.dropped += st.dropped;
		sum.evicted += st.evicted;
		sum.rescued += st.rescued;
		sum.held_bytes += st.held_bytes;
		sum.corrupt += st.corrupt;
		sum.commits += st.commits;
		sum.packed += st.packed;
		sum.packed_in += st.packed_in;
		sum.packed_out += st.packed_out;
		sum.dicts += st.dicts;
	}
	counters_shared->v[CNT_store_puts] = (int64_t)sum.puts;
	counters_shared->v[CNT_store_put_bytes] = (int64_t)sum.put_bytes;
	counters_shared->v[CNT_store_dropped] = (int64_t)sum.dropped;
	counters_shared->v[CNT_store_evicted] = (int64_t)sum.evicted;
	counters_shared->v[CNT_store_rescued] = (int64_t)sum.rescued;
	counters_shared->v[CNT_store_held_bytes] = (int64_t)sum.held_bytes;
	counters_shared->v[CNT_store_corrupt] = (int64_t)sum.corrupt;
	counters_shared->v[CNT_store_commits] = (int64_t)sum.commits;
	counters_shared->v[CNT_store_packed] = (int64_t)sum.packed;
	counters_shared->v[CNT_store_packed_in] = (int64_t)sum.packed_in;
	counters_shared->v[CNT_store_packed_out] = (int64_t)sum.packed_out;
	counters_shared->v[CNT_store_dicts] = (int64_t)sum.dicts;
}

static void
count_program(void *priv, const struct program_info *i)
{
	(void)i;
	++*(int64_t *)priv;
}

static void
second(void)
{
	int64_t programs = 0;

	program_reap();
	program_list(count_program, &programs);
	counters_shared->v[CNT_n_vcl] = programs;
	counters_shared->v[CNT_uptime] = (int64_t)(clock_wall() - started_at);
	counters_shared->v[CNT_memory_used] = (int64_t)memory_used();
	store_gauges();
	backends_write_stats(cfg->workdir);
}

static void
on_sigterm(int sig)
{
	(void)sig;
	terminated = 1;
}

static void __attribute__((noreturn))
stop(struct cli_answer *out)
{
	/* it wakes fibers, and its answers go to a core's log */
	resolver_stop();
	cores_stop(NSEC_S(params->shutdown_timeout));
	encodings_stop();
	program_shutdown();
	bans_free();
	stevedores_close();
	if (out != NULL)
		cli_send_answer(cfg->cli_fd, out, 1000);
	exit(0);
}

/*
 * Clients may be in line already, and before its first probe a backend is sick
 * for no reason.  But who would be a hit waits, too: an origin that is slow, or
 * gone without a word, must not make a warm start a cold one.
 */
static void
await_probes(void)
{
	nsec_t end = clock_mono() + NSEC_MS(200);

	while (!probes_have_answers() && clock_mono() < end && !terminated)
		usleep(1000);
}

/* Stores were opened before; what went wrong is said where it is asked for. */
static void
start(struct cli_answer *out)
{
	if (store_error[0] != '\0') {
		cli_fail(out, CLI_CANT, "%s", store_error);
		return;
	}
	await_probes();
	cores_accept(cfg->listener, cfg->listener_n);
}

static void
answer(const struct cli_words *w)
{
	struct cli_answer out;

	cli_answer_init(&out);
	switch (worker_command(w, &out)) {
	case WORKER_GOES_ON:
		break;
	case WORKER_STARTS:
		start(&out);
		break;
	case WORKER_STOPS:
		stop(&out);
	}
	if (cli_send_answer(cfg->cli_fd, &out, -1) != 0)
		stop(NULL);
	cli_answer_free(&out);
}

static void __attribute__((noreturn))
serve_manager(void)
{
	struct cli_input in;

	cli_input_init(&in, CLI_COMMAND_MAX);
	for (;;) {
		struct pollfd p = {.fd = cfg->cli_fd, .events = POLLIN};
		struct cli_words w;
		char buf[65536];
		ssize_t n;
		int r = poll(&p, 1, 1000);

		if (terminated)
			stop(NULL);
		second();
		if (r <= 0)
			continue;
		n = read(cfg->cli_fd, buf, sizeof buf);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0 || !cli_input_add(&in, buf, (size_t)n))
			stop(NULL);
		while (cli_input_next(&in, &w)) {
			answer(&w);
			cli_words_free(&w);
		}
	}
}

static void
open_stores(void)
{
	if (stevedores_open(cfg, store_error, sizeof store_error) == 0)
		bans_load(store_error, sizeof store_error);
}

void
worker_main(const struct worker_config *config)
{
	struct sigaction sa = {.sa_handler = on_sigterm};

	cfg = config;
	started_at = clock_wall();
	panic_install(cfg->panic);
	panic_set_describe(describe);
	sigaction(SIGTERM, &sa, NULL);
	counters_clear(cfg->counters);
	if (program_init(cfg->cores) != 0) {
		fprintf(stderr, "copald: no memory for programs\n");
		exit(1);
	}
	vcl_set_identity(cfg->identity);
	forwarded_init();
	if (cores_start(cfg->cores, cfg->workdir, cfg->counters, request_serve,
	    core_started, backends_close_idle) != 0) {
		fprintf(stderr, "copald: cores: %s\n", strerror(errno));
		exit(1);
	}
	if (encodings_start(cfg->cores) != 0) {
		fprintf(stderr, "copald: threads: %s\n", strerror(errno));
		exit(1);
	}
	open_stores();
	serve_manager();
}
