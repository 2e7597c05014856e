/*
 * log_writer.c - writes a log and counters as a test tells it to.
 *
 *      log_writer WORKDIR
 *
 * Commands on standard input, a line each; \xHH is a byte:
 *
 *   ring CORE BYTES             opens (or takes over) a ring; the current one
 *   begin KIND ID PARENT [REASON]   c, b or s; a transaction
 *   put TAG TEXT                a record
 *   num TAG N,N,... [TEXT]      a record with numbers
 *   flush | end                 the transaction
 *   raw TAG TEXT                a record outside of transactions
 *   count NAME N                adds to a counter, of block 1
 *   fill N                      N transactions of one record
 *   sync                        answers "ok"
 *
 * Exits with 1 and a message at anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "shmlog.h"

static struct log_ring *ring;
static struct log_txn txn;
static char buf[1024];

static void __attribute__((noreturn))
fail(const char *what, const char *line)
{
	fprintf(stderr, "log_writer: %s: %s\n", what, line);
	exit(1);
}

static enum log_tag
tag_of(const char *name)
{
	for (unsigned t = 1; t < LOG_TAG_MAX; t++)
		if (strcmp(log_tag_name[t], name) == 0)
			return t;
	fail("no such tag", name);
}

static enum log_reason
reason_of(const char *name)
{
	for (unsigned i = 1; i < LOG_REASON_MAX; i++)
		if (strcmp(log_reason_name[i], name) == 0)
			return i;
	fail("no such reason", name);
}

/* In place. */
static struct str
unescape(char *s)
{
	char *to = s;

	for (char *p = s; *p != '\0';) {
		unsigned byte;

		if (sscanf(p, "\\x%2x", &byte) == 1) {
			*to++ = (char)byte;
			p += 4;
		} else {
			*to++ = *p++;
		}
	}
	return str_of(s, to - s);
}

static void
put_nums(enum log_tag tag, char *rest)
{
	double v[LOG_NUMS_MAX];
	unsigned n = 0;
	char *text = strchr(rest, ' ');

	if (text != NULL)
		*text++ = '\0';
	for (char *s = strtok(rest, ","); s != NULL; s = strtok(NULL, ","))
		if (n < LOG_NUMS_MAX)
			v[n++] = strtod(s, NULL);
	log_put_mixed(&txn, tag, v, n,
	    text != NULL ? unescape(text) : STR_NULL);
}

static void
fill(unsigned long n)
{
	struct log_txn t;
	char small[256];

	for (unsigned long i = 1; i <= n; i++) {
		log_txn_begin(&t, ring, LOG_KIND_REQUEST, 1000000 + i, 0,
		    small, sizeof small);
		log_printf(&t, LOG_NOTICE, "filler %lu", i);
		log_txn_end(&t);
	}
}

static void
count(struct counters_map *map, const char *name, long n)
{
	counters_bind(map, 1);
	for (unsigned i = 0; i < CNT_MAX; i++) {
		if (strcmp(counter_info[i].name, name) == 0) {
			counters_add(&counters_mine->v[i], n);
			return;
		}
	}
	fail("no such counter", name);
}

static void
obey(const char *dir, struct counters_map *map, char *line)
{
	char word[64], reason[64];
	unsigned long long a, b;
	int rest = 0;
	char kind;

	if (sscanf(line, "ring %llu %llu", &a, &b) == 2) {
		log_ring_close(&ring);
		ring = log_ring_create(dir, a, b);
		if (ring == NULL)
			fail("cannot create", line);
	} else if (sscanf(line, "begin %c %llu %llu %n%63s", &kind, &a, &b,
		       &rest, reason) >= 3) {
		log_txn_begin(&txn, ring, (enum log_kind)kind, a, b, buf,
		    sizeof buf);
		if (line[rest] != '\0')
			txn.reason = reason_of(reason);
	} else if (sscanf(line, "put %63s%n", word, &rest) == 1) {
		log_put(&txn, tag_of(word),
		    unescape(line + rest + (line[rest] == ' ')));
	} else if (sscanf(line, "num %63s %n", word, &rest) == 1) {
		put_nums(tag_of(word), line + rest);
	} else if (sscanf(line, "raw %63s %n", word, &rest) == 1) {
		log_raw(ring, tag_of(word), "%s", line + rest);
	} else if (sscanf(line, "count %63s %llu", word, &a) == 2) {
		count(map, word, (long)a);
	} else if (sscanf(line, "fill %llu", &a) == 1) {
		fill(a);
	} else if (strcmp(line, "flush") == 0) {
		log_txn_flush(&txn);
	} else if (strcmp(line, "end") == 0) {
		log_txn_end(&txn);
	} else if (strcmp(line, "sync") == 0) {
		puts("ok");
		fflush(stdout);
	} else {
		fail("what is", line);
	}
}

int
main(int argc, char **argv)
{
	struct counters_map *map;
	static char line[256 * 1024];

	if (argc != 2)
		fail("usage", "log_writer WORKDIR");
	map = counters_create(argv[1], 2);
	if (map == NULL)
		fail("cannot create counters in", argv[1]);
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		obey(argv[1], map, line);
	}
	log_ring_close(&ring);
	counters_close(&map);
	return 0;
}
