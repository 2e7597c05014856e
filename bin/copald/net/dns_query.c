/*
 * dns_query.c - one question about a name, answered by c-ares.
 *
 *   name ----------------> A + AAAA ----------> done
 *   _service --> SRV --+-> A + AAAA --+
 *                      +-> A + AAAA --+-------> done
 */
#include <stdlib.h>
#include <string.h>

#include "dns_query.h"
#include "srv_answer.h"

enum { CLASS_IN = 1, TYPE_SRV = 33 };

/* Weight 0 is hardly ever chosen beside others (RFC 2782). */
#define SHARE_OF_ZERO 0.01

struct question {
	ares_channel channel;
	dns_done_fn *done;
	void *priv;
	unsigned pending;     /* hosts whose addresses are awaited */
	unsigned failed;      /* of them */
	int status;           /* of the last one that failed */
	unsigned ttl;
	struct addr_set *set;
	struct host {
		struct question *question;
		unsigned priority, port;
		double weight;
	} host[SRV_MAX];
};

static void
finish(struct question *q, const char *why, bool canceled)
{
	struct dns_found found = {.set = q->set, .ttl = q->ttl, .why = why,
	    .partial = q->failed > 0, .canceled = canceled};

	if (q->set != NULL && q->set->n == 0)
		addr_set_unref(&q->set);
	found.set = q->set;
	q->done(q->priv, &found);
	if (found.set != NULL)
		addr_set_unref(&found.set);
	free(q);
}

static void
note_ttl(struct question *q, int ttl)
{
	if (ttl < 0)
		ttl = 0;
	if ((unsigned)ttl < q->ttl)
		q->ttl = (unsigned)ttl;
}

static bool
take_address(struct addr *a, const struct sockaddr *sa, unsigned port)
{
	memset(a, 0, sizeof *a);
	if (sa->sa_family == AF_INET) {
		memcpy(&a->in4, sa, sizeof a->in4);
		a->in4.sin_port = htons((uint16_t)port);
		a->len = sizeof a->in4;
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&a->in6, sa, sizeof a->in6);
		a->in6.sin6_port = htons((uint16_t)port);
		a->len = sizeof a->in6;
	}
	return a->len > 0;
}

static void
take_addresses(struct host *h, const struct ares_addrinfo *ai)
{
	struct question *q = h->question;
	unsigned first = q->set->n;

	for (const struct ares_addrinfo_cname *c = ai->cnames; c != NULL;
	    c = c->next)
		note_ttl(q, c->ttl);
	for (const struct ares_addrinfo_node *node = ai->nodes;
	    node != NULL && q->set->n < ADDR_SET_MAX; node = node->ai_next) {
		struct addr_entry *e = &q->set->at[q->set->n];

		if (!take_address(&e->addr, node->ai_addr, h->port) ||
		    addr_set_has(q->set, &e->addr))
			continue;
		e->priority = h->priority;
		note_ttl(q, node->ai_ttl);
		q->set->n++;
	}
	/* a server's share, whatever the number of its addresses */
	for (unsigned i = first; i < q->set->n; i++)
		q->set->at[i].share = h->weight / (q->set->n - first);
}

static void
have_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct host *h = arg;
	struct question *q = h->question;
	unsigned before = q->set->n;

	(void)timeouts;
	if (status == ARES_SUCCESS && ai != NULL)
		take_addresses(h, ai);
	if (q->set->n == before) {
		q->failed++;
		q->status = status != ARES_SUCCESS ? status : ARES_ENODATA;
	}
	if (ai != NULL)
		ares_freeaddrinfo(ai);
	if (--q->pending > 0)
		return;
	finish(q, q->set->n > 0 ? "" : ares_strerror(q->status),
	    q->status == ARES_EDESTRUCTION || q->status == ARES_ECANCELLED);
}

static void
ask_addresses(struct question *q, struct host *h, const char *name)
{
	/* our own order: see addr_set.h */
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM};

	h->question = q;
	ares_getaddrinfo(q->channel, name, NULL, &hints, have_addresses, h);
}

static void
have_servers(void *arg, int status, int timeouts, unsigned char *p, int len)
{
	struct question *q = arg;
	struct srv_answer a;

	(void)timeouts;
	if (status != ARES_SUCCESS) {
		finish(q, ares_strerror(status),
		    status == ARES_EDESTRUCTION || status == ARES_ECANCELLED);
		return;
	}
	if (!srv_answer_read(p, len > 0 ? (size_t)len : 0, &a)) {
		finish(q, "no SRV records that can be read", false);
		return;
	}
	if (a.n == 0) {
		finish(q, "SRV says that there is no such service", false);
		return;
	}
	q->ttl = a.ttl;
	q->pending = a.n; /* at once: an answer may come at once, too */
	for (unsigned i = 0; i < a.n; i++) {
		q->host[i] = (struct host){q, a.srv[i].priority,
		    a.srv[i].port, a.srv[i].weight > 0 ? a.srv[i].weight :
		    SHARE_OF_ZERO};
		ask_addresses(q, &q->host[i], a.srv[i].host);
	}
}

void
dns_query_start(ares_channel channel, const char *host, unsigned port,
    dns_done_fn *done, void *priv)
{
	struct question *q = calloc(1, sizeof *q);
	struct dns_found none = {.why = "out of memory"};

	if (q != NULL)
		q->set = addr_set_new(ADDR_SET_MAX);
	if (q == NULL || q->set == NULL) {
		free(q);
		done(priv, &none);
		return;
	}
	q->channel = channel;
	q->done = done;
	q->priv = priv;
	q->ttl = ~0u >> 1;
	q->set->n = 0;
	if (host[0] == '_') {
		ares_query(channel, host, CLASS_IN, TYPE_SRV, have_servers, q);
		return;
	}
	q->pending = 1;
	q->host[0] = (struct host){q, 0, port, 1};
	ask_addresses(q, &q->host[0], host);
}
