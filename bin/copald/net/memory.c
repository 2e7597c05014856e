/*
 * memory.c - the budget: sums of threads, and the machine's size.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "counters.h"
#include "fiber.h"
#include "memory.h"
#include "params.h"

static __thread int64_t memory_mine;
FIBER_SHARE_THREAD_LOCAL(memory_mine);

static _Atomic int64_t total;

void
memory_charge(int64_t bytes)
{
	memory_mine += bytes;
	if (memory_mine < MEMORY_SLACK && memory_mine > -MEMORY_SLACK)
		return;
	atomic_fetch_add_explicit(&total, memory_mine, memory_order_relaxed);
	memory_mine = 0;
}

bool
memory_take(int64_t bytes)
{
	if (bytes > 0 && !memory_has_room(MEMORY_REQUEST, (uint64_t)bytes)) {
		COUNT_INC(memory_refused);
		return false;
	}
	memory_charge(bytes);
	return true;
}

uint64_t
memory_used(void)
{
	int64_t n = atomic_load_explicit(&total, memory_order_relaxed);

	return n > 0 ? (uint64_t)n : 0; /* others' sums may be to come */
}

/* No limit is the word "max", or a number beyond any machine. */
static uint64_t
group_limit(const char *path)
{
	unsigned long long n;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return UINT64_MAX;
	if (fscanf(f, "%llu", &n) != 1)
		n = UINT64_MAX;
	fclose(f);
	return n;
}

static uint64_t
half_of_machine(void)
{
	static _Atomic uint64_t known;
	uint64_t n = known, group;

	if (n != 0)
		return n;
	n = (uint64_t)sysconf(_SC_PHYS_PAGES) *
	    (uint64_t)sysconf(_SC_PAGESIZE);
	group = group_limit("/sys/fs/cgroup/memory.max");
	if (group < n)
		n = group;
	group = group_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes");
	if (group < n)
		n = group;
	known = n / 2;
	return n / 2;
}

uint64_t
memory_limit(void)
{
	uint64_t n = params->memory_limit;

	return n != 0 ? n : half_of_machine();
}

bool
memory_has_room(enum memory_use use, uint64_t bytes)
{
	uint64_t limit = memory_limit();

	switch (use) {
	case MEMORY_CACHE:
		limit -= limit / 8;
		break;
	case MEMORY_FETCH:
		limit -= limit / 16;
		break;
	case MEMORY_REQUEST:
		break;
	}
	return memory_used() + bytes <= limit;
}
