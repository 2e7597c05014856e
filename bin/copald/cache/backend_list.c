/*
 * backend_list.c - all backends, and what the administrator sees of them.
 *
 * A director's own table (-p) is made of cells that its module tells, since
 * the width of a column is known at its end only.
 */
#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend.h"
#include "backend_conn.h"
#include "backend_stats.h"
#include "core.h"
#include "probe.h"
#include "qsbr.h"
#include "resolver.h"

static struct backend *backends, **backends_end = &backends;
static pthread_mutex_t backends_lock = PTHREAD_MUTEX_INITIALIZER;

void
backend_enlist(struct backend *b)
{
	pthread_mutex_lock(&backends_lock);
	*backends_end = b;
	backends_end = &b->next;
	pthread_mutex_unlock(&backends_lock);
}

void
backend_delist(struct backend *b)
{
	pthread_mutex_lock(&backends_lock);
	for (struct backend **pp = &backends; *pp != NULL; pp = &(*pp)->next)
		if (*pp == b) {
			*pp = b->next;
			if (b->next == NULL)
				backends_end = pp;
			break;
		}
	pthread_mutex_unlock(&backends_lock);
}

/* --- what a director tells ----------------------------------------------- */

enum { LIST_COLUMNS = 6, LIST_CELL = 32 };

struct list_row {
	struct list_row *next;
	struct backend *backend;
	bool healthy;
	char text[LIST_COLUMNS][LIST_CELL];
	char json[LIST_COLUMNS][LIST_CELL];
};

struct vmod_director_list {
	const char *title[LIST_COLUMNS], *key[LIST_COLUMNS];
	unsigned column_n, at; /* at: of the next cell */
	struct list_row *first, **end, *row;
	unsigned row_n, healthy_n;
	char values[256];      /* JSON members of the director itself */
	size_t values_len;
	bool no_memory;
};

void
vrt_director_list_value(struct vmod_director_list *l, const char *key,
    const char *json)
{
	size_t room = sizeof l->values - l->values_len;
	int n = snprintf(l->values + l->values_len, room,
	    "        \"%s\": %s,\n", key, json);

	if (n > 0 && (size_t)n < room)
		l->values_len += (size_t)n;
	else
		l->values[l->values_len] = '\0';
}

void
vrt_director_list_row(struct vmod_director_list *l, struct backend *b)
{
	struct list_row *r = calloc(1, sizeof *r);

	l->row = r;
	l->at = 0;
	if (r == NULL) {
		l->no_memory = true;
		return;
	}
	r->backend = b;
	r->healthy = backend_is_healthy(NULL, b, NULL);
	*l->end = r;
	l->end = &r->next;
	l->row_n++;
	l->healthy_n += r->healthy;
}

void
vrt_director_list_cell(struct vmod_director_list *l, const char *title,
    const char *text, const char *key, const char *json)
{
	unsigned i = l->at++;

	if (i >= LIST_COLUMNS || l->row == NULL)
		return;
	if (i == l->column_n)
		l->column_n++;
	l->title[i] = title;
	l->key[i] = key;
	if (title != NULL)
		snprintf(l->row->text[i], LIST_CELL, "%s", text);
	if (key != NULL)
		snprintf(l->row->json[i], LIST_CELL, "%s", json);
}

static void
ask_director(const struct backend *b, struct vmod_director_list *l)
{
	*l = (struct vmod_director_list){0};
	l->end = &l->first;
	if (b->director->list != NULL)
		b->director->list(b->priv, l);
}

static void
free_rows(struct vmod_director_list *l)
{
	struct list_row *r;

	while ((r = l->first) != NULL) {
		l->first = r->next;
		free(r);
	}
}

static const char *
health(bool healthy)
{
	return healthy ? "healthy" : "sick";
}

static void
print_rows(FILE *out, const struct vmod_director_list *l)
{
	int name = 7, width[LIST_COLUMNS];

	for (const struct list_row *r = l->first; r != NULL; r = r->next)
		if ((int)strlen(r->backend->name) > name)
			name = (int)strlen(r->backend->name);
	for (unsigned i = 0; i < l->column_n; i++) {
		width[i] = l->title[i] != NULL ? (int)strlen(l->title[i]) : 0;
		for (const struct list_row *r = l->first; r != NULL;
		     r = r->next)
			if ((int)strlen(r->text[i]) > width[i])
				width[i] = (int)strlen(r->text[i]);
	}
	fprintf(out, "\n        %-*s  %-7s", name, "Backend", "Health");
	for (unsigned i = 0; i < l->column_n; i++)
		if (l->title[i] != NULL)
			fprintf(out, "  %*s", width[i], l->title[i]);
	fprintf(out, "\n");
	for (const struct list_row *r = l->first; r != NULL; r = r->next) {
		fprintf(out, "        %-*s  %-7s", name, r->backend->name,
		    health(r->healthy));
		for (unsigned i = 0; i < l->column_n; i++)
			if (l->title[i] != NULL)
				fprintf(out, "  %*s", width[i], r->text[i]);
		fprintf(out, "\n");
	}
	if (l->no_memory)
		fprintf(out, "        (out of memory)\n");
	fprintf(out, "\n");
}

static void
print_rows_json(FILE *out, const struct vmod_director_list *l)
{
	fprintf(out, "%s        \"backends\": {\n", l->values);
	for (const struct list_row *r = l->first; r != NULL; r = r->next) {
		fprintf(out, "          \"%s\": {\n", r->backend->name);
		for (unsigned i = 0; i < l->column_n; i++)
			if (l->key[i] != NULL)
				fprintf(out, "            \"%s\": %s,\n",
				    l->key[i], r->json[i]);
		fprintf(out, "            \"health\": \"%s\"\n          }%s\n",
		    health(r->healthy), r->next != NULL ? "," : "");
	}
	fprintf(out, "        }\n");
}

/* --- the commands -------------------------------------------------------- */

static bool
backend_matches(const struct backend *b, const char *pattern)
{
	char full[512];

	if (pattern == NULL)
		return true;
	snprintf(full, sizeof full, "%s.%s", b->program_name, b->name);
	return fnmatch(pattern, full, 0) == 0 ||
	    fnmatch(pattern, b->name, 0) == 0;
}

/* A line: what is common to all kinds. */
struct backend_line {
	char name[300];
	const char *type, *admin;
	unsigned good, of;      /* tries, or a director's backends */
	bool healthy;
	double changed;
};

static void
describe(const struct backend *b, const struct vmod_director_list *l,
    struct backend_line *line)
{
	struct probe_summary p = {0, 0};

	snprintf(line->name, sizeof line->name, "%s.%s", b->program_name,
	    b->name);
	line->type = b->director != NULL ? b->director->type : "backend";
	line->healthy = backend_is_healthy(NULL, b, &line->changed);
	switch ((enum backend_admin)atomic_load(&b->admin)) {
	case BACKEND_AUTO:
		line->admin = "probe";
		break;
	case BACKEND_HEALTHY:
		line->admin = "healthy";
		break;
	case BACKEND_SICK:
		line->admin = "sick";
		break;
	}
	if (b->probe != NULL)
		p = probe_summary(b->probe);
	line->good = b->director != NULL ? l->healthy_n : p.good;
	line->of = b->director != NULL ? l->row_n : p.window;
}

static void
print_addresses(FILE *out, const struct backend *b)
{
	struct addr_set *s = backend_addrs(b);
	char addr[ADDR_TEXT_MAX];

	if (b->dns != NULL)
		dns_name_print(b->dns, out);
	for (unsigned i = 0; s != NULL && i < s->n; i++) {
		addr_text(&s->at[i].addr, addr);
		fprintf(out, "  address %s%s%s\n", addr,
		    b->via != NULL ? " via " : "",
		    b->via != NULL ? b->via->name : "");
	}
	addr_set_unref(&s);
}

/* The first of that family, under Varnish's name for it. */
static void
print_first_json(FILE *out, const struct addr_set *s, sa_family_t family,
    const char *key)
{
	char host[ADDR_HOST_MAX];

	for (unsigned i = 0; i < s->n; i++) {
		if (s->at[i].addr.sa.sa_family != family)
			continue;
		addr_host(&s->at[i].addr, host);
		fprintf(out, "      \"%s\": \"%s\",\n", key, host);
		return;
	}
}

static void
print_addresses_json(FILE *out, const struct backend *b)
{
	struct addr_set *s = backend_addrs(b);
	char addr[ADDR_TEXT_MAX];

	if (b->dns != NULL) {
		fprintf(out, "      \"dns\": {\n");
		dns_name_print_json(b->dns, out, "        ");
		fprintf(out, "      },\n");
	}
	fprintf(out, "      \"addresses\": [");
	for (unsigned i = 0; s != NULL && i < s->n; i++) {
		addr_text(&s->at[i].addr, addr);
		fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", addr);
	}
	fprintf(out, "],\n");
	if (s != NULL) {
		print_first_json(out, s, AF_INET, "ipv4");
		print_first_json(out, s, AF_INET6, "ipv6");
	}
	addr_set_unref(&s);
}

static void
print_detail(FILE *out, const struct backend *b,
    const struct vmod_director_list *l)
{
	if (b->director != NULL) {
		print_rows(out, l);
		return;
	}
	if (b->probe != NULL)
		probe_print(b->probe, out);
	print_addresses(out, b);
	fprintf(out, "  connections %u, at work %u, waiting %u, idle %u, "
	    "requests %llu, failures %llu, retries %llu\n\n",
	    b->pool->connections, b->slots.used, b->slots.queue_n, b->pool->idle_n,
	    (unsigned long long)b->requests, (unsigned long long)b->fails,
	    (unsigned long long)b->retries);
}

static void
print(FILE *out, const struct backend *b, const struct vmod_director_list *l,
    bool detail)
{
	struct backend_line line;
	char when[40], tries[24];
	struct tm tm;
	time_t t;

	describe(b, l, &line);
	t = (time_t)line.changed;
	strftime(when, sizeof when, "%a, %d %b %Y %H:%M:%S GMT",
	    gmtime_r(&t, &tm));
	snprintf(tries, sizeof tries, "%u/%u", line.good, line.of);
	fprintf(out, "%-30s %-10s %-8s %-10s %s\n", line.name, line.admin,
	    tries, health(line.healthy), when);
	if (detail)
		print_detail(out, b, l);
}

static void
print_json(FILE *out, const struct backend *b,
    const struct vmod_director_list *l, bool detail)
{
	struct backend_line line;

	describe(b, l, &line);
	fprintf(out, "    \"%s\": {\n      \"type\": \"%s\",\n"
	    "      \"admin_health\": \"%s\",\n"
	    "      \"probe_message\": [%u, %u, \"%s\"],\n",
	    line.name, line.type, line.admin, line.good, line.of,
	    health(line.healthy));
	if (detail && (b->director != NULL || b->probe != NULL)) {
		fprintf(out, "      \"probe_details\": {\n");
		if (b->director != NULL)
			print_rows_json(out, l);
		else
			probe_print_json(b->probe, out, "        ");
		fprintf(out, "      },\n");
	}
	if (detail && b->director == NULL) {
		print_addresses_json(out, b);
		fprintf(out, "      \"connections\": %u,\n"
		    "      \"at_work\": %u,\n      \"waiting\": %u,\n"
		    "      \"idle\": %u,\n      \"requests\": %llu,\n"
		    "      \"failures\": %llu,\n      \"retries\": %llu,\n",
		    b->pool->connections, b->slots.used, b->slots.queue_n,
		    b->pool->idle_n, (unsigned long long)b->requests,
		    (unsigned long long)b->fails,
		    (unsigned long long)b->retries);
	}
	fprintf(out, "      \"last_change\": %.3f\n    }", line.changed);
}

void
backend_list(FILE *out, const char *pattern, bool json, bool detail)
{
	struct vmod_director_list l = {0};
	const char *sep = "";
	/* directors' lists may change under us */
	bool reader = !qsbr_is_registered() && qsbr_register() == 0;

	if (json)
		fprintf(out, "  {\n");
	else
		fprintf(out, "%-30s %-10s %-8s %-10s %s\n", "Backend name",
		    "Admin", "Probe", "Health", "Last change");
	pthread_mutex_lock(&backends_lock);
	for (struct backend *b = backends; b != NULL; b = b->next) {
		if (!backend_matches(b, pattern))
			continue;
		if (b->director != NULL)
			ask_director(b, &l);
		if (json) {
			fprintf(out, "%s", sep);
			print_json(out, b, &l, detail);
		} else
			print(out, b, &l, detail);
		free_rows(&l);
		sep = ",\n";
	}
	pthread_mutex_unlock(&backends_lock);
	if (json)
		fprintf(out, "\n  }");
	if (reader)
		qsbr_unregister();
}

/* false: no memory */
static bool
collect(struct backend_stats *s, const struct backend *b)
{
	char name[BACKEND_STAT_NAME_MAX];
	struct backend_stat *st;
	struct addr_set *addrs;

	snprintf(name, sizeof name, "%s.%s", b->program_name, b->name);
	st = backend_stats_add(s, name);
	if (st == NULL)
		return false;
	addrs = backend_addrs(b);
	st->v[BACKEND_CNT_addresses] = addrs != NULL ? addrs->n : 0;
	addr_set_unref(&addrs);
	st->v[BACKEND_CNT_up] = backend_is_healthy(NULL, b, NULL);
	st->v[BACKEND_CNT_conn] = b->slots.used;
	st->v[BACKEND_CNT_waiting] = b->slots.queue_n;
	st->v[BACKEND_CNT_idle] = b->pool->idle_n;
	st->v[BACKEND_CNT_req] = (int64_t)b->requests;
	st->v[BACKEND_CNT_fail] = (int64_t)b->fails;
	st->v[BACKEND_CNT_retry] = (int64_t)b->retries;
	st->v[BACKEND_CNT_unhealthy] = (int64_t)b->unhealthy;
	st->v[BACKEND_CNT_busy] = (int64_t)b->busy;
	return true;
}

void
backends_write_stats(const char *workdir)
{
	static struct backend_stats written; /* one thread calls us */
	static bool did_write;
	struct backend_stats now = {0};
	bool ok = true;

	pthread_mutex_lock(&backends_lock);
	for (struct backend *b = backends; b != NULL && ok; b = b->next)
		if (b->director == NULL)
			ok = collect(&now, b);
	pthread_mutex_unlock(&backends_lock);
	if (ok && (!did_write || !backend_stats_eq(&now, &written)))
		did_write = backend_stats_write(&now, workdir);
	backend_stats_free(&written);
	written = now;
}

void
backends_close_idle(struct core *core)
{
	/* a pool that keeps some has a warm backend, and that one is here */
	pthread_mutex_lock(&backends_lock);
	for (struct backend *b = backends; b != NULL; b = b->next)
		if (b->pool != NULL)
			backend_close_idle(b->pool, core->index);
	pthread_mutex_unlock(&backends_lock);
}

unsigned
backend_set_health(const char *pattern, enum backend_admin admin)
{
	unsigned n = 0;

	pthread_mutex_lock(&backends_lock);
	for (struct backend *b = backends; b != NULL; b = b->next) {
		if (!backend_matches(b, pattern))
			continue;
		if ((enum backend_admin)atomic_exchange(&b->admin, admin) !=
		    admin)
			b->changed = clock_wall();
		n++;
	}
	pthread_mutex_unlock(&backends_lock);
	backends_release_waiting();
	return n;
}

void
backends_release_waiting(void)
{
	pthread_mutex_lock(&backends_lock);
	for (struct backend *b = backends; b != NULL; b = b->next)
		if (b->slots.queue_n > 0 &&
		    !backend_is_healthy(NULL, b, NULL))
			slots_refuse(&b->slots);
	pthread_mutex_unlock(&backends_lock);
}
