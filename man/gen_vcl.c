/*
 * gen_vcl.c - VCL's tables, for vcl(7), vcl-steps(7), vcl-variables(7).
 *
 *   @vcl_vars@ @vcl_heads@ @vcl_steps@ @vcl_common@ @vcl_subs@
 *   @vcl_verdicts@ @vcl_types@ @vcl_functions@ @vcl_methods@
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen_tables.h"

/* ---- where something is allowed: bits of the subs, in their order ---- */

enum {
#define VCL_SUB(id, name, side, verdicts) SUB_##id,
#include "tbl/vcl_subs.h"
#undef VCL_SUB
	SUB_MAX
};

enum { CLIENT, BACKEND, HOUSEKEEPING };

static const struct {
	const char *name;
	int side;
	const char *verdicts;
} subs[] = {
#define VR(id)                            #id " "
#define VCL_SUB(id, name, side, verdicts) {name, side, verdicts},
#include "tbl/vcl_subs.h"
#undef VCL_SUB
#undef VR
};

#define VS(id)     (1u << SUB_##id)
#define VS_NONE    0u
#define VS_ONLY40  (1u << 30)
#define VS_ONLY41  (1u << 31)
#define VS_CLIENT  side_mask(CLIENT)
#define VS_BACKEND side_mask(BACKEND)
#define VS_ALL     ((1u << SUB_MAX) - 1)

static unsigned
side_mask(int side)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < SUB_MAX; i++) {
		if (subs[i].side == side)
			mask |= 1u << i;
	}
	return mask;
}

/* Before the n-th of a list, so that lines do not get long. */
static void
put_comma(unsigned *n)
{
	if (*n > 0)
		fputs(*n % 3 == 0 ? ",\n" : ", ", stdout);
	++*n;
}

/* "Readable in: client subs, vcl_pipe.", if anywhere */
static void
access(const char *what, unsigned mask)
{
	unsigned listed = 0;

	if ((mask & VS_ALL) == 0)
		return;
	printf(".br\n%s: ", what);
	if ((mask & VS_ALL) == VS_ALL) {
		fputs("all subs", stdout);
		mask &= ~VS_ALL;
		listed++;
	}
	if ((mask & VS_CLIENT) == VS_CLIENT) {
		put_comma(&listed);
		fputs("client subs", stdout);
		mask &= ~VS_CLIENT;
	}
	if ((mask & VS_BACKEND) == VS_BACKEND) {
		put_comma(&listed);
		fputs("backend subs", stdout);
		mask &= ~VS_BACKEND;
	}
	for (unsigned i = 0; i < SUB_MAX; i++) {
		if (mask & (1u << i)) {
			put_comma(&listed);
			put(subs[i].name);
		}
	}
	if (mask & VS_ONLY40)
		fputs("\n(VCL 4.0 only)", stdout);
	if (mask & VS_ONLY41)
		fputs("\n(from VCL 4.1 on)", stdout);
	puts(".");
}

static void
typed_item(const char *name, const char *type)
{
	fputs(".TP\n.BR ", stdout);
	put(name);
	printf(" \" (%s)\"\n", type);
}

static void
vcl_vars(void)
{
#define VCL_VAR(c_name, name, type, read, write, unset, doc) \
	typed_item(name, #type);                             \
	line(doc);                                           \
	access("Readable in", read);                         \
	access("Writable in", write);                        \
	access("Can be unset in", unset);
#define VCL_VARS_WITHOUT_PARAMS
#include "tbl/vcl_vars.h"
#undef VCL_VAR
}

static void
vcl_heads(void)
{
#define VCL_HEAD(id, name, usable, read, write, unset, doc) \
	item(name ".http.*");                               \
	line(doc);                                          \
	access("Readable in", read);                        \
	access("Writable in", write);                       \
	access("Can be unset in", unset);                   \
	access("As an HTTP in", usable);
#include "tbl/vcl_heads.h"
#undef VCL_HEAD
}

/* ---- subs and verdicts ---- */

static const struct {
	const char *id, *word, *args;
} verdicts[] = {
#define VCL_VERDICT(id, word, args) {#id, word, #args},
#include "tbl/vcl_verdicts.h"
#undef VCL_VERDICT
};

enum { VERDICT_N = sizeof(verdicts) / sizeof(*verdicts) };

/* Is id among the words of a list? */
static bool
lists(const char *list, const char *id)
{
	size_t len = strlen(id);

	for (; *list; list += strcspn(list, " ") + 1) {
		if (strncmp(list, id, len) == 0 && list[len] == ' ')
			return true;
	}
	return false;
}

/* what a sub is for, and what follows its verdicts; of all subs: SUB_MAX */
static const struct {
	unsigned sub;
	const char *verdict; /* NULL: of the sub itself */
	const char *text;
} docs[] = {
#define VCL_FOLLOWS_ALL(verdict, doc)  {SUB_MAX, #verdict " ", doc},
#define VCL_SUB_DOC(sub, doc)          {SUB_##sub, NULL, doc},
#define VCL_FOLLOWS(sub, verdict, doc) {SUB_##sub, #verdict " ", doc},
#include "tbl/vcl_sub_docs.h"
};

static const char *
find_doc(unsigned sub, const char *verdict)
{
	for (size_t i = 0; i < sizeof(docs) / sizeof(*docs); i++) {
		if (docs[i].sub != sub || !docs[i].verdict != !verdict)
			continue;
		if (verdict == NULL || lists(docs[i].verdict, verdict))
			return docs[i].text;
	}
	return NULL;
}

/* The build ends if the table does not say it. */
static void
put_doc(unsigned sub, const char *verdict)
{
	const char *doc = find_doc(sub, verdict);

	if (doc == NULL) {
		fprintf(stderr, "tbl/vcl_sub_docs.h has nothing of %s %s\n",
		    subs[sub].name, verdict ? verdict : "itself");
		exit(1);
	}
	line(doc);
}

static void
vcl_steps(void)
{
#define STEP(id, name, doc) \
	item(name);         \
	line(doc ".");
#include "tbl/steps.h"
#undef STEP
}

/* The verdicts that mean the same in every sub. */
static void
vcl_common(void)
{
	for (unsigned v = 0; v < VERDICT_N; v++) {
		const char *doc = find_doc(SUB_MAX, verdicts[v].id);

		if (doc == NULL)
			continue;
		item(verdicts[v].word);
		line(doc);
	}
}

static void
vcl_also(unsigned sub)
{
	bool first = true;

	for (unsigned v = 0; v < VERDICT_N; v++) {
		if (!lists(subs[sub].verdicts, verdicts[v].id) ||
		    !find_doc(SUB_MAX, verdicts[v].id))
			continue;
		fputs(first ? ".PP\nAlso: " : ", ", stdout);
		put(verdicts[v].word);
		first = false;
	}
	if (!first)
		puts(".");
}

static void
vcl_subs(void)
{
	for (unsigned i = 0; i < SUB_MAX; i++) {
		fputs(".SS ", stdout);
		line(subs[i].name);
		put_doc(i, NULL);
		for (unsigned v = 0; v < VERDICT_N; v++) {
			if (!lists(subs[i].verdicts, verdicts[v].id) ||
			    find_doc(SUB_MAX, verdicts[v].id))
				continue;
			item(verdicts[v].word);
			put_doc(i, verdicts[v].id);
		}
		vcl_also(i);
	}
}

/* Some words are known only to say that they are not to be used. */
static bool
is_returned(const char *id)
{
	for (unsigned i = 0; i < SUB_MAX; i++) {
		if (lists(subs[i].verdicts, id))
			return true;
	}
	return false;
}

static void
vcl_verdicts(void)
{
	static const struct {
		const char *args, *text;
	} forms[] = {
	    {"NO_ARGS", ""},
	    {"OPTIONAL_STRING", " or %s(\"why\")"},
	    {"OPTIONAL_DURATION", " or %s(10s)"},
	    {"OPTIONAL_STATUS_REASON", " or %s(503, \"Reason\")"},
	    {"STATUS_REASON", "(404, \"Reason\")"},
	    {"LABEL", "(label)"},
	};

	for (unsigned v = 0; v < VERDICT_N; v++) {
		unsigned listed = 0;
		char text[80];

		if (!is_returned(verdicts[v].id))
			continue;
		for (unsigned i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
			if (strcmp(forms[i].args, verdicts[v].args) != 0)
				continue;
			snprintf(text, sizeof(text), "%s%s", verdicts[v].word,
			    forms[i].text);
			/* "%s": the word once more */
			char *again = strstr(text, "%s");
			if (again)
				snprintf(again,
				    sizeof(text) - (size_t)(again - text),
				    "%s%s", verdicts[v].word,
				    strstr(forms[i].text, "%s") + 2);
			item(text);
		}
		fputs("In ", stdout);
		for (unsigned i = 0; i < SUB_MAX; i++) {
			if (lists(subs[i].verdicts, verdicts[v].id)) {
				put_comma(&listed);
				put(subs[i].name);
			}
		}
		puts(".");
	}
}

/* ---- types and functions ---- */

static void
vcl_types(void)
{
#define VCL_TYPE(id, to_string, takes_ctx, may_fail, doc) \
	item(#id);                                        \
	line(doc ".");
#include "tbl/vcl_types.h"
#undef VCL_TYPE
}

static void
vcl_functions(void)
{
#define VCL_FUNCTION(name, description, c_name, callable, doc) \
	item(description);                                     \
	line(doc);                                             \
	access("Callable in", callable);
#include "tbl/vcl_functions.h"
}

static void
vcl_methods(void)
{
#define VCL_METHOD(type, name, result, c_name, doc) \
	item(#result " " #type "." name "()");      \
	line(doc);
#include "tbl/vcl_functions.h"
}

bool
vcl_table(const char *buf)
{
	static const struct {
		const char *line;
		void (*write)(void);
	} tables[] = {
	    {"@vcl_vars@\n", vcl_vars},
	    {"@vcl_heads@\n", vcl_heads},
	    {"@vcl_steps@\n", vcl_steps},
	    {"@vcl_common@\n", vcl_common},
	    {"@vcl_subs@\n", vcl_subs},
	    {"@vcl_verdicts@\n", vcl_verdicts},
	    {"@vcl_types@\n", vcl_types},
	    {"@vcl_functions@\n", vcl_functions},
	    {"@vcl_methods@\n", vcl_methods},
	};

	for (unsigned i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		if (strcmp(buf, tables[i].line) == 0) {
			tables[i].write();
			return true;
		}
	}
	return false;
}
