/*
 * declare.c - backend, probe and acl: what is declared, not executed.
 *
 * Their attributes are constants, and become the C text of a struct's fields
 * at once; the tables here have their order, which emit.c uses too.
 */
#include "declare.h"
#include "emit.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "parser.h"
#include "sock.h"

const struct vcc_attribute vcc_backend_attributes[] = {
    {"host", ".host", A_STRING, NULL, 0, 0},
    {"port", ".port", A_PORT, NULL, 1, 65535},
    {"path", ".path", A_STRING, NULL, 0, 0},
    {"host_header", ".host_header", A_STRING, NULL, 0, 0},
    {"connect_timeout", ".connect_timeout", A_DURATION, "-1", 0, 0},
    {"first_byte_timeout", ".first_byte_timeout", A_DURATION, "-1", 0, 0},
    {"between_bytes_timeout", ".between_bytes_timeout", A_DURATION, "-1", 0, 0},
    {"wait_timeout", ".wait_timeout", A_DURATION, "-1", 0, 0},
    {"wait_limit", ".wait_limit", A_INT, "-1", 0, 1000000},
    {"max_connections", ".max_connections", A_INT, NULL, 0, 1000000},
    {"proxy_header", ".proxy_header", A_INT, NULL, 1, 2},
    {"preamble", ".preamble", A_BLOB, NULL, 0, 0},
    {"probe", ".probe", A_PROBE, NULL, 0, 0},
    {"via", ".via", A_BACKEND, NULL, 0, 0},
    {"authority", ".authority", A_STRING, NULL, 0, 0},
    {"idle_timeout", ".idle_timeout", A_DURATION, "-1", 0, 0},
    {"max_idle", ".max_idle", A_INT, "-1", 0, 1000000},
    {NULL, NULL, A_STRING, NULL, 0, 0},
};

const struct vcc_attribute vcc_probe_attributes[] = {
    {"url", ".url", A_STRING, NULL, 0, 0},
    {"request", ".request", A_LINES, NULL, 0, 0},
    {"expected_response", ".expected_response", A_INT, "-1", 100, 999},
    {"timeout", ".timeout", A_DURATION, "-1", 0, 0},
    {"interval", ".interval", A_DURATION, "-1", 0, 0},
    {"window", ".window", A_INT, "-1", 0, 64},
    {"threshold", ".threshold", A_INT, "-1", 0, 64},
    {"initial", ".initial", A_INT, "-1", 0, 1000000},
    {"expect_close", ".expect_close", A_BOOL, "true", 0, 0},
    {NULL, NULL, A_STRING, NULL, 0, 0},
};

_Static_assert(sizeof(vcc_backend_attributes) /
	sizeof(*vcc_backend_attributes) - 1 <= VCC_ATTRIBUTE_MAX,
    "a record has room for all");

/* numbers of attributes that are looked at here */
enum { HOST = 0, PORT = 1, PATH = 2, VIA = 13, AUTHORITY = 14 };
enum { URL = 0, REQUEST = 1, WINDOW = 5, THRESHOLD = 6, INITIAL = 7 };

static struct vcc_record *parse_probe_body(
    struct vcc_parser *, struct str, struct vcc_span at);

static const char *
value_name(enum vcc_attribute_type type)
{
	switch (type) {
	case A_STRING:
	case A_LINES:
		return "a string";
	case A_PORT:
		return "a port's number or name";
	case A_DURATION:
		return "a duration: a number with ms, s, m, h, d, w or y";
	case A_INT:
		return "a number";
	case A_BOOL:
		return "true or false";
	case A_BLOB:
		return "a BLOB";
	case A_PROBE:
		return "the name of a probe, or '{'";
	case A_BACKEND:
		return "the name of a backend";
	}
	return "a value";
}

/*
 * Strings side by side, which are raw; for A_LINES each with CR LF, and one at
 * the end.
 */
static const char *
string_value(struct vcc_parser *p, bool lines, struct str *raw)
{
	struct vcc_buf text = {.mem = &p->c->mem};
	struct vcc_buf literal = {.mem = &p->c->mem};

	do {
		vcc_put(&text, p->t.text.p, p->t.text.len);
		if (lines)
			vcc_puts(&text, "\r\n");
		vcc_advance(p);
		if (!lines)
			vcc_take(p, '+');
	} while (p->t.kind == T_STRING);
	if (lines)
		vcc_puts(&text, "\r\n");
	*raw = str_of(text.p, text.len);
	vcc_emit_str(&literal, *raw);
	/* without its cast: it initialises a static object */
	return literal.p;
}

static const char *
number_value(
    struct vcc_parser *p, const struct vcc_attribute *a, int64_t *value)
{
	struct vcc_token t = p->t;

	vcc_advance(p);
	*value = t.i;
	if (t.i >= a->min && t.i <= a->max)
		return vcc_printf(&p->c->mem, "%lld", (long long)t.i);
	vcc_error(p->c, t.at, "'.%s' must be from %lld to %lld", a->name,
	    (long long)a->min, (long long)a->max);
	return "0";
}

static const char *
blob_value(struct vcc_parser *p)
{
	struct vcc_buf b = {.mem = &p->c->mem};

	vcc_puts(&b, "{");
	vcc_emit_literal(&b, p->t.text);
	vcc_putf(&b, ", %zu}", p->t.text.len);
	vcc_advance(p);
	return b.p;
}

static const char *
probe_value(struct vcc_parser *p, struct vcc_record *r)
{
	r->probe_at = p->t.at;
	if (p->t.kind == '{') {
		r->probe = parse_probe_body(p, STR_NULL, r->at);
		return r->probe ? "" : NULL;
	}
	r->probe_name = p->t.text;
	vcc_advance(p);
	return "";
}

/* The backend to go through is made first, so it has to be declared first. */
static const char *
via_value(struct vcc_parser *p)
{
	struct vcc_symbol *s = vcc_find(p->c, p->t.text);
	struct vcc_buf text = {.mem = &p->c->mem};

	if (s == NULL || s->kind != SYMBOL_BACKEND || s->record == NULL) {
		vcc_error(p->c, p->t.at,
		    "'.via' needs a backend that is declared before this one");
		return NULL;
	}
	if (s->record->none || s->record->value[VIA]) {
		vcc_error(p->c, p->t.at,
		    "'.via' can't go through a backend that %s",
		    s->record->none ? "is 'none'" : "has '.via' itself");
		return NULL;
	}
	s->used = true;
	vcc_puts(&text, "&");
	vcc_emit_name(&text, "backend", s->record->number, s->record->name);
	vcc_advance(p);
	return text.p;
}

/* The value as C text; NULL after an error. */
static const char *
parse_value(struct vcc_parser *p, const struct vcc_attribute *a,
    struct vcc_record *r, int64_t *number, struct str *raw)
{
	const char *text;
	bool is_true;

	switch (a->type) {
	case A_STRING:
		if (p->t.kind == T_STRING)
			return string_value(p, false, raw);
		break;
	case A_LINES:
		if (p->t.kind == T_STRING)
			return string_value(p, true, raw);
		break;
	case A_PORT:
		if (p->t.kind == T_STRING)
			return string_value(p, false, raw);
		if (p->t.kind == T_INT) {
			text = number_value(p, a, number);
			*raw = str_from_z(text);
			return vcc_printf(
			    &p->c->mem, "{\"%s\", %zu}", text, strlen(text));
		}
		break;
	case A_DURATION:
		if (p->t.kind == T_DURATION) {
			text = vcc_printf(&p->c->mem, "%.17g", p->t.d);
			vcc_advance(p);
			return text;
		}
		break;
	case A_INT:
		if (p->t.kind == T_INT)
			return number_value(p, a, number);
		break;
	case A_BOOL:
		is_true = vcc_is_word(p, "true");
		if (is_true || vcc_is_word(p, "false")) {
			vcc_advance(p);
			return is_true ? "true" : "false";
		}
		break;
	case A_BLOB:
		if (p->t.kind == T_BLOB)
			return blob_value(p);
		break;
	case A_PROBE:
		if (p->t.kind == T_ID || p->t.kind == '{')
			return probe_value(p, r);
		break;
	case A_BACKEND:
		if (p->t.kind == T_ID)
			return via_value(p);
		break;
	}
	vcc_unexpected(p, vcc_printf(&p->c->mem, "%s for '.%s'",
			      value_name(a->type), a->name));
	return NULL;
}

static const struct vcc_attribute *
find_attribute(
    struct vcc_parser *p, const struct vcc_attribute *all, const char *kind)
{
	struct vcc_nearest nearest = vcc_nearest(p->t.text);

	for (const struct vcc_attribute *a = all; a->name; a++) {
		if (str_eq(p->t.text, str_from_z(a->name)))
			return a;
		vcc_nearest_try(&nearest, str_from_z(a->name));
	}
	vcc_error(p->c, p->t.at, "a %s has no attribute '.%.*s'%s", kind,
	    STR_ARG(p->t.text), vcc_did_you_mean(p->c, &nearest));
	return NULL;
}

/* .name = value; false after an error */
static bool
parse_attribute(struct vcc_parser *p, struct vcc_record *r,
    const struct vcc_attribute *all, const char *kind)
{
	const struct vcc_attribute *a;
	size_t i;

	if (vcc_is_word(p, "include"))
		return vcc_parse_include(p);
	if (!vcc_take(p, '.')) {
		vcc_unexpected(p, "an attribute: '.name = value;'");
		return false;
	}
	if (p->t.kind != T_ID) {
		vcc_unexpected(p, "the attribute's name");
		return false;
	}
	a = find_attribute(p, all, kind);
	if (a == NULL)
		return false;
	i = (size_t)(a - all);
	if (r->value[i]) {
		vcc_error(p->c, p->t.at, "'.%s' is given twice", a->name);
		vcc_note(p->c, r->value_at[i], "it was given here");
	}
	r->value_at[i] = p->t.at;
	vcc_advance(p);
	if (!vcc_expect(p, '=', "after the attribute's name"))
		return false;
	r->value[i] = parse_value(p, a, r, &r->value_i[i], &r->text[i]);
	if (r->value[i] == NULL)
		return false;
	if (r->probe && a->type == A_PROBE) {
		vcc_take(p, ';'); /* it has a block, the ';' may be left out */
		return true;
	}
	return vcc_expect(p, ';', "after the value");
}

/* { attributes } */
static bool
parse_attributes(struct vcc_parser *p, struct vcc_record *r,
    const struct vcc_attribute *all, const char *kind)
{
	struct vcc_span open = p->t.at;

	if (p->t.kind != '{') {
		vcc_unexpected(p, "'{'");
		return false;
	}
	vcc_advance(p);
	p->block_depth++;
	while (!vcc_at_block_end(p, open)) {
		if (!parse_attribute(p, r, all, kind))
			vcc_skip_statement(p);
	}
	p->block_depth--;
	vcc_take(p, '}');
	return true;
}

static void
check_probe(struct vcc *c, const struct vcc_record *r)
{
	const int64_t *v = r->value_i;
	int64_t window = v[WINDOW], threshold = v[THRESHOLD];

	if (r->value[URL] && r->value[REQUEST])
		vcc_error(c, r->value_at[REQUEST],
		    "a probe has '.url' or '.request', not both");
	if (r->value[WINDOW] && !r->value[THRESHOLD])
		vcc_error(c, r->value_at[WINDOW],
		    "a probe with '.window' needs '.threshold' too: how many "
		    "of them must be good");
	else if (r->value[THRESHOLD] && r->value[WINDOW] && threshold > window)
		vcc_error(c, r->value_at[THRESHOLD],
		    "'.threshold' must not be larger than '.window', which is "
		    "%lld",
		    (long long)window);
}

static struct vcc_record *
parse_probe_body(struct vcc_parser *p, struct str name, struct vcc_span at)
{
	struct vcc *c = p->c;
	struct vcc_record *r = vcc_alloc(&c->mem, sizeof(*r));

	r->name = name;
	r->at = at;
	if (!parse_attributes(p, r, vcc_probe_attributes, "probe"))
		return NULL;
	check_probe(c, r);
	r->number = c->probe_n++;
	*c->probe_end = r;
	c->probe_end = &r->next;
	return r;
}

void
vcc_parse_probe(struct vcc_parser *p)
{
	struct vcc_span at = p->t.at;
	struct str name = vcc_expect_name(p, "the name of the probe");
	struct vcc_symbol *symbol;
	struct vcc_record *r;

	if (name.p == NULL) {
		vcc_skip_statement(p);
		return;
	}
	symbol = vcc_define(p->c, SYMBOL_PROBE, name, at);
	r = parse_probe_body(p, name, at);
	if (r == NULL)
		vcc_skip_statement(p);
	else if (symbol)
		symbol->record = r;
}

/* What no origin can be at.  DNS is asked later, by the worker. */
static void
check_address(struct vcc *c, const struct vcc_record *r)
{
	unsigned i = r->value[PATH] ? PATH : HOST;
	struct str port = r->text[PORT], where = r->text[i];
	char text[600], why[300];
	bool bare = true;

	if (where.len == 0) {
		vcc_error(c, r->value_at[i], "'.%s' is empty",
		    vcc_backend_attributes[i].name);
		return;
	}
	if (i == HOST)
		bare = addr_join(where, port.p ? port : STR("80"), text,
		    sizeof(text));
	else
		snprintf(text, sizeof(text), "%.*s", STR_ARG(where));
	if (port.p && !bare)
		vcc_error(c, r->value_at[PORT],
		    "'.host' has a port already");
	else if (i == PATH && text[0] != '/' && text[0] != '@')
		vcc_error(c, r->value_at[i],
		    "'.path' must be absolute: start with '/', or with '@' "
		    "for an abstract socket");
	else if (!addr_check(text, "80", why, sizeof(why)))
		vcc_error(c, r->value_at[i], "%s", why);
}

static void
check_backend(struct vcc *c, const struct vcc_record *r)
{
	if (r->value[HOST] && r->value[PATH])
		vcc_error(c, r->value_at[PATH],
		    "a backend has '.host' or '.path', not both");
	else if (!r->value[HOST] && !r->value[PATH])
		vcc_error(c, r->at,
		    "backend '%.*s' has no address: it needs "
		    "'.host' or '.path'",
		    STR_ARG(r->name));
	else
		check_address(c, r);
	if (r->value[VIA] && r->value[PATH])
		vcc_error(c, r->value_at[VIA],
		    "'.via' needs '.host': a proxy is told an address, not a "
		    "'.path'");
	if (r->value[AUTHORITY] && !r->value[VIA])
		vcc_warning(c, r->value_at[AUTHORITY],
		    "'.authority' means nothing without '.via'");
}

void
vcc_parse_backend(struct vcc_parser *p)
{
	struct vcc *c = p->c;
	struct vcc_span at = p->t.at;
	struct str name = vcc_expect_name(p, "the name of the backend");
	struct vcc_symbol *symbol;
	struct vcc_record *r;
	unsigned errors = c->error_n;

	if (name.p == NULL) {
		vcc_skip_statement(p);
		return;
	}
	symbol = vcc_define(c, SYMBOL_BACKEND, name, at);
	r = vcc_alloc(&c->mem, sizeof(*r));
	r->name = name;
	r->at = at;
	if (vcc_is_word(p, "none")) {
		vcc_advance(p);
		r->none = true;
		vcc_expect(p, ';', "after 'none'");
	} else if (!parse_attributes(p, r, vcc_backend_attributes, "backend"))
		vcc_skip_statement(p);
	if (!r->none && c->error_n == errors)
		check_backend(c, r);
	r->number = c->backend_n++;
	*c->backend_end = r;
	c->backend_end = &r->next;
	if (symbol == NULL)
		return;
	symbol->record = r;
	if (c->default_backend == NULL || str_caseeq(name, STR("default")))
		c->default_backend = symbol;
}

/* fold(-report): folding is never reported here, so that is all it can say. */
static bool
parse_fold_report(struct vcc_parser *p)
{
	vcc_advance(p);
	if (!vcc_expect(p, '-', "of fold(-report)"))
		return false;
	if (!vcc_is_word(p, "report")) {
		vcc_unexpected(p, "'report'");
		return false;
	}
	vcc_advance(p);
	return vcc_expect(p, ')', "after '-report'");
}

static bool
parse_acl_flags(struct vcc_parser *p, struct vcc_acl *a)
{
	static const struct {
		const char *name;
		unsigned flag;
		bool inverted; /* the flag says that it is off */
	} flags[] = {
	    {"log", VCL_ACL_LOG, false}, {"fold", VCL_ACL_FOLD, false},
	    {"pedantic", VCL_ACL_NOT_PEDANTIC, true},
	    {"table", 0, false}, /* ours are tables at all times */
	};
	bool on;
	size_t i, n = sizeof(flags) / sizeof(*flags);

	while (p->t.kind == '+' || p->t.kind == '-') {
		on = p->t.kind == '+';
		vcc_advance(p);
		for (i = 0; i < n && !vcc_is_word(p, flags[i].name); i++)
			continue;
		if (i == n) {
			vcc_unexpected(
			    p, "a flag: log, fold, pedantic or table");
			return false;
		}
		if (on != flags[i].inverted)
			a->flags |= flags[i].flag;
		else
			a->flags &= ~flags[i].flag;
		vcc_advance(p);
		if (flags[i].flag == VCL_ACL_FOLD && p->t.kind == '(' &&
		    !parse_fold_report(p))
			return false;
	}
	return true;
}

/*
 * A network's first numbers alone, "10.1": with zeroes after them, and the
 * mask that their count means.
 */
static bool
complete_network(struct vcc *c, struct vcc_acl_entry *e)
{
	unsigned dots = 0;

	for (size_t i = 0; i < e->host.len; i++) {
		dots += e->host.p[i] == '.';
		if (e->host.p[i] != '.' &&
		    (e->host.p[i] < '0' || e->host.p[i] > '9'))
			return false;
	}
	if (dots > 2 || e->host.len == 0)
		return false;
	if (e->mask < 0)
		e->mask = 8 * (int)(dots + 1);
	e->host = str_from_z(vcc_printf(&c->mem, "%.*s%s", STR_ARG(e->host),
	    dots == 0   ? ".0.0.0"
	    : dots == 1 ? ".0.0"
			: ".0"));
	return true;
}

static bool
has_host_bits(const unsigned char *addr, unsigned bits, unsigned mask)
{
	for (unsigned i = mask; i < bits; i++) {
		if (addr[i / 8] & (0x80 >> i % 8))
			return true;
	}
	return false;
}

/* One network cannot be both in the acl and not. */
static void
check_acl_conflict(struct vcc *c, struct vcc_acl *a,
    const struct vcc_acl_entry *e, unsigned char *addr, unsigned bits)
{
	unsigned mask = e->mask >= 0 ? (unsigned)e->mask : bits, n;
	char *key = vcc_alloc(&c->mem, 2 + bits / 8);
	bool is_new;

	for (unsigned i = mask; i < bits; i++)
		addr[i / 8] &= (unsigned char)~(0x80 >> i % 8);
	key[0] = (char)bits;
	key[1] = (char)mask;
	memcpy(key + 2, addr, bits / 8);
	n = vcc_intern(
	    c, a->seen, str_of(key, 2 + bits / 8), a->entry_n, &is_new);
	if (!is_new && a->entry[n].negated != e->negated)
		vcc_error(c, e->at,
		    "the same network is there without and with '!'");
}

/* One ':' would be before a port, which an acl does not look at. */
static bool
is_host(struct str s)
{
	unsigned colons = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || strchr("[]/", s.p[i]))
			return false;
		colons += s.p[i] == ':';
	}
	return s.len > 0 && colons != 1;
}

static void
check_acl_entry(struct vcc *c, struct vcc_acl *a, struct vcc_acl_entry *e)
{
	unsigned char addr[16];
	unsigned bits = 0;
	const char *z;
	char why[300];

	complete_network(c, e);
	if (!is_host(e->host)) {
		vcc_error(c, e->at,
		    "expected an address or a host's name: \"10.0.0.0\"/8");
		return;
	}
	z = vcc_printf(&c->mem, "%.*s", STR_ARG(e->host));
	if (inet_pton(AF_INET, z, addr) == 1)
		bits = 32;
	else if (inet_pton(AF_INET6, z, addr) == 1)
		bits = 128;
	else if (!e->optional && !addr_check(z, "80", why, sizeof(why))) {
		vcc_error(c, e->at, "%s", why);
		return;
	}
	if (e->mask > (int)(bits ? bits : 128)) {
		vcc_error(c, e->at, "a mask of %d bits; the address has %u",
		    e->mask, bits ? bits : 128);
		return;
	}
	if (bits && e->mask >= 0 && !(a->flags & VCL_ACL_NOT_PEDANTIC) &&
	    has_host_bits(addr, bits, (unsigned)e->mask))
		vcc_error(c, e->at,
		    "bits of the address are set beyond its "
		    "mask of %d bits; 'acl %.*s -pedantic' would allow that",
		    e->mask, STR_ARG(a->name));
	if (bits)
		check_acl_conflict(c, a, e, addr, bits);
}

/* "host/24" in one string */
static bool
split_mask(struct vcc_acl_entry *e)
{
	const char *slash = memchr(e->host.p, '/', e->host.len);
	uint64_t mask;

	if (slash == NULL)
		return true;
	if (!str_to_u64(str_of(slash + 1,
			    (size_t)(e->host.p + e->host.len - slash - 1)),
		&mask) ||
	    mask > 128)
		return false;
	e->mask = (int)mask;
	e->host.len = (size_t)(slash - e->host.p);
	return true;
}

/* [!] [(] "host" [/ mask] [)] ; */
static bool
parse_acl_entry(struct vcc_parser *p, struct vcc_acl *a)
{
	struct vcc_acl_entry e = {.mask = -1};

	if (vcc_is_word(p, "include"))
		return vcc_parse_include(p);
	e.negated = vcc_take(p, '!');
	e.optional = vcc_take(p, '(');
	if (e.optional && vcc_take(p, '!'))
		e.negated = true;
	if (p->t.kind != T_STRING) {
		vcc_unexpected(p, "an address or a host's name in quotes");
		return false;
	}
	e.host = p->t.text;
	e.at = p->t.at;
	if (!split_mask(&e)) {
		vcc_error(p->c, e.at, "the mask must be from 0 to 128");
		return false;
	}
	vcc_advance(p);
	if (p->t.kind == '/' && e.mask >= 0) {
		vcc_error(p->c, p->t.at, "the mask is given twice");
		return false;
	}
	if (vcc_take(p, '/')) {
		if (p->t.kind != T_INT) {
			vcc_unexpected(p, "the number of bits in the mask");
			return false;
		}
		e.mask = p->t.i > 128 ? 129 : (int)p->t.i;
		e.at = vcc_span_join(e.at, p->t.at);
		vcc_advance(p);
	}
	if (e.optional && !vcc_expect(p, ')', "to close '('"))
		return false;
	check_acl_entry(p->c, a, &e);
	a->entry =
	    vcc_grow(&p->c->mem, a->entry, a->entry_n, sizeof(*a->entry));
	a->entry[a->entry_n++] = e;
	return vcc_expect(p, ';', "after the entry");
}

void
vcc_parse_acl(struct vcc_parser *p)
{
	struct vcc *c = p->c;
	struct vcc_span at = p->t.at, open;
	struct str name = vcc_expect_name(p, "the name of the acl");
	struct vcc_symbol *symbol;
	struct vcc_acl *a;

	if (name.p == NULL) {
		vcc_skip_statement(p);
		return;
	}
	symbol = vcc_define(c, SYMBOL_ACL, name, at);
	a = vcc_alloc(&c->mem, sizeof(*a));
	a->seen = vcc_alloc(&c->mem, sizeof(*a->seen));
	a->name = name;
	a->at = at;
	if (!parse_acl_flags(p, a) || p->t.kind != '{') {
		if (p->t.kind != '{')
			vcc_unexpected(p, "'{'");
		vcc_skip_statement(p);
		return;
	}
	open = p->t.at;
	vcc_advance(p);
	p->block_depth++;
	while (!vcc_at_block_end(p, open)) {
		if (!parse_acl_entry(p, a))
			vcc_skip_statement(p);
	}
	p->block_depth--;
	vcc_take(p, '}');
	a->number = c->acl_n++;
	*c->acl_end = a;
	c->acl_end = &a->next;
	if (symbol)
		symbol->acl = a;
}
