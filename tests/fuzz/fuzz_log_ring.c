/*
 * fuzz_log_ring.c - a reader over any bytes of a ring.
 *
 * The input is sparse, for a ring is at least 256 KiB: first the words that
 * matter, then the data.
 *
 *   reserved u64 | committed u64 | mark[0..3] u64 | where u32 | bytes ...
 *
 * bytes are put at data[where], around the end.  Everything else is zero but
 * the magic, version and size, which are right.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shmlog_read.h"
#include "shmlog_ring.h"

enum { WORDS = 6, PREFIX = WORDS * 8 + 4 };

static _Alignas(4096) uint8_t ring[RING_HEADER + RING_SIZE_MIN];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_all(enum log_from from)
{
	char scratch[LOG_TEXT_MAX];
	struct log_record r;
	struct log_batch b;
	struct log_view v;
	uint64_t bytes = 0;

	if (!log_view_init(&v, ring, sizeof ring, from))
		abort();
	while (log_view_next(&v, &b)) {
		bytes += 8;
		/* No more can be in a ring. */
		if (bytes > RING_SIZE_MIN || b.records.len > RING_SIZE_MIN)
			abort();
		while (log_record_next(&b.records, &r)) {
			struct str s = log_record_text(&r, scratch);

			if (r.tag == LOG_NONE || r.tag >= LOG_TAG_MAX)
				abort();
			if (s.len != 0 && memchr(s.p, 1, s.len) == s.p + s.len)
				abort();
		}
	}
	if (log_view_next(&v, &b))
		abort();
	log_view_free(&v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ring_header *h = (struct ring_header *)ring;
	uint64_t word[WORDS];
	uint32_t where;

	if (size < PREFIX || size > PREFIX + 65536)
		return 0;
	memset(ring, 0, sizeof ring);
	memcpy(h->magic, RING_MAGIC, sizeof h->magic);
	h->version = RING_VERSION;
	h->size = RING_SIZE_MIN;
	memcpy(word, data, sizeof word);
	memcpy(&where, data + sizeof word, sizeof where);
	h->reserved = word[0];
	h->committed = word[1];
	memcpy(h->mark, word + 2, 4 * sizeof *word);
	for (size_t i = 0; i < size - PREFIX; i++)
		ring[RING_HEADER + (where + i) % RING_SIZE_MIN] =
		    data[PREFIX + i];
	read_all(LOG_FROM_OLDEST);
	read_all(LOG_FROM_NOW);
	return 0;
}
