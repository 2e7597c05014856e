/*
 * secret_hash.c - a hash that nobody outside can make collisions for.
 */
#include <stdatomic.h>
#include <sys/random.h>
#include <xxhash.h>

#include "secret_hash.h"

static uint64_t
secret(void)
{
	static _Atomic uint64_t kept;
	uint64_t s = atomic_load_explicit(&kept, memory_order_relaxed), fresh;

	if (s != 0)
		return s;
	if (getrandom(&fresh, sizeof fresh, GRND_NONBLOCK) != sizeof fresh)
		fresh = (uintptr_t)&fresh; /* early in boot: better than none */
	fresh |= 1;
	/* of two cores that come here at once the first one's is for both */
	return atomic_compare_exchange_strong(&kept, &s, fresh) ? fresh : s;
}

uint64_t
secret_hash(struct str s)
{
	return XXH3_64bits_withSeed(s.p, s.len, secret());
}
