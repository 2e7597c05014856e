/*
 * tag_headers.c - the tags of a response: what VCL says, and the headers in
 * use for tags.
 *
 * Groups (RFC 9875) belong to an origin: the group "a b" of example.com is the
 * tag group:example.com:a%20b.
 */
#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "params.h"
#include "program.h"
#include "search_key.h"
#include "tags.h"

/* Headers whose value is a list of tags, words with white space or commas. */
static const struct str tag_headers[] = {
	{"Surrogate-Key", 13},  /* Fastly */
	{"Cache-Tag", 9},       /* Cloudflare, Google */
	{"Cache-Tags", 10},     /* Drupal's and others' modules */
	{"X-Cache-Tags", 12},   /* FOSHttpCache, TYPO3 */
	{"Edge-Cache-Tag", 14}, /* Akamai */
	{"X-Magento-Tags", 14},
	{"xkey", 4},            /* varnish-modules; Shopware */
};
static const struct str groups_header = {"Cache-Groups", 12};
static const struct str invalidation_header = {"Cache-Group-Invalidation", 24};

/* Its older name; for programs that import module xkey. */
static const struct str hashtwo_header = {"X-HashTwo", 9};

static bool
imports_xkey(const struct program *p)
{
	const struct vcl_program_info *info = program_info_of(p);

	for (unsigned i = 0; i < info->vmod_n; i++)
		if (strcmp(info->vmod[i], "xkey") == 0)
			return true;
	return false;
}

struct words {
	struct str *word;
	size_t n, cap, bytes;
};

static bool
words_add(struct words *w, struct str list)
{
	struct str tag;

	while (tags_next(&list, &tag)) {
		if (w->n == w->cap) {
			size_t cap = w->cap == 0 ? 32 : w->cap * 2;
			void *p = realloc(w->word, cap * sizeof *w->word);

			if (p == NULL)
				return false;
			w->word = p;
			w->cap = cap;
		}
		w->word[w->n++] = tag;
		w->bytes += tag.len + 1;
	}
	return true;
}

static int
word_order(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int r = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

	return r != 0 ? r : (x->len > y->len) - (x->len < y->len);
}

static bool
words_join(struct words *w, struct arena *ws, struct str *out)
{
	char *p = arena_alloc(ws, w->bytes), *to = p;

	if (p == NULL)
		return false;
	qsort(w->word, w->n, sizeof *w->word, word_order);
	for (size_t i = 0; i < w->n; i++) {
		if (i > 0 && str_eq(w->word[i], w->word[i - 1]))
			continue;
		if (to > p)
			*to++ = ' ';
		memcpy(to, w->word[i].p, w->word[i].len);
		to += w->word[i].len;
	}
	*out = str_of(p, (size_t)(to - p));
	return true;
}

static bool
words_add_header(struct words *w, const struct http *h, struct str header)
{
	struct field_name name = {header, field_id(header)};

	for (int i = http_find(h, &name, 0); i >= 0;
	     i = http_find(h, &name, (unsigned)i + 1))
		if (!words_add(w, str_of(h->field[i].value,
		    h->field[i].value_len)))
			return false;
	return true;
}

/* --- groups (RFC 9875) --------------------------------------------------- */

static bool
stays(char c)
{
	return c > ' ' && c < 0x7f && c != '%' && c != ',';
}

static char *
put_escaped(char *to, char c)
{
	static const char hex[] = "0123456789ABCDEF";

	if (stays(c)) {
		*to++ = c;
		return to;
	}
	*to++ = '%';
	*to++ = hex[(unsigned char)c >> 4];
	*to++ = hex[c & 15];
	return to;
}

static char *
put_host(char *to, struct str host)
{
	memcpy(to, "group:", 6);
	to += 6;
	for (size_t i = 0; i < host.len; i++)
		to = put_escaped(to, host.p[i] >= 'A' && host.p[i] <= 'Z' ?
		    (char)(host.p[i] | 0x20) : host.p[i]);
	*to++ = ':';
	return to;
}

/*
 * The next string of a list of them (RFC 8941 3.1, 3.3.3), as a tag; moves
 * *p.  NULL: the end, or what is no such list.
 */
static char *
next_group(const char **p, const char *end, struct str host, char *to)
{
	const char *s = *p;

	while (s < end && (*s == ' ' || *s == '\t' || *s == ','))
		s++;
	if (s == end || *s++ != '"')
		return NULL;
	to = put_host(to, host);
	for (; s < end && *s != '"'; s++) {
		if (*s == '\\' && ++s == end)
			return NULL;
		to = put_escaped(to, *s);
	}
	if (s == end)
		return NULL;
	/* parameters mean nothing (RFC 9875 2) */
	while (s < end && *s != ',')
		s++;
	*p = s;
	return to;
}

/* The groups of a header as tags; STR_NULL: none.  false: no room. */
static bool
groups_of(struct fetch *f, struct str header, struct str *out)
{
	struct field_name name = {header, field_id(header)};
	struct str host = http_get(&f->bereq0, FIELD_HOST);
	struct str list = STR_NULL;
	int i = http_find(&f->beresp, &name, 0);
	char *start, *to, *next;
	const char *p, *end;
	size_t commas = 1;

	*out = STR_NULL;
	if (i < 0)
		return true;
	for (; i >= 0; i = http_find(&f->beresp, &name, (unsigned)i + 1)) {
		const struct field *v = &f->beresp.field[i];

		list = list.p == NULL ? str_of(v->value, v->value_len) :
		    arena_printf(&f->ws, "%.*s, %.*s", STR_ARG(list),
		    (int)v->value_len, v->value);
		if (list.p == NULL)
			return false;
	}
	for (size_t k = 0; k < list.len; k++)
		commas += list.p[k] == ',';
	/* each byte at most three; each group its host */
	start = to = arena_bytes(&f->ws, 3 * list.len +
	    commas * (3 * host.len + 9));
	if (start == NULL)
		return false;
	end = list.p + list.len;
	for (p = list.p; (next = next_group(&p, end, host, to)) != NULL;) {
		to = next;
		*to++ = ' ';
	}
	*out = str_of(start, (size_t)(to - start));
	return true;
}

bool
tags_of_invalidation(struct fetch *f, struct str *out)
{
	*out = STR_NULL;
	return !params->tag_headers || groups_of(f, invalidation_header, out);
}

bool
tags_of_response(struct fetch *f, struct str *out)
{
	struct words w = {0};
	struct str groups = STR_NULL, search;
	bool ok = search_family_tag(f, &search) && words_add(&w, search) &&
	    words_add(&w, f->tags) && words_add(&w, f->query_family);

	*out = STR_NULL;
	if (params->tag_headers) {
		for (size_t i = 0; ok && i < sizeof tag_headers /
		    sizeof *tag_headers; i++)
			ok = words_add_header(&w, &f->beresp, tag_headers[i]);
		ok = ok && groups_of(f, groups_header, &groups) &&
		    words_add(&w, groups);
	}
	if (ok && imports_xkey(f->program))
		ok = words_add_header(&w, &f->beresp, hashtwo_header) &&
		    (params->tag_headers ||
		    words_add_header(&w, &f->beresp, STR("xkey")));
	if (ok && w.n > 0)
		ok = words_join(&w, &f->ws, out);
	free(w.word);
	return ok;
}

void
tags_strip(struct http *h)
{
	for (size_t i = 0; i < sizeof tag_headers / sizeof *tag_headers; i++)
		http_unset_name(h, &(struct field_name){tag_headers[i],
		    field_id(tag_headers[i])});
	http_unset_name(h, &(struct field_name){groups_header, FIELD_OTHER});
	http_unset_name(h, &(struct field_name){invalidation_header,
	    FIELD_OTHER});
}
