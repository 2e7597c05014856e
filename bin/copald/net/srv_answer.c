/*
 * srv_answer.c - the SRV records of a DNS answer (RFC 2782).
 *
 * The message: a head of 12 bytes with the numbers of records; questions (a
 * name, type, class); answers (a name, type, class, TTL, length, data).  The
 * data of SRV: priority, weight, port, the server's name.
 */
#include <ares.h>
#include <string.h>

#include "srv_answer.h"

enum {
	HEAD_LEN = 12,
	QUESTION_LEN = 4, /* behind its name */
	RECORD_LEN = 10,
	SRV_LEN = 6,      /* before the server's name */
	TYPE_CNAME = 5,
	TYPE_SRV = 33,
	CLASS_IN = 1,
	/* RFC 2181 8: a TTL with the highest bit counts as 0 */
	TTL_BITS = 31,
	/* More than fit into a message with any data in them. */
	RECORDS_MAX = 4096,
};

struct message {
	const unsigned char *p, *end, *at;
};

static unsigned
u16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool
has(const struct message *m, size_t n)
{
	return (size_t)(m->end - m->at) >= n;
}

/* A name, which may point to where it is; to: may be NULL. */
static bool
take_name(struct message *m, const unsigned char *from, size_t *used,
    char *to, size_t room)
{
	char *name;
	long len;
	bool fits;

	if (from >= m->end || ares_expand_name(from, m->p,
	    (int)(m->end - m->p), &name, &len) != ARES_SUCCESS)
		return false;
	*used = (size_t)len;
	fits = to == NULL || strlen(name) < room;
	if (fits && to != NULL)
		strcpy(to, name);
	ares_free_string(name);
	return fits;
}

static bool
skip_name(struct message *m)
{
	size_t used;

	if (!take_name(m, m->at, &used, NULL, 0) || !has(m, used))
		return false;
	m->at += used;
	return true;
}

static void
add_srv(struct message *m, const unsigned char *data, size_t len,
    struct srv_answer *a)
{
	struct srv *s = &a->srv[a->n];
	size_t used;

	if (a->n == SRV_MAX || len <= SRV_LEN ||
	    !take_name(m, data + SRV_LEN, &used, s->host, sizeof s->host))
		return;
	s->priority = u16(data);
	s->weight = u16(data + 2);
	s->port = u16(data + 4);
	if (s->host[0] == '\0' || !strcmp(s->host, "."))
		a->has_none = true;
	else if (s->port != 0)
		a->n++;
}

static bool
read_record(struct message *m, struct srv_answer *a)
{
	unsigned type, class, ttl;
	size_t len;

	if (!skip_name(m) || !has(m, RECORD_LEN))
		return false;
	type = u16(m->at);
	class = u16(m->at + 2);
	ttl = u16(m->at + 4) << 16 | u16(m->at + 6);
	len = u16(m->at + 8);
	m->at += RECORD_LEN;
	if (!has(m, len))
		return false;
	if (class == CLASS_IN && (type == TYPE_SRV || type == TYPE_CNAME)) {
		if (ttl >> TTL_BITS)
			ttl = 0;
		if (ttl < a->ttl)
			a->ttl = ttl;
		if (type == TYPE_SRV)
			add_srv(m, m->at, len, a);
	}
	m->at += len;
	return true;
}

bool
srv_answer_read(const unsigned char *p, size_t len, struct srv_answer *a)
{
	struct message m = {p, p + len, p + HEAD_LEN};
	unsigned questions, answers;

	memset(a, 0, sizeof *a);
	a->ttl = ~0u >> 1;
	if (len < HEAD_LEN)
		return false;
	questions = u16(p + 4);
	answers = u16(p + 6);
	if (questions > RECORDS_MAX || answers > RECORDS_MAX)
		return false;
	for (unsigned i = 0; i < questions; i++) {
		if (!skip_name(&m) || !has(&m, QUESTION_LEN))
			return false;
		m.at += QUESTION_LEN;
	}
	for (unsigned i = 0; i < answers; i++)
		if (!read_record(&m, a))
			return false;
	return a->n > 0 || a->has_none;
}
