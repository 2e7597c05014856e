/*
 * tags_purge.c - purges by tag: entries of the log (inval_log.h), in memory
 * those of tags.c and tag_marks.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ban.h"
#include "counters.h"
#include "inval_log.h"
#include "tag_marks.h"
#include "tags.h"

enum {
	/* Purged tags between two looks (ban_trim) at which are of no use any
	 * more: they cost no lookup anything. */
	TRIM_EVERY_TAGS = 1024,
	/*
	 * So many are remembered, in some 100 MB at most; then the older half
	 * is forgotten, and with it the objects that nobody asked for since.
	 */
	TAGS_REMEMBERED = 1024 * 1024,
};

struct tags_call {
	struct inval_call call;
	uint64_t *hash;
	unsigned n, hit;
};

/*
 * Memory first: if the log can't be written some objects go for nothing,
 * which is better than a purge on disk for which there is no memory.
 */
static int
tags_begin(struct inval_call *call)
{
	struct tags_call *c = (struct tags_call *)call;
	bool soft = call->entry.kind == INVAL_TAGS_SOFT;
	bool ok = tag_marks_add(c->n, call->entry.seq);

	for (unsigned i = 0; ok && i < c->n; i++)
		ok = tags_purge(c->hash[i], call->entry.seq, soft, &c->hit);
	if (!ok)
		snprintf(call->err, BAN_ERR_LEN, "No memory");
	return ok ? 0 : -1;
}

static void
tags_end(struct inval_call *call)
{
	struct tags_call *c = (struct tags_call *)call;
	static unsigned since_trim; /* log locked */
	uint64_t surplus;

	if (call->result != 0)
		return;
	inval_log_publish(call->entry.seq);
	COUNT_ADD(tags_purged, c->n);
	since_trim += c->n;
	if (since_trim >= TRIM_EVERY_TAGS) {
		since_trim = 0;
		ban_trim();
	}
	surplus = tag_marks_surplus(TAGS_REMEMBERED);
	if (surplus != 0)
		ban_forget_untested(surplus);
}

/* Fills in c's hashes; 0 and c->n 0: there are none.  -1: a message */
static int
tags_call_new(struct tags_call *c, struct str list, char *err)
{
	struct str rest = list, tag;

	while (tags_next(&rest, &tag))
		c->n++;
	if (c->n == 0)
		return 0;
	c->hash = c->n <= TAGS_PURGE_MAX ? malloc(c->n * sizeof *c->hash) :
	    NULL;
	if (c->hash == NULL) {
		snprintf(err, BAN_ERR_LEN, c->n <= TAGS_PURGE_MAX ?
		    "No memory" : "Too many tags at once");
		return -1;
	}
	c->n = 0;
	for (rest = list; tags_next(&rest, &tag);)
		c->hash[c->n++] = tag_hash(tag);
	return 0;
}

int
tags_purge_list(struct str list, bool soft, struct purged *out,
    char err[BAN_ERR_LEN])
{
	struct tags_call c = {
	    .call = {.begin = tags_begin, .end = tags_end, .err = err},
	};

	*out = (struct purged){0};
	if (tags_call_new(&c, list, err) != 0)
		return -1;
	if (c.n == 0)
		return 0;
	c.call.entry.kind = soft ? INVAL_TAGS_SOFT : INVAL_TAGS;
	c.call.entry.text = str_of((const char *)c.hash, c.n * sizeof *c.hash);
	inval_log_write(&c.call);
	free(c.hash);
	*out = (struct purged){c.hit, c.call.entry.seq};
	return c.call.result;
}
