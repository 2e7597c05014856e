/*
 * program.c - loaded VCL programs: which one runs, who still uses which.
 *
 * How a reference is taken without anything that cores share:
 *
 *	core                            CLI thread
 *	p = active
 *	p->refs[core].taken++           active = q
 *	(compiler barrier)              membarrier()
 *	active == p ?  no: drop, again  sums taken and dropped of p
 *
 * After membarrier() either the sum sees the core's addition, or the core has
 * yet to look at active again, and will see q.  A core may add to a program
 * that was closed meanwhile (and take it back), so the memory of a struct
 * program is never freed, only used for the next program; its counters are
 * never reset.  "dropped" is summed before "taken": a reference that goes
 * from core to core is never missed.
 *
 * membarrier(2) puts the price of the ordering on the rare side.  Where it is
 * not allowed, the common side pays with a fence.
 */
#include <assert.h>
#include <dlfcn.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fetch.h"
#include "fiber.h"
#include "loop.h"
#include "program_impl.h"
#include "program_load.h"
#include "req_body.h"

static unsigned slot_n;            /* cores + 1 */
static struct program *_Atomic active;
static struct program *programs;   /* oldest first */
static struct program *spare;      /* closed ones */
static bool have_membarrier;

/* Which of refs[] is ours; 0: shared by the threads that are not cores. */
static __thread unsigned slot;
FIBER_SHARE_THREAD_LOCAL(slot);

int
program_init(unsigned cores)
{
	slot_n = cores + 1;
	have_membarrier = syscall(SYS_membarrier,
	    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
	return 0;
}

void
program_bind_core(unsigned core)
{
	assert(core + 1 < slot_n);
	slot = core + 1;
}

/* ---- references ---- */

static inline void
count(_Atomic uint64_t *c, memory_order order)
{
	if (slot != 0)
		atomic_store_explicit(c,
		    atomic_load_explicit(c, memory_order_relaxed) + 1, order);
	else
		atomic_fetch_add_explicit(c, 1, order);
}

static inline void
take(struct program *p)
{
	count(&p->refs[slot].taken, memory_order_relaxed);
}

static inline void
drop(struct program *p)
{
	count(&p->refs[slot].dropped, memory_order_release);
}

struct program *
program_ref_at(struct program *const _Atomic *at)
{
	for (;;) {
		struct program *p = atomic_load_explicit(at,
		    memory_order_acquire);

		if (p == NULL)
			return NULL;
		take(p);
		if (have_membarrier)
			atomic_signal_fence(memory_order_seq_cst);
		else
			atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load_explicit(at, memory_order_acquire) == p)
			return p;
		drop(p);
	}
}

struct program *
program_ref_active(void)
{
	return program_ref_at(&active);
}

struct program *
program_ref(struct program *p)
{
	take(p);
	return p;
}

void
program_unref(struct program **pp)
{
	struct program *p = *pp;

	*pp = NULL;
	if (p != NULL)
		drop(p);
}

static uint64_t
refs_of(const struct program *p)
{
	uint64_t taken = 0, dropped = 0;

	for (unsigned i = 0; i < slot_n; i++)
		dropped += atomic_load_explicit(&p->refs[i].dropped,
		    memory_order_acquire);
	for (unsigned i = 0; i < slot_n; i++)
		taken += atomic_load_explicit(&p->refs[i].taken,
		    memory_order_acquire);
	return taken - dropped;
}

static void
order_cores(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (have_membarrier)
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0,
		    0);
}

/* ---- loading and closing ---- */

static struct program *
program_new(void)
{
	struct program *p = spare;
	size_t counted = slot_n * sizeof p->refs[0];

	if (p != NULL) {
		spare = p->next;
		memset(p, 0, offsetof(struct program, refs));
		return p;
	}
	p = aligned_alloc(_Alignof(struct program),
	    (sizeof *p + counted + 63) / 64 * 64);
	if (p != NULL)
		memset(p, 0, sizeof *p + counted);
	return p;
}

static void
program_recycle(struct program *p)
{
	p->next = spare;
	spare = p;
}

struct program *
program_load(const char *name, const char *so_path, char *err, size_t err_len)
{
	struct program *p, **end;

	assert(slot_n != 0);
	if (program_find(name) != NULL || program_label_find(name) != NULL) {
		snprintf(err, err_len, "there is a VCL named %s already",
		    name);
		return NULL;
	}
	if (strlen(name) >= PROGRAM_NAME_MAX) {
		snprintf(err, err_len, "a name of a VCL has at most %d "
		    "characters", PROGRAM_NAME_MAX - 1);
		return NULL;
	}
	p = program_new();
	if (p == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	strcpy(p->name, name);
	p->name_str = str_from_z(p->name);
	if (program_open(p, so_path, err, err_len) != 0) {
		program_close(p);
		program_recycle(p);
		return NULL;
	}
	for (end = &programs; *end != NULL; end = &(*end)->next)
		continue;
	*end = p;
	return p;
}

struct program *
program_find(const char *name)
{
	for (struct program *p = programs; p != NULL; p = p->next)
		if (p->state != PROGRAM_DISCARDED && !strcmp(p->name, name))
			return p;
	return NULL;
}

bool
program_is_loaded(const struct vcl_program_info *info)
{
	for (struct program *p = programs; p != NULL; p = p->next)
		if (p->info == info)
			return true;
	return false;
}

void
program_use(struct program *p)
{
	struct program *old = atomic_load(&active);

	assert(p->state != PROGRAM_DISCARDED);
	if (old == p)
		return;
	assert(p->temp == PROGRAM_WARM);
	if (old != NULL)
		old->state = PROGRAM_AVAILABLE;
	p->state = PROGRAM_ACTIVE;
	atomic_store(&active, p);
}

bool
program_discard(struct program *p, char *err, size_t err_len)
{
	if (p->state == PROGRAM_ACTIVE) {
		snprintf(err, err_len, "VCL %s is the active one", p->name);
		return false;
	}
	if (program_has_label(p)) {
		snprintf(err, err_len, "VCL %s has a label", p->name);
		return false;
	}
	p->state = PROGRAM_DISCARDED;
	return true;
}

const struct program *
program_using(const struct program_label *l)
{
	for (const struct program *p = programs; p != NULL; p = p->next) {
		if (p->state == PROGRAM_DISCARDED)
			continue;
		for (unsigned i = 0; i < p->info->label_n; i++)
			if (*p->info->label[i].instance == l)
				return p;
	}
	return NULL;
}

/* Has the last of its requests left?  No new one finds it. */
static bool
is_unused(const struct program *p, bool *ordered)
{
	if (!*ordered)
		order_cores();
	*ordered = true;
	return refs_of(p) == 0;
}

unsigned
program_reap(void)
{
	struct program **at = &programs, *p;
	unsigned waiting = 0;
	bool ordered = false;

	while ((p = *at) != NULL) {
		if (p->temp == PROGRAM_BUSY && p->labels == 0 &&
		    is_unused(p, &ordered))
			program_cool(p);
		if (p->state != PROGRAM_DISCARDED) {
			at = &p->next;
			continue;
		}
		if (p->labels != 0 || !is_unused(p, &ordered)) {
			waiting++;
			at = &p->next;
			continue;
		}
		*at = p->next;
		program_close(p);
		program_recycle(p);
		/* this may have freed labels, and what they pointed at */
		at = &programs;
		waiting = 0;
	}
	return waiting;
}

void
program_shutdown(void)
{
	struct program *p;

	atomic_store(&active, NULL);
	/* a label goes with the last program that uses it */
	while ((p = programs) != NULL) {
		programs = p->next;
		program_close(p);
		program_recycle(p);
	}
	program_labels_free();
	while ((p = spare) != NULL) {
		spare = p->next;
		free(p);
	}
}

void
program_list(void (*fn)(void *priv, const struct program_info *), void *priv)
{
	for (const struct program *p = programs; p != NULL; p = p->next)
		fn(priv, &(struct program_info){p->name, p->state, refs_of(p),
		    p->temp});
}

bool
program_set_warm(struct program *p, bool warm, char *err, size_t err_len)
{
	if (warm)
		return program_warm(p, err, err_len) == 0;
	if (p->state == PROGRAM_ACTIVE || program_has_label(p)) {
		snprintf(err, err_len, "VCL %s is in use and can't be cold",
		    p->name);
		return false;
	}
	if (p->temp == PROGRAM_WARM)
		p->temp = PROGRAM_BUSY;
	program_reap();
	return true;
}

/* ---- running ---- */

static const struct str sub_name[VCL_SUB_MAX] = {
#define VCL_SUB(id, name, side, verdicts) [VCL_SUB_##id] = STR(#id),
#include "tbl/vcl_subs.h"
#undef VCL_SUB
};

static const struct str verdict_name[] = {
	[VCL_RET_NONE] = STR("none"),
#define VCL_VERDICT(id, word, arguments) [VCL_RET_##id] = STR(word),
#include "tbl/vcl_verdicts.h"
#undef VCL_VERDICT
};

/* Each try (restart, retry) begins here: what VCL said before is over. */
static void
begin_try(struct vcl_ctx *ctx)
{
	ctx->filters = STR_NULL;
	ctx->pass_ttl = -1;
	if (ctx->fetch != NULL && ctx->fetch->req != NULL)
		req_body_rewind(ctx->fetch->req->stream);
}

enum vcl_ret
program_call(struct vcl_ctx *ctx, enum vcl_sub_id sub)
{
	struct loop *loop = loop_self();
	enum vcl_ret ret;

	assert(sub < VCL_SUB_MAX);
	ctx->sub = sub;
	ctx->failed = false;
	ctx->ended = VCL_RET_NONE;
	ctx->where = NULL;
	ctx->now = loop != NULL ? loop_wall(loop) : clock_wall();
	if (ctx->log != NULL)
		log_put(ctx->log, LOG_VCL_CALL, sub_name[sub]);
	if (sub == VCL_SUB_RECV || sub == VCL_SUB_BACKEND_FETCH)
		begin_try(ctx);
	else if (sub == VCL_SUB_PIPE && ctx->req != NULL)
		req_body_rewind(ctx->req->stream);
	ret = ctx->program->info->sub[sub](ctx);
	if (ctx->ended != VCL_RET_NONE) {
		ret = (enum vcl_ret)ctx->ended;
		ctx->failed = false;
	}
	if (ctx->failed)
		ret = VCL_RET_FAIL;
	/* a body that is kept counts as one that was not sent yet */
	if (ret == VCL_RET_RETRY && ctx->fetch != NULL &&
	    ctx->fetch->req != NULL && ctx->fetch->req->buffered)
		ctx->fetch->body_sent = false;
	if (ctx->log != NULL)
		log_put(ctx->log, LOG_VCL_RETURN, verdict_name[ret]);
	return ret;
}

const char *
program_name(const struct program *p)
{
	return p->name;
}

struct backend *
program_default_backend(const struct program *p)
{
	return p->info->default_backend != NULL ? *p->info->default_backend
						: NULL;
}

const struct vcl_program_info *
program_info_of(const struct program *p)
{
	return p->info;
}
