/*
 * backend_slots.c - how many requests an origin works on, and who waits.
 */
#include "backend_slots.h"

struct slot_waiter { /* on its fiber's stack */
	struct slot_waiter *next;
	struct fiber *fiber;
	bool granted, refused; /* off the line */
};

void
slots_init(struct backend_slots *s, unsigned limit, unsigned queue_limit)
{
	*s = (struct backend_slots){.limit = limit,
	    .queue_limit = queue_limit, .lock = PTHREAD_MUTEX_INITIALIZER};
	s->end = &s->first;
}

void
slots_destroy(struct backend_slots *s)
{
	pthread_mutex_destroy(&s->lock);
}

static void
remove_waiter(struct backend_slots *s, struct slot_waiter *w)
{
	struct slot_waiter **at = &s->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (s->end == &w->next)
		s->end = at;
	s->queue_n--;
}

static enum slot_result
wait_in_line(struct backend_slots *s, struct slot_waiter *w, nsec_t deadline)
{
	enum fiber_wake wake = FIBER_WOKEN;
	bool granted, refused;

	for (;;) {
		pthread_mutex_lock(&s->lock);
		granted = w->granted;
		refused = w->refused;
		if (!granted && !refused && wake != FIBER_WOKEN)
			remove_waiter(s, w);
		pthread_mutex_unlock(&s->lock);
		if (granted)
			return SLOT_TAKEN;
		if (refused)
			return SLOT_REFUSED;
		if (wake != FIBER_WOKEN)
			return wake == FIBER_TIMEOUT ? SLOT_NONE :
			    SLOT_CANCELED;
		wake = fiber_park("a backend's connection", deadline);
	}
}

enum slot_result
slots_take(struct backend_slots *s, nsec_t deadline)
{
	struct slot_waiter w = {.fiber = fiber_self()};
	enum slot_result r = SLOT_NONE;

	if (s->limit == 0) {
		atomic_fetch_add_explicit(&s->used, 1, memory_order_relaxed);
		return SLOT_TAKEN;
	}
	pthread_mutex_lock(&s->lock);
	if (s->used < s->limit) {
		s->used++;
		r = SLOT_TAKEN;
	} else if (s->queue_n < s->queue_limit) {
		*s->end = &w;
		s->end = &w.next;
		s->queue_n++;
		pthread_mutex_unlock(&s->lock);
		return wait_in_line(s, &w, deadline);
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

void
slots_give(struct backend_slots *s)
{
	struct slot_waiter *w;

	if (s->limit == 0) {
		atomic_fetch_sub_explicit(&s->used, 1, memory_order_relaxed);
		return;
	}
	pthread_mutex_lock(&s->lock);
	w = s->first;
	if (w == NULL)
		s->used--;
	else {
		remove_waiter(s, w);
		w->granted = true;
		/* its stack may be gone when the lock is; a fiber never is */
		fiber_wake(w->fiber);
	}
	pthread_mutex_unlock(&s->lock);
}

void
slots_refuse(struct backend_slots *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->first != NULL) {
		struct slot_waiter *w = s->first;

		remove_waiter(s, w);
		w->refused = true;
		fiber_wake(w->fiber);
	}
	pthread_mutex_unlock(&s->lock);
}
