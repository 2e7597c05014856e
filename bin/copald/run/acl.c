/*
 * acl.c - access control lists: sets of networks, the most specific decides.
 *
 * When it is loaded, an ACL becomes a sorted array of networks for each
 * family and length of prefix, longest first.  A match masks the address to
 * each length in turn and searches that array by bisection: some ten steps
 * for an ACL of thousands.
 */
#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "str.h"

struct network {
	uint8_t bytes[16];   /* an IPv4 address in the first four, else 0 */
	uint8_t bits;        /* length of the prefix */
	uint8_t family;      /* 4 or 6 */
	bool negated;
	const char *text;    /* for the log; the ACL's */
};

/* Networks of one family and length. */
struct run {
	unsigned from, n;
	uint8_t bits, family;
};

struct vcl_acl {
	const char *name;
	unsigned flags;
	unsigned network_n, network_cap;
	struct network *network;
	unsigned run_n;
	struct run *run;
	unsigned text_n;
	char **text;
};

static void
mask_bytes(uint8_t b[16], unsigned bits)
{
	unsigned i = bits / 8;

	if (bits % 8 != 0)
		b[i++] &= (uint8_t)(0xff00 >> (bits % 8));
	memset(b + i, 0, 16 - i);
}

/* 4 or 6; a unix socket counts as 0.0.0.0 */
static unsigned
address_bytes(const struct sockaddr *sa, uint8_t b[16])
{
	memset(b, 0, 16);
	if (sa->sa_family == AF_INET6) {
		memcpy(b, &((const struct sockaddr_in6 *)(const void *)sa)
		    ->sin6_addr, 16);
		return 6;
	}
	if (sa->sa_family == AF_INET)
		memcpy(b, &((const struct sockaddr_in *)(const void *)sa)
		    ->sin_addr, 4);
	return 4;
}

static int
add_network(struct vcl_acl *acl, const struct network *n)
{
	if (acl->network_n == acl->network_cap) {
		unsigned cap = acl->network_cap == 0 ? 16
						     : 2 * acl->network_cap;
		struct network *p = reallocarray(acl->network, cap, sizeof *p);

		if (p == NULL)
			return -1;
		acl->network = p;
		acl->network_cap = cap;
	}
	acl->network[acl->network_n++] = *n;
	return 0;
}

static int
add_address(struct vcl_acl *acl, const struct vcl_acl_entry *e,
    const struct sockaddr *sa, const char *text, char *err, size_t err_len)
{
	struct network n = {.negated = e->negated, .text = text};
	uint8_t whole[16];
	unsigned max;

	n.family = address_bytes(sa, n.bytes);
	max = n.family == 4 ? 32 : 128;
	if (e->mask > (int)max) {
		snprintf(err, err_len, "acl %s: %s: a mask of %d bits is too "
		    "long, %u is the most", acl->name, text, e->mask, max);
		return -1;
	}
	n.bits = e->mask < 0 ? max : (unsigned)e->mask;
	memcpy(whole, n.bytes, sizeof whole);
	mask_bytes(n.bytes, n.bits);
	if (memcmp(whole, n.bytes, sizeof whole) != 0 &&
	    !(acl->flags & VCL_ACL_NOT_PEDANTIC)) {
		snprintf(err, err_len, "acl %s: %s: bits are set beyond the "
		    "mask of %u (an acl with -pedantic allows that)",
		    acl->name, text, n.bits);
		return -1;
	}
	if (add_network(acl, &n) != 0) {
		snprintf(err, err_len, "acl %s: out of memory", acl->name);
		return -1;
	}
	return 0;
}

static int
add_entry(struct vcl_acl *acl, const struct vcl_acl_entry *e, char *err,
    size_t err_len)
{
	struct addrinfo *found, *ai, hints = {.ai_socktype = SOCK_STREAM};
	char host[256], *text;
	int r;

	if (e->host.len >= sizeof host) {
		snprintf(err, err_len, "acl %s: a name of %zu bytes is too "
		    "long", acl->name, e->host.len);
		return -1;
	}
	memcpy(host, e->host.p, e->host.len);
	host[e->host.len] = '\0';
	if (e->mask < 0)
		r = asprintf(&text, "%s\"%s\"", e->negated ? "! " : "", host);
	else
		r = asprintf(&text, "%s\"%s\"/%d", e->negated ? "! " : "",
		    host, e->mask);
	if (r < 0) {
		snprintf(err, err_len, "acl %s: out of memory", acl->name);
		return -1;
	}
	acl->text[acl->text_n++] = text;

	r = getaddrinfo(host, NULL, &hints, &found);
	if (r != 0) {
		if (e->optional)
			return 0;
		snprintf(err, err_len, "acl %s: %s does not resolve: %s",
		    acl->name, text, gai_strerror(r));
		return -1;
	}
	r = 0;
	for (ai = found; ai != NULL && r == 0; ai = ai->ai_next)
		if (ai->ai_family == AF_INET || ai->ai_family == AF_INET6)
			r = add_address(acl, e, ai->ai_addr, text, err,
			    err_len);
	freeaddrinfo(found);
	return r;
}

/* Longest prefix first, then by address. */
static int
network_cmp(const void *va, const void *vb)
{
	const struct network *a = va, *b = vb;

	if (a->family != b->family)
		return a->family - b->family;
	if (a->bits != b->bits)
		return b->bits - a->bits;
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* Equal networks become one. */
static int
remove_doubles(struct vcl_acl *acl, char *err, size_t err_len)
{
	unsigned n = 0;

	for (unsigned i = 0; i < acl->network_n; i++) {
		const struct network *last = n == 0 ? NULL
						    : &acl->network[n - 1];

		if (last == NULL || network_cmp(last, &acl->network[i]) != 0) {
			acl->network[n++] = acl->network[i];
			continue;
		}
		if (last->negated != acl->network[i].negated) {
			snprintf(err, err_len, "acl %s: %s and %s contradict "
			    "each other", acl->name, last->text,
			    acl->network[i].text);
			return -1;
		}
	}
	acl->network_n = n;
	return 0;
}

static int
make_runs(struct vcl_acl *acl, char *err, size_t err_len)
{
	struct run *r = NULL;

	acl->run = calloc(acl->network_n + 1, sizeof *acl->run);
	if (acl->run == NULL) {
		snprintf(err, err_len, "acl %s: out of memory", acl->name);
		return -1;
	}
	for (unsigned i = 0; i < acl->network_n; i++) {
		const struct network *n = &acl->network[i];

		if (r == NULL || r->family != n->family || r->bits != n->bits) {
			r = &acl->run[acl->run_n++];
			*r = (struct run){i, 0, n->bits, n->family};
		}
		r->n++;
	}
	return 0;
}

struct vcl_acl *
acl_new(const struct vcl_acl_def *def, char *err, size_t err_len)
{
	struct vcl_acl *acl = calloc(1, sizeof *acl);

	if (acl == NULL) {
		snprintf(err, err_len, "acl %s: out of memory", def->name);
		return NULL;
	}
	acl->name = def->name;
	acl->flags = def->flags;
	acl->text = calloc(def->entry_n + 1, sizeof *acl->text);
	if (acl->text == NULL) {
		snprintf(err, err_len, "acl %s: out of memory", def->name);
		acl_free(&acl);
		return NULL;
	}
	for (unsigned i = 0; i < def->entry_n; i++)
		if (add_entry(acl, &def->entry[i], err, err_len) != 0) {
			acl_free(&acl);
			return NULL;
		}
	if (acl->network_n != 0)
		qsort(acl->network, acl->network_n, sizeof *acl->network,
		    network_cmp);
	if (remove_doubles(acl, err, err_len) != 0 ||
	    make_runs(acl, err, err_len) != 0)
		acl_free(&acl);
	return acl;
}

void
acl_free(struct vcl_acl **aclp)
{
	struct vcl_acl *acl = *aclp;

	*aclp = NULL;
	if (acl == NULL)
		return;
	for (unsigned i = 0; i < acl->text_n; i++)
		free(acl->text[i]);
	free(acl->text);
	free(acl->run);
	free(acl->network);
	free(acl);
}

static const struct network *
search(const struct vcl_acl *acl, const struct run *r, const uint8_t b[16])
{
	unsigned lo = r->from, hi = r->from + r->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int d = memcmp(b, acl->network[mid].bytes, 16);

		if (d == 0)
			return &acl->network[mid];
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool
acl_has(const struct vcl_acl *acl, const struct addr *a, const char **entry)
{
	uint8_t whole[16], masked[16];
	unsigned family = address_bytes(&a->sa, whole);

	*entry = NULL;
	for (unsigned i = 0; i < acl->run_n; i++) {
		const struct network *n;

		if (acl->run[i].family != family)
			continue;
		memcpy(masked, whole, sizeof masked);
		mask_bytes(masked, acl->run[i].bits);
		n = search(acl, &acl->run[i], masked);
		if (n != NULL) {
			*entry = n->text;
			return !n->negated;
		}
	}
	return false;
}

const char *
acl_name(const struct vcl_acl *acl)
{
	return acl->name;
}

bool
acl_logs(const struct vcl_acl *acl)
{
	return (acl->flags & VCL_ACL_LOG) != 0;
}
