/*
 * fuzz_esi.c - ESI: however the page is cut, the events are the same; texts
 * are the page's own bytes, in order; addresses are ones of requests.  The
 * first byte of the input: flags.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "esi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                      \
	do {                                                                 \
		if (!(condition))                                            \
			abort();                                             \
	} while (0)

struct heard {
	struct str page;
	char *log;          /* kinds, positions and srcs; texts as one */
	size_t len, cap;
	uint64_t text_end;  /* of the last text */
	bool text_was_last;
};

static void
note(struct heard *h, const void *p, size_t len)
{
	while (h->len + len > h->cap) {
		h->cap = h->cap ? 2 * h->cap : 256;
		h->log = realloc(h->log, h->cap);
		MUST(h->log);
	}
	if (len > 0)
		memcpy(h->log + h->len, p, len);
	h->len += len;
}

static void
check_include(struct heard *h, const struct esi_event *v)
{
	static const char base[] = "/dir/page?a=/b";
	char *buf = malloc(sizeof base + v->text.len + 2);
	struct str host, target;

	MUST(buf && v->text.len <= ESI_SRC_MAX);
	if (esi_resolve(STR("/dir/page?a=/b"), v->text, buf, &host, &target)) {
		MUST(target.len > 0 && target.p[0] == '/');
		MUST(target.len <= sizeof base - 1 + v->text.len + 2);
		for (size_t i = 0; i < target.len; i++)
			MUST((unsigned char)target.p[i] > ' ');
		MUST(host.p == NULL || host.len > 0);
	}
	note(h, v->text.p, v->text.len);
	note(h, &v->may_fail, sizeof v->may_fail);
	free(buf);
}

static bool
hear(void *priv, const struct esi_event *v)
{
	struct heard *h = priv;
	char kind = (char)('a' + v->kind);

	if (v->kind == ESI_TEXT) {
		MUST(v->text.len > 0);
		MUST(v->at >= h->text_end && v->at + v->text.len <=
		    h->page.len);
		MUST(!memcmp(v->text.p, h->page.p + v->at, v->text.len));
		if (!h->text_was_last || v->at != h->text_end) {
			note(h, &kind, 1);
			note(h, &v->at, sizeof v->at);
		}
		h->text_end = v->at + v->text.len;
		h->text_was_last = true;
		return true;
	}
	if (h->text_was_last)
		note(h, &h->text_end, sizeof h->text_end);
	h->text_was_last = false;
	note(h, &kind, 1);
	note(h, &v->at, sizeof v->at);
	if (v->kind == ESI_INCLUDE)
		check_include(h, v);
	return true;
}

static void
run(struct heard *h, struct str page, unsigned flags, size_t step)
{
	struct esi *e = esi_new(flags);

	*h = (struct heard){.page = page};
	MUST(e);
	for (size_t at = 0; at < page.len; at += step) {
		size_t n = page.len - at < step ? page.len - at : step;
		char *piece = malloc(n);

		MUST(piece);
		memcpy(piece, page.p + at, n);
		MUST(esi_feed(e, str_of(piece, n), hear, h));
		free(piece);
	}
	MUST(esi_end(e, hear, h));
	note(h, &h->text_end, sizeof h->text_end);
	/* without ESI it is what it was */
	MUST(esi_found(e) || h->text_end == page.len);
	esi_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = {1, 2, 3, 7, 64};
	struct heard whole, other;
	unsigned flags;
	struct str page;

	if (size == 0)
		return 0;
	flags = data[0] & 15;
	page = str_of((const char *)data + 1, size - 1);
	run(&whole, page, flags, page.len > 0 ? page.len : 1);
	for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
		run(&other, page, flags, steps[i]);
		MUST(other.len == whole.len);
		MUST(!memcmp(other.log, whole.log, whole.len));
		free(other.log);
	}
	free(whole.log);
	return 0;
}
