/*
 * retry_budget.c - how many requests an origin may be sent again.
 */
#include "retry_budget.h"

enum {
	TOKEN = 1000,
	/*
	 * An hour of success is no reason for a storm: what a thousand
	 * requests earn at ten percent is all that is kept.
	 */
	TOKENS_MAX = 100 * TOKEN,
};
#define FREE_WINDOW NSEC_S(10)

void
retry_budget_earn(struct retry_budget *b, unsigned percent)
{
	/* a few too many by a race are no harm */
	if (atomic_load_explicit(&b->tokens, memory_order_relaxed) <
	    TOKENS_MAX)
		atomic_fetch_add_explicit(&b->tokens, percent * TOKEN / 100,
		    memory_order_relaxed);
}

static bool
is_free(struct retry_budget *b, unsigned free_n, nsec_t now)
{
	nsec_t began = b->began;

	if ((began == 0 || now - began >= FREE_WINDOW) &&
	    atomic_compare_exchange_strong(&b->began, &began, now))
		b->free_used = 0;
	if (b->free_used >= free_n)
		return false;
	return atomic_fetch_add(&b->free_used, 1) < free_n;
}

bool
retry_budget_spend(struct retry_budget *b, unsigned percent, unsigned free_n,
    nsec_t now)
{
	int64_t t = b->tokens;

	if (percent >= 100)
		return true;
	while (t >= TOKEN)
		if (atomic_compare_exchange_weak(&b->tokens, &t, t - TOKEN))
			return true;
	return is_free(b, free_n, now);
}
