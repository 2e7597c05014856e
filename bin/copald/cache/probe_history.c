/*
 * probe_history.c - what became of the last tries of a probe.
 */
#include <inttypes.h>

#include "probe_history.h"

enum { AVERAGE_OVER = 4 };

static const char letters[PROBE_EVENT_MAX] = {
#define X(id, letter, text) letter,
	PROBE_EVENTS(X)
#undef X
};

static void
judge(struct probe_history *h)
{
	uint64_t window = h->window >= 64 ? UINT64_MAX :
	    ((uint64_t)1 << h->window) - 1;

	h->good = (unsigned)__builtin_popcountll(
	    h->bits[PROBE_HAPPY] & window);
	h->healthy = h->good >= h->threshold;
}

void
probe_history_init(struct probe_history *h, unsigned window,
    unsigned threshold, unsigned initial)
{
	*h = (struct probe_history){.window = window,
	    .threshold = threshold};
	h->bits[PROBE_HAPPY] = initial >= 64 ? UINT64_MAX :
	    ((uint64_t)1 << initial) - 1;
	judge(h);
}

bool
probe_history_add(struct probe_history *h, unsigned events, double seconds)
{
	bool before = h->healthy;

	for (unsigned i = 0; i < PROBE_EVENT_MAX; i++)
		h->bits[i] = h->bits[i] << 1 | (events >> i & 1);
	h->last = 0;
	if (events & 1u << PROBE_HAPPY) {
		h->last = seconds;
		if (h->averaged < AVERAGE_OVER)
			h->averaged++;
		h->average += (seconds - h->average) / h->averaged;
	}
	judge(h);
	return h->healthy != before;
}

void
probe_history_letters(const struct probe_history *h,
    char out[PROBE_EVENT_MAX + 1])
{
	for (unsigned i = 0; i < PROBE_EVENT_MAX; i++)
		out[i] = h->bits[i] & 1 ? letters[i] : '-';
	out[PROBE_EVENT_MAX] = '\0';
}

void
probe_history_print(const struct probe_history *h, FILE *out)
{
	static const char *const text[PROBE_EVENT_MAX] = {
#define X(id, letter, text) text,
		PROBE_EVENTS(X)
#undef X
	};

	fprintf(out, " Current states  good: %2u threshold: %2u window: %2u\n"
	    "  Average response time of good probes: %.6f\n"
	    "  Oldest ================================================== "
	    "Newest\n", h->good, h->threshold, h->window, h->average);
	for (unsigned i = 0; i < PROBE_EVENT_MAX; i++) {
		if (h->bits[i] == 0)
			continue;
		fprintf(out, "  ");
		for (int bit = 63; bit >= 0; bit--)
			fputc(h->bits[i] >> bit & 1 ? letters[i] : '-', out);
		fprintf(out, " %s\n", text[i]);
	}
}

void
probe_history_print_json(const struct probe_history *h, FILE *out,
    const char *indent)
{
	for (unsigned i = 0; i < PROBE_EVENT_MAX; i++)
		fprintf(out, "%s\"bits_%c\": %" PRIu64 ",\n", indent,
		    letters[i], h->bits[i]);
	fprintf(out, "%s\"good\": %u,\n%s\"threshold\": %u,\n"
	    "%s\"window\": %u\n", indent, h->good, indent, h->threshold,
	    indent, h->window);
}
