/*
 * symbols.c - names and what they stand for.
 *
 * Two hash tables, one of subs and one of all else, and the tables of
 * include/tbl/ as the compiler sees them.
 */
#include "symbols.h"

#include "compiler.h"

/* Bits of the built-in subs, by side. */
#define VS(id)  (1u << VCL_SUB_##id)
#define VS_NONE 0u

enum {
#define CLIENT                            1
#define BACKEND                           2
#define HOUSEKEEPING                      4
#define VCL_SUB(id, name, side, verdicts) SIDE_##id = (side),
#include "tbl/vcl_subs.h"
#undef VCL_SUB
};

enum {
	VS_CLIENT = 0
#define VCL_SUB(id, name, side, verdicts) | (SIDE_##id == CLIENT ? VS(id) : 0)
#include "tbl/vcl_subs.h"
#undef VCL_SUB
	,
	VS_BACKEND = 0
#define VCL_SUB(id, name, side, verdicts) | (SIDE_##id == BACKEND ? VS(id) : 0)
#include "tbl/vcl_subs.h"
#undef VCL_SUB
	,
	VS_HOUSE = 0
#define VCL_SUB(id, name, side, verdicts) \
	| (SIDE_##id == HOUSEKEEPING ? VS(id) : 0)
#include "tbl/vcl_subs.h"
#undef VCL_SUB
	,
	VS_ALL = VS_CLIENT | VS_BACKEND | VS_HOUSE
};
#undef CLIENT
#undef BACKEND
#undef HOUSEKEEPING

const struct vcc_var vcc_vars[] = {
#define VCL_VAR(c_name, name, type, read, write, unset, doc) \
	{#c_name, name, TYPE_##type, read, write, unset},
#include "tbl/vcl_vars.h"
#undef VCL_VAR
};
const unsigned vcc_var_n = sizeof(vcc_vars) / sizeof(*vcc_vars);

static const struct vcc_head heads[] = {
#define VCL_HEAD(id, name, use, read, write, unset, doc) \
	{"VCL_HTTP_" #id, name, use, read, write, unset},
#include "tbl/vcl_heads.h"
#undef VCL_HEAD
};

/* What VR(x) is in each sub's list: bits of enum vcl_ret. */
#define VR(id) | (1u << VCL_RET_##id)
static const struct {
	const char *name;
	unsigned verdicts;
} subs[VCL_SUB_MAX] = {
#define VCL_SUB(id, name, side, verdicts) [VCL_SUB_##id] = {name, 0 verdicts},
#include "tbl/vcl_subs.h"
#undef VCL_SUB
};
#undef VR

static const struct {
	const char *word, *id;
	enum vcc_verdict_args args;
} verdicts[] = {
    [VCL_RET_NONE] = {"", "VCL_RET_NONE", NO_ARGS},
#define VCL_VERDICT(id, word, args) \
	[VCL_RET_##id] = {word, "VCL_RET_" #id, args},
#include "tbl/vcl_verdicts.h"
#undef VCL_VERDICT
};
static const int verdict_n = sizeof(verdicts) / sizeof(*verdicts);

static const struct {
	const char *name;
	enum vcc_type type;
} kinds[] = {
    [SYMBOL_BACKEND] = {"a backend", TYPE_BACKEND},
    [SYMBOL_PROBE] = {"a probe", TYPE_PROBE},
    [SYMBOL_ACL] = {"an acl", TYPE_ACL},
    [SYMBOL_SUB] = {"a sub", TYPE_SUB},
    [SYMBOL_MODULE] = {"a module", TYPE_MAX},
    [SYMBOL_OBJECT] = {"an object", TYPE_MAX},
    [SYMBOL_VAR] = {"a variable", TYPE_MAX},
    [SYMBOL_FUNCTION] = {"a function", TYPE_MAX},
};

/* FNV-1a; of names too, where it is the same in either case */
static unsigned
hash(struct str s)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ ((unsigned char)s.p[i] | 0x20u)) * 16777619u;
	return h;
}

static bool
is_same(const struct vcc_symbols *t, struct str a, struct str b)
{
	return t->is_text ? str_eq(a, b) : str_caseeq(a, b);
}

/* The slot of a name: it is there, or would be. */
static struct vcc_symbol **
slot_of(const struct vcc_symbols *t, struct str name, unsigned h)
{
	unsigned i = h & (t->slot_n - 1);

	while (t->slot[i] &&
	       (t->slot[i]->hash != h || !is_same(t, t->slot[i]->name, name)))
		i = (i + 1) & (t->slot_n - 1);
	return &t->slot[i];
}

static void
resize(struct vcc *c, struct vcc_symbols *t)
{
	t->slot_n = t->slot_n ? 4 * t->slot_n : 512;
	t->slot = vcc_alloc(&c->mem, t->slot_n * sizeof(*t->slot));
	for (struct vcc_symbol *s = t->first; s; s = s->next)
		*slot_of(t, s->name, s->hash) = s;
	if (t->end == NULL)
		t->end = &t->first;
}

static struct vcc_symbol *
insert(struct vcc *c, struct vcc_symbols *t, enum vcc_symbol_kind kind,
    struct str name)
{
	struct vcc_symbol *s = vcc_alloc(&c->mem, sizeof(*s));

	if (2 * t->n >= t->slot_n)
		resize(c, t);
	s->kind = kind;
	s->name = name;
	s->hash = hash(name);
	*slot_of(t, name, s->hash) = s;
	*t->end = s;
	t->end = &s->next;
	t->n++;
	return s;
}

static void
add_method(struct vcc *c, enum vcc_type of, const char *name,
    enum vcc_type result, const char *c_name)
{
	struct vcc_function *f = vcc_alloc(&c->mem, sizeof(*f));

	f->name = str_from_z(name);
	f->type = result;
	f->c_name = c_name;
	f->allowed = VS_ALL;
	f->inlined = true;
	f->next = c->method[of];
	c->method[of] = f;
}

static void
add_function(struct vcc *c, const char *name, const char *description,
    const char *c_name, unsigned allowed)
{
	struct vcc_function *f = vcc_function_from_text(c, description);

	f->c_name = c_name;
	f->allowed = allowed;
	f->inlined = true;
	insert(c, &c->symbols, SYMBOL_FUNCTION, str_from_z(name))->function = f;
}

void
vcc_symbols_init(struct vcc *c)
{
	resize(c, &c->symbols);
	resize(c, &c->subs_by_name);
	resize(c, &c->probes_by_name);
	for (unsigned i = 0; i < vcc_var_n; i++)
		insert(c, &c->symbols, SYMBOL_VAR, str_from_z(vcc_vars[i].name))
		    ->var = &vcc_vars[i];
	c->var_used = vcc_alloc(&c->mem, vcc_var_n);
#define VCL_FUNCTION(name, description, c_name, allowed, doc) \
	add_function(c, name, description, c_name, allowed);
#define VCL_METHOD(type, name, result, c_name, doc) \
	add_method(c, TYPE_##type, name, TYPE_##result, c_name);
#include "tbl/vcl_functions.h"
}

struct vcc_symbol *
vcc_find(struct vcc *c, struct str name)
{
	return *slot_of(&c->symbols, name, hash(name));
}

struct vcc_symbol *
vcc_find_sub(struct vcc *c, struct str name)
{
	return *slot_of(&c->subs_by_name, name, hash(name));
}

struct vcc_symbol *
vcc_find_probe(struct vcc *c, struct str name)
{
	return *slot_of(&c->probes_by_name, name, hash(name));
}

/* Words of the language, which can't name anything. */
static bool
is_reserved(enum vcc_symbol_kind kind, struct str name)
{
	static const char *const words[] = {"acl", "backend", "call", "default",
	    "else", "elseif", "elsif", "elif", "false", "if", "import",
	    "include", "new", "probe", "return", "set", "sub", "true", "unset",
	    "vcl", "req", "req_top", "bereq", "beresp", "resp"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (str_caseeq(name, str_from_z(words[i])))
			return true;
	}
	return kind != SYMBOL_SUB && str_casestarts(name, STR("vcl_"));
}

static struct vcc_symbols *
table_of(struct vcc *c, enum vcc_symbol_kind kind)
{
	return kind == SYMBOL_SUB     ? &c->subs_by_name
	       : kind == SYMBOL_PROBE ? &c->probes_by_name
				      : &c->symbols;
}

struct vcc_symbol *
vcc_define(struct vcc *c, enum vcc_symbol_kind kind, struct str name,
    struct vcc_span at)
{
	struct vcc_symbols *t = table_of(c, kind);
	struct vcc_symbol *s = *slot_of(t, name, hash(name));
	bool may_be_default = kind == SYMBOL_BACKEND || kind == SYMBOL_PROBE;

	if (memchr(name.p, '.', name.len)) {
		vcc_error(
		    c, at, "the name of %s can't have a dot", kinds[kind].name);
		return NULL;
	}
	if (is_reserved(kind, name) &&
	    !(may_be_default && str_caseeq(name, STR("default")))) {
		vcc_error(c, at,
		    "'%.*s' can't be the name of %s: it means "
		    "something in VCL",
		    STR_ARG(name), kinds[kind].name);
		return NULL;
	}
	if (s) {
		vcc_error(c, at, "'%.*s' is already the name of %s",
		    STR_ARG(name), kinds[s->kind].name);
		if (s->at.source)
			vcc_note(c, s->at, "it was defined here");
		return NULL;
	}
	s = insert(c, t, kind, name);
	s->at = at;
	return s;
}

unsigned
vcc_intern(struct vcc *c, struct vcc_symbols *t, struct str key, unsigned n,
    bool *is_new)
{
	struct vcc_symbol *s;

	t->is_text = true;
	if (t->slot_n == 0)
		resize(c, t);
	s = *slot_of(t, key, hash(key));
	*is_new = s == NULL;
	if (s == NULL) {
		s = insert(c, t, SYMBOL_VAR, key);
		s->number = n;
	}
	return s->number;
}

const char *
vcc_symbol_kind_name(enum vcc_symbol_kind kind)
{
	return kinds[kind].name;
}

enum vcc_type
vcc_symbol_type(const struct vcc_symbol *s)
{
	return kinds[s->kind].type;
}

void
vcc_nearest_symbol(
    struct vcc *c, struct vcc_nearest *nearest, enum vcc_symbol_kind kind)
{
	struct vcc_symbols *t = table_of(c, kind);

	for (struct vcc_symbol *s = t->first; s; s = s->next) {
		if (s->kind == kind)
			vcc_nearest_try(nearest, s->name);
	}
}

const struct vcc_head *
vcc_head(unsigned http)
{
	return &heads[http];
}

unsigned
vcc_head_n(void)
{
	return sizeof(heads) / sizeof(*heads);
}

int
vcc_find_head(struct str name)
{
	for (unsigned i = 0; i < vcc_head_n(); i++) {
		if (str_caseeq(name, str_from_z(heads[i].name)))
			return (int)i;
	}
	return -1;
}

const char *
vcc_sub_name(unsigned id)
{
	return subs[id].name;
}

int
vcc_find_builtin_sub(struct str name)
{
	for (unsigned i = 0; i < VCL_SUB_MAX; i++) {
		if (str_caseeq(name, str_from_z(subs[i].name)))
			return (int)i;
	}
	return -1;
}

unsigned
vcc_side_mask(struct str word)
{
	int id = vcc_find_builtin_sub(word);

	if (id >= 0)
		return 1u << id;
	if (str_eq(word, STR("client")))
		return VS_CLIENT;
	if (str_eq(word, STR("backend")))
		return VS_BACKEND;
	if (str_eq(word, STR("housekeeping")))
		return VS_HOUSE;
	return str_eq(word, STR("all")) ? VS_ALL : 0;
}

static void
put_item(struct vcc_buf *b, const char *text)
{
	if (b->len > 0)
		vcc_puts(b, ", ");
	vcc_puts(b, text);
}

const char *
vcc_mask_text(struct vcc *c, unsigned mask)
{
	struct vcc_buf b = {.mem = &c->mem};

	mask &= VS_SUBS;
	if (mask == VS_ALL)
		return "all subs";
	if ((mask & VS_CLIENT) == VS_CLIENT) {
		put_item(&b, "client subs");
		mask &= ~VS_CLIENT;
	}
	if ((mask & VS_BACKEND) == VS_BACKEND) {
		put_item(&b, "backend subs");
		mask &= ~VS_BACKEND;
	}
	for (unsigned i = 0; i < VCL_SUB_MAX; i++) {
		if (mask & (1u << i))
			put_item(&b, subs[i].name);
	}
	return b.p ? b.p : "nowhere";
}

int
vcc_find_verdict(struct str word)
{
	for (int i = 1; i < verdict_n; i++) {
		if (str_caseeq(word, str_from_z(verdicts[i].word)))
			return i;
	}
	return 0;
}

const char *
vcc_verdict_word(int verdict)
{
	return verdict < verdict_n ? verdicts[verdict].word : NULL;
}

const char *
vcc_verdict_id(int verdict)
{
	return verdicts[verdict].id;
}

unsigned
vcc_verdict_subs(int verdict)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < VCL_SUB_MAX; i++) {
		if (subs[i].verdicts & (1u << verdict))
			mask |= 1u << i;
	}
	return mask;
}

enum vcc_verdict_args
vcc_verdict_args(int verdict)
{
	return verdicts[verdict].args;
}
