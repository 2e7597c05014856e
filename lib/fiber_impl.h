/*
 * fiber_impl.h - what fiber.c, its backends and the loop share.
 *
 * Not for anybody else: fiber.h is the interface.
 *
 * fiber.c owns states and lists; a backend owns stacks and switches.  To
 * enter a fiber is a call that comes back when the fiber leaves:
 *
 *	loop or fiber           fiber
 *	fiber_ctx_enter(f) ---> runs
 *	goes on           <---  fiber_ctx_leave(f), in fiber_park()
 *	fiber_ctx_enter(f) ---> goes on after the leave
 *
 * so a fiber needs two contexts, its own and that of whoever entered it last,
 * and neither the loop nor a nested starter needs a context of its own.
 */
#ifndef COPAL_FIBER_IMPL_H
#define COPAL_FIBER_IMPL_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#if !defined(FIBERS_ASM) && !defined(FIBERS_UCONTEXT) && \
    !defined(FIBERS_THREADS)
#if defined(__x86_64__) || defined(__aarch64__)
#define FIBERS_ASM 1
#else
#define FIBERS_UCONTEXT 1
#endif
#endif

#include <stdatomic.h>
#include <stdint.h>

#include "fiber.h"
#include "loop.h"

#ifdef FIBERS_UCONTEXT
#include <ucontext.h>
#endif
#ifdef FIBERS_THREADS
#include <pthread.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif

/* A ring: an empty one points to itself. */
struct ring {
	struct ring *next, *prev;
};

static inline void
ring_init(struct ring *r)
{
	r->next = r->prev = r;
}

static inline void
ring_insert(struct ring *head, struct ring *r)
{
	r->next = head->next;
	r->prev = head;
	head->next->prev = r;
	head->next = r;
}

static inline void
ring_remove(struct ring *r)
{
	r->next->prev = r->prev;
	r->prev->next = r->next;
}

#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Where a stack stands that is not running; fiber_asm.c knows the offsets. */
#ifdef FIBERS_ASM
struct fiber_ctx {
	void *pc;
	void *sp;
	void *fp;
};
#endif
#ifdef FIBERS_UCONTEXT
struct fiber_ctx {
	ucontext_t uc;
};
#endif

/* One piece of a slab: usable memory; the guard page is below lo. */
struct fiber_stack {
	char *lo;
	size_t size;
};

/* fiber.c, for the thread backend: FIBER_SHARE_THREAD_LOCAL's list */
enum { FIBER_SHARED_MAX = 16, FIBER_SHARED_SIZE = 16 };
struct fiber_shared {
	void *(*address)(void);
	size_t size;
};
extern struct fiber_shared fiber_shared[FIBER_SHARED_MAX];
extern unsigned fiber_shared_n;

enum fiber_state {
	FIBER_POOLED,  /* has returned or never run; its stack is kept */
	FIBER_RUNNING, /* now, or it started the fiber that runs */
	FIBER_PARKED,
	FIBER_READY,   /* will run in this turn or the next */
	FIBER_YIELDED, /* will run in the next turn */
};

/*
 * In an array that lives as long as the loop; the stack is elsewhere, so
 * that a pooled stack can give back all of its memory.
 */
struct fiber {
#ifndef FIBERS_THREADS
	struct fiber_ctx ctx;  /* while it does not run */
	struct fiber_ctx back; /* who entered it, while it runs */
	struct fiber_stack stack;
#else
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	enum { TURN_ENTERER, TURN_FIBER, TURN_EXIT } turn;
	/* shared thread-local values, on their way to the other side */
	char shared[FIBER_SHARED_MAX][FIBER_SHARED_SIZE];
#endif
	struct fibers *fibers;
	fiber_fn *fn;
	void *arg;
	enum fiber_state state;
	enum fiber_wake reason; /* of the wake that made it ready */
	bool wake_pending;      /* woken while not parked */
	bool cancelable;        /* the park that it is in */
	struct fiber *enterer;  /* NULL: the loop */
	struct fiber *ready_next;
	struct ring ring; /* in fibers.live, pooled or cold */
	/*
	 * The timer is not cancelled by a wake: it stays set, and when it
	 * fires too early for the park of the moment it is set again.  Most
	 * waits end before their deadline, so most cost no heap operation.
	 */
	struct timer timer;
	nsec_t deadline; /* of the park; NSEC_NEVER when not parked */
	/* for gdb */
	const char *name;
	const char *what;
	nsec_t since;
	/* a wake from another thread */
	struct mail wake_mail;
	atomic_bool wake_mailed;
#ifdef FIBER_ASAN
	void *fake, *back_fake;
	const void *back_lo;
	size_t back_size;
#endif
#ifdef FIBER_TSAN
	void *tsan, *tsan_back;
#endif
};

enum { FIBER_CHUNK = 64 };

struct fiber_chunk {
	struct fiber_chunk *next;
	unsigned used;
	struct fiber f[FIBER_CHUNK];
};

struct fiber_slab;

struct fiber_queue {
	struct fiber *head, **tail;
};

/* The fibers of one loop. */
struct fibers {
	struct fiber *current; /* NULL: the loop runs */
	nsec_t now;            /* the time of this turn */
	struct ring pooled;    /* last returned first */
	struct ring cold;      /* pooled, without memory behind the stack */
	struct ring live;
	unsigned live_n;
	unsigned limit;
	unsigned pooled_n;
	unsigned pooled_min; /* the least pooled_n since the last trim */
	bool canceling;
	struct fiber_queue ready;
	struct fiber_queue yielded;
	struct loop *loop;
	struct timer trim;
	struct fiber_chunk *chunks;
	struct fiber_slab *slabs;
};

/* The calling thread's; loop.c sets it. */
extern __thread struct fibers *fibers_mine;

/* fiber.c, for the loop */
void fibers_init(struct fibers *, struct loop *);
/* Every fiber must have returned. */
void fibers_fini(struct fibers *);
void fibers_run(struct fibers *);
void fibers_cancel(struct fibers *);

static inline bool
fibers_are_ready(const struct fibers *fs)
{
	return fs->ready.head != NULL || fs->yielded.head != NULL;
}

/*
 * Like fiber_park() without a deadline, and a cancel does not end it: for who
 * has lent a piece of its stack to another thread.
 */
void fiber_park_uncancelable(const char *what) WAITS;

/* fiber.c, for a backend: f's function has returned. */
void fiber_ended(struct fiber *f);

/* The backend */
/* Makes f ready to be entered; -1: no memory, map or thread. */
int fiber_ctx_new(struct fiber *f);
/* f is pooled. */
void fiber_ctx_free(struct fiber *f);
/* f is pooled: gives its stack's memory back, but not the addresses. */
void fiber_ctx_trim(struct fiber *f);
void fiber_ctx_enter(struct fiber *f);
void fiber_ctx_leave(struct fiber *f);

/* fiber_stack.c, for the backends with stacks */
int fiber_stack_new(struct fibers *, struct fiber_stack *);
void fiber_stack_trim(struct fiber_stack *);
void fiber_stack_free_all(struct fibers *);

#endif
