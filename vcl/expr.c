/*
 * expr.c - gives expressions their types: operators and conversions.
 */
#include <limits.h>

#include "compiler.h"

static struct vcc_expr *check_any(
    struct vcc *, struct vcc_sub *, struct vcc_expr *, enum vcc_type want);
static struct vcc_expr *convert(
    struct vcc *, struct vcc_expr *, enum vcc_type want);

static struct vcc_expr *
node(struct vcc *c, enum vcc_expr_kind kind, enum vcc_type type,
    struct vcc_expr *a, struct vcc_expr *b)
{
	struct vcc_expr *e = vcc_alloc(&c->mem, sizeof(*e));

	e->kind = kind;
	e->type = type;
	e->at = b ? vcc_span_join(a->at, b->at) : a->at;
	e->may_fail = a->may_fail || (b && b->may_fail);
	e->arg_n = b ? 2 : 1;
	e->arg = vcc_alloc(&c->mem, 2 * sizeof(*e->arg));
	e->arg[0] = a;
	e->arg[1] = b;
	return e;
}

static bool
is_constant(const struct vcc_expr *e)
{
	return e->kind == E_STRING || e->kind == E_INT || e->kind == E_REAL ||
	       e->kind == E_DURATION || e->kind == E_BYTES;
}

/* What to say when e is not what is wanted. */
static void
wrong_type(struct vcc *c, const struct vcc_expr *e, enum vcc_type want)
{
	const char *hint = "";

	if (e->kind == E_INT && want == TYPE_DURATION)
		hint = vcc_printf(
		    &c->mem, "; give it a unit: %llds", (long long)e->i);
	else if (e->kind == E_INT && want == TYPE_BYTES)
		hint = vcc_printf(
		    &c->mem, "; give it a unit: %lldB", (long long)e->i);
	else if (want == TYPE_REGEX)
		hint = "; it must be a string constant";
	else if (e->kind == E_STRING && e->text.len > 0 &&
		 e->text.p[0] >= '0' && e->text.p[0] <= '9' &&
		 (want == TYPE_INT || want == TYPE_REAL ||
		     want == TYPE_DURATION || want == TYPE_BYTES))
		hint = "; numbers are written without quotes";
	else if (e->kind == E_STRING && want == TYPE_BACKEND)
		hint = "; a backend's name is written without quotes";
	else if (e->type == TYPE_STRING &&
		 (want == TYPE_INT || want == TYPE_REAL ||
		     want == TYPE_DURATION || want == TYPE_TIME ||
		     want == TYPE_BYTES || want == TYPE_IP)) {
		static const char *const names[TYPE_MAX] = {
		    [TYPE_INT] = "integer",
		    [TYPE_REAL] = "real",
		    [TYPE_DURATION] = "duration",
		    [TYPE_TIME] = "time",
		    [TYPE_BYTES] = "bytes",
		    [TYPE_IP] = "ip",
		};
		hint = vcc_printf(
		    &c->mem, "; std.%s() makes one of a STRING", names[want]);
	}
	vcc_error(c, e->at, "expected %s, found %s%s", vcc_type_name(want),
	    vcc_type_name(e->type), hint);
}

static struct vcc_expr *
to_string(struct vcc *c, struct vcc_expr *e)
{
	const struct vcc_to_string *how = vcc_to_string(e->type);
	struct vcc_expr *s;

	if (e->type == TYPE_STRING)
		return e;
	if (how->function == NULL) {
		vcc_error(c, e->at, "a %s can't be made a STRING",
		    vcc_type_name(e->type));
		return NULL;
	}
	if (e->kind == E_INT) {
		e->kind = E_STRING;
		e->type = TYPE_STRING;
		e->text =
		    str_from_z(vcc_printf(&c->mem, "%lld", (long long)e->i));
		return e;
	}
	s = node(c, E_TO_STRING, TYPE_STRING, e, NULL);
	s->may_fail |= how->may_fail;
	return s;
}

/*
 * A probe has no value but its name: it is compared with a text by that, as
 * Varnish does it.
 */
static bool
is_probe(const struct vcc_expr *e)
{
	return e->kind == E_SYMBOL && e->type == TYPE_PROBE;
}

/* The xids are numbers since Varnish 7.3; older VCL compares them as text. */
static bool
is_xid(const struct vcc_expr *e)
{
	return e->kind == E_VAR && e->type == TYPE_INT &&
	       strstr(e->var->name, ".xid");
}

/* What is true: vcl(7), Booleans. */
static struct vcc_expr *
to_bool(struct vcc *c, struct vcc_expr *e)
{
	if (e->type == TYPE_STRING || e->type == TYPE_BACKEND ||
	    e->type == TYPE_INT || e->type == TYPE_DURATION ||
	    e->type == TYPE_STEVEDORE)
		return node(c, E_TO_BOOL, TYPE_BOOL, e, NULL);
	wrong_type(c, e, TYPE_BOOL);
	return NULL;
}

static struct vcc_expr *
to_real(struct vcc *c, struct vcc_expr *e)
{
	if (e->kind == E_INT) {
		e->kind = E_REAL;
		e->type = TYPE_REAL;
		e->d = (double)e->i;
		return e;
	}
	return node(c, E_TO_REAL, TYPE_REAL, e, NULL);
}

/* "1m": a size where one is wanted */
static bool
is_minutes(const struct vcc_expr *e)
{
	return e->kind == E_DURATION && e->at.len > 1 &&
	       e->at.source->text.p[e->at.at + e->at.len - 1] == 'm';
}

static struct vcc_expr *
to_megabytes(struct vcc_expr *e)
{
	double bytes = e->d / 60 * (1 << 20);

	e->kind = E_BYTES;
	e->type = TYPE_BYTES;
	e->i = bytes < 9.2e18 ? (int64_t)bytes : INT64_MAX;
	return e;
}

/*
 * It is looked up when the program is loaded, by a process that has a
 * resolver; this one only tells what can't be an address.
 */
static bool
may_be_address(struct str s)
{
	bool port = false; /* after a space there is one */

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == ' ' && !port && i > 0 && i + 1 < s.len) {
			port = true;
			continue;
		}
		if (port && (s.p[i] < '0' || s.p[i] > '9'))
			return false;
		if (s.p[i] <= ' ' || s.p[i] == '/' || s.p[i] == '"')
			return false;
	}
	return s.len > 0 && (s.p[0] != '[' || memchr(s.p, ']', s.len));
}

static struct vcc_expr *
to_ip(struct vcc *c, struct vcc_expr *e)
{
	bool is_new;

	if (e->kind != E_STRING) {
		wrong_type(c, e, TYPE_IP);
		return NULL;
	}
	if (!may_be_address(e->text)) {
		vcc_error(c, e->at,
		    "'%.*s' is no address and no host's name%s",
		    STR_ARG(e->text),
		    memchr(e->text.p, '/', e->text.len)
			? "; a network is in an acl, which '~' matches"
			: "");
		return NULL;
	}
	e->number = vcc_intern(c, &c->ips, e->text, c->ip_n, &is_new);
	if (is_new) {
		c->ip = vcc_grow(&c->mem, c->ip, c->ip_n, sizeof(*c->ip));
		c->ip[c->ip_n++] = (struct vcc_ip){e->text, e->at};
	}
	e->kind = E_IP;
	e->type = TYPE_IP;
	return e;
}

static struct vcc_expr *
to_regex(struct vcc *c, struct vcc_expr *e)
{
	if (e->kind != E_STRING) {
		wrong_type(c, e, TYPE_REGEX);
		return NULL;
	}
	e->number = vcc_regex_number(c, e);
	e->kind = E_REGEX;
	e->type = TYPE_REGEX;
	return e->number == UINT_MAX ? NULL : e;
}

static struct vcc_expr *
convert(struct vcc *c, struct vcc_expr *e, enum vcc_type want)
{
	if (e->type == want && want != TYPE_REGEX)
		return e;
	if (e->type == TYPE_VOID) {
		vcc_error(c, e->at,
		    "this function has no result; it is to be "
		    "called for itself");
		return NULL;
	}
	switch (want) {
	case TYPE_STRING:
		return to_string(c, e);
	case TYPE_BODY:
		return e->type == TYPE_BLOB ? e : to_string(c, e);
	case TYPE_BOOL:
		return to_bool(c, e);
	case TYPE_IP:
		return to_ip(c, e);
	case TYPE_REGEX:
		return to_regex(c, e);
	case TYPE_REAL:
		if (e->type == TYPE_INT)
			return to_real(c, e);
		break;
	case TYPE_BYTES:
		if (is_minutes(e))
			return to_megabytes(e);
		break;
	default:
		break;
	}
	wrong_type(c, e, want);
	return NULL;
}

struct vcc_expr *
vcc_concat_expr(struct vcc *c, struct vcc_expr *l, struct vcc_expr *r)
{
	struct vcc_expr *e = l;
	unsigned n;

	r = to_string(c, r);
	l = to_string(c, l);
	if (l == NULL || r == NULL)
		return NULL;
	/* one that was begun here goes on; quoted marks a finished one */
	if (l->kind != E_CONCAT || l->quoted) {
		e = node(c, E_CONCAT, TYPE_STRING, l, NULL);
		e->arg = vcc_grow(&c->mem, NULL, 0, sizeof(*e->arg));
		e->arg[0] = l;
		e->may_fail = true;
	}
	n = e->arg_n;
	if (n > 1 || e == l)
		e->arg = vcc_grow(&c->mem, e->arg, n, sizeof(*e->arg));
	e->arg[e->arg_n++] = r;
	e->at = vcc_span_join(e->at, r->at);
	return e;
}

/* Constants side by side become one; a concatenation of one is no more. */
static struct vcc_expr *
finish_concat(struct vcc *c, struct vcc_expr *e)
{
	unsigned n = 0, i = 0, first;
	struct vcc_expr *s;

	if (e->kind != E_CONCAT || e->quoted)
		return e;
	while (i < e->arg_n) {
		struct vcc_buf b = {.mem = &c->mem};

		first = i;
		for (; i < e->arg_n && e->arg[i]->kind == E_STRING; i++)
			vcc_put(&b, e->arg[i]->text.p, e->arg[i]->text.len);
		if (i <= first + 1) {
			e->arg[n++] = e->arg[first];
			i = first + 1;
			continue;
		}
		s = vcc_alloc(&c->mem, sizeof(*s));
		*s = *e->arg[first];
		s->at = vcc_span_join(s->at, e->arg[i - 1]->at);
		s->text = str_of(b.p, b.len);
		e->arg[n++] = s;
	}
	e->arg_n = n;
	e->quoted = true;
	if (n > VCC_OPERANDS_MAX)
		vcc_error(c, e->at,
		    "more than %d strings are put together here",
		    VCC_OPERANDS_MAX);
	return n == 1 ? e->arg[0] : e;
}

/* l op r of constants of one type, in place of l; false: not now */
static bool
fold(unsigned op, struct vcc_expr *l, const struct vcc_expr *r)
{
	if (!is_constant(l) || l->kind != r->kind || (op != '+' && op != '-') ||
	    l->kind == E_STRING)
		return false;
	if (l->kind == E_INT || l->kind == E_BYTES) {
		int64_t i;

		if (op == '+' ? __builtin_add_overflow(l->i, r->i, &i)
			      : __builtin_sub_overflow(l->i, r->i, &i))
			return false;
		l->i = i;
	} else
		l->d = op == '+' ? l->d + r->d : l->d - r->d;
	l->at = vcc_span_join(l->at, r->at);
	return true;
}

struct vcc_expr *
vcc_arithmetic_expr(
    struct vcc *c, unsigned op, struct vcc_expr *l, struct vcc_expr *r)
{
	enum vcc_type type = vcc_arithmetic(op, l->type, r->type);
	struct vcc_expr *e;

	if (type == TYPE_MAX) {
		vcc_error(c, vcc_span_join(l->at, r->at),
		    "'%c' is not possible between %s and %s", (int)op,
		    vcc_type_name(l->type), vcc_type_name(r->type));
		return NULL;
	}
	if (fold(op, l, r))
		return l;
	if (type != TYPE_INT && l->type == TYPE_INT)
		l = to_real(c, l);
	if (type != TYPE_INT && r->type == TYPE_INT)
		r = to_real(c, r);
	e = node(c, E_ARITHMETIC, type, l, r);
	e->op = op;
	/* division by zero; a size out of range */
	e->may_fail |=
	    op == '/' || op == '%' || (type == TYPE_BYTES && op == '*');
	/* so deep does it nest in C */
	e->i = (l->kind == E_ARITHMETIC ? l->i : 0) + 1;
	if (e->i > VCC_ARITHMETIC_MAX) {
		vcc_error(c, e->at,
		    "more than %d operators in one "
		    "calculation",
		    VCC_ARITHMETIC_MAX);
		return NULL;
	}
	return e;
}

static struct vcc_expr *
check_chain(
    struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e, enum vcc_type want)
{
	bool is_text =
	    want == TYPE_STRING || want == TYPE_BODY || want == TYPE_REGEX;
	struct vcc_expr *l = check_any(c, sub, e->arg[0], want), *r;
	unsigned op;

	for (unsigned i = 1; l && i < e->arg_n; i++) {
		op = e->arg_op[i];
		r = check_any(c, sub, e->arg[i], want);
		if (r == NULL)
			return NULL;
		if (op == 0 ||
		    (op == '+' &&
			vcc_arithmetic(op, l->type, r->type) == TYPE_MAX &&
			(is_text || l->type == TYPE_STRING ||
			    r->type == TYPE_STRING)))
			l = vcc_concat_expr(c, l, r);
		else
			l = vcc_arithmetic_expr(c, op, l, r);
	}
	return l ? finish_concat(c, l) : NULL;
}

static struct vcc_expr *
check_negation(
    struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e, enum vcc_type want)
{
	struct vcc_expr *a = check_any(c, sub, e->arg[0], want);

	if (a == NULL)
		return NULL;
	if (a->type != TYPE_INT && a->type != TYPE_REAL &&
	    a->type != TYPE_DURATION && a->type != TYPE_BYTES) {
		vcc_error(
		    c, e->at, "a %s has no negative", vcc_type_name(a->type));
		return NULL;
	}
	if (is_constant(a)) {
		a->i = -a->i;
		a->d = -a->d;
		a->at = vcc_span_join(e->at, a->at);
		return a;
	}
	return node(c, E_NEG, a->type, a, NULL);
}

/* !, && and || */
static struct vcc_expr *
check_logic(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e)
{
	bool ok = true;

	for (unsigned i = 0; i < e->arg_n; i++) {
		e->arg[i] = vcc_check_expr(c, sub, e->arg[i], TYPE_BOOL);
		if (e->arg[i])
			e->may_fail |= e->arg[i]->may_fail;
		else
			ok = false;
	}
	e->type = TYPE_BOOL;
	return ok ? e : NULL;
}

static struct vcc_expr *
match_acl(
    struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e, struct vcc_expr *ip)
{
	struct vcc_expr *acl = check_any(c, sub, e->arg[1], TYPE_ACL);
	struct vcc_expr *m;

	if (acl == NULL)
		return NULL;
	if (acl->type != TYPE_ACL) {
		vcc_error(c, acl->at,
		    "an IP is matched with an acl, not with "
		    "a %s",
		    vcc_type_name(acl->type));
		return NULL;
	}
	m = node(c, E_ACL_MATCH, TYPE_BOOL, ip, acl);
	m->op = e->op;
	return m;
}

static struct vcc_expr *
match_regex(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e,
    struct vcc_expr *subject)
{
	struct vcc_expr *re = check_any(c, sub, e->arg[1], TYPE_REGEX), *m;

	if (re == NULL)
		return NULL;
	if (is_xid(subject))
		subject = to_string(c, subject);
	if (subject->type != TYPE_STRING) {
		vcc_error(c, subject->at,
		    "'~' is for STRING and IP, not for %s%s",
		    vcc_type_name(subject->type),
		    vcc_to_string(subject->type)->function
			? "; \"\" + x makes a STRING of it"
			: "");
		return NULL;
	}
	if (re->type == TYPE_ACL) {
		vcc_error(c, vcc_span_join(subject->at, re->at),
		    "an acl matches an IP, not a STRING; std.ip() makes one");
		return NULL;
	}
	if (re->kind == E_STRING) {
		re = to_regex(c, re);
		if (re == NULL)
			return NULL;
		m = node(c, E_REGEX_MATCH, TYPE_BOOL, subject, re);
	} else {
		if (re->type != TYPE_STRING) {
			wrong_type(c, re, TYPE_REGEX);
			return NULL;
		}
		m = node(c, E_REGEX_MATCH_DYNAMIC, TYPE_BOOL, subject, re);
	}
	m->op = e->op;
	m->may_fail = true;
	return m;
}

static void
not_comparable(
    struct vcc *c, const struct vcc_expr *l, const struct vcc_expr *r)
{
	const char *hint = "";

	if (r->kind == E_INT && l->type == TYPE_DURATION)
		hint = vcc_printf(
		    &c->mem, "; give it a unit: %llds", (long long)r->i);
	else if (r->kind == E_INT && l->type == TYPE_BYTES)
		hint = vcc_printf(
		    &c->mem, "; give it a unit: %lldB", (long long)r->i);
	else if (r->type == TYPE_STRING && l->type == TYPE_INT)
		hint = "; numbers are written without quotes, and "
		       "std.integer() makes one of a STRING";
	else if (l->type == TYPE_STRING && r->type == TYPE_INT)
		hint = "; a text is written in quotes, and std.integer() "
		       "makes a number of one";
	else if (l->type == TYPE_STRING && is_constant(r))
		hint = "; texts are written in quotes";
	else if (l->type == TYPE_STRING && vcc_to_string(r->type)->function)
		hint = "; \"\" + x makes a STRING of it";
	vcc_error(c, vcc_span_join(l->at, r->at), "can't compare %s with %s%s",
	    vcc_type_name(l->type), vcc_type_name(r->type), hint);
}

static const char *
op_name(unsigned op, char buf[3])
{
	static const struct {
		unsigned op;
		const char *name;
	} two[] = {{T_EQ, "=="}, {T_NE, "!="}, {T_LE, "<="}, {T_GE, ">="}};

	for (unsigned i = 0; i < sizeof(two) / sizeof(*two); i++) {
		if (two[i].op == op)
			return two[i].name;
	}
	buf[0] = (char)op;
	buf[1] = '\0';
	return buf;
}

static struct vcc_expr *
compare(struct vcc *c, unsigned op, struct vcc_expr *l, struct vcc_expr *r)
{
	bool orders = op != T_EQ && op != T_NE;
	char buf[3];
	struct vcc_expr *e;

	if (is_xid(l) && r->type == TYPE_STRING)
		l = to_string(c, l);
	else if (is_xid(r) && l->type == TYPE_STRING)
		r = to_string(c, r);
	else if (l->type == TYPE_STRING && is_probe(r))
		r = to_string(c, r);
	else if (r->kind == E_STRING && l->type == TYPE_IP)
		r = to_ip(c, r);
	else if (l->type == TYPE_INT && r->type == TYPE_REAL)
		l = to_real(c, l);
	else if (l->type == TYPE_REAL && r->type == TYPE_INT)
		r = to_real(c, r);
	if (r == NULL)
		return NULL;
	if (l->type != r->type || !vcc_is_comparable(l->type)) {
		not_comparable(c, l, r);
		return NULL;
	}
	if (orders && !vcc_is_ordered(l->type)) {
		vcc_error(c, vcc_span_join(l->at, r->at),
		    "'%s' is not possible between values of type %s",
		    op_name(op, buf), vcc_type_name(l->type));
		return NULL;
	}
	e = node(c,
	    l->type == TYPE_STRING ? E_STRING_COMPARE
	    : l->type == TYPE_IP   ? E_IP_COMPARE
				   : E_NUMBER_COMPARE,
	    TYPE_BOOL, l, r);
	e->op = op;
	return e;
}

static struct vcc_expr *
check_compare(struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e)
{
	struct vcc_expr *l = check_any(c, sub, e->arg[0], TYPE_MAX), *r;

	if (l == NULL)
		return NULL;
	if (e->op == '~' || e->op == T_NOMATCH)
		return l->type == TYPE_IP ? match_acl(c, sub, e, l)
					  : match_regex(c, sub, e, l);
	r = check_any(c, sub, e->arg[1], l->type);
	return r ? compare(c, e->op, l, r) : NULL;
}

static struct vcc_expr *
constant(struct vcc_expr *e, enum vcc_type type)
{
	e->type = type;
	return e;
}

/* e of whatever type it has by itself; want is what would suit. */
static struct vcc_expr *
check_any(
    struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e, enum vcc_type want)
{
	switch (e->kind) {
	case E_STRING:
		return constant(e, TYPE_STRING);
	case E_INT:
		return constant(e, TYPE_INT);
	case E_REAL:
		return constant(e, TYPE_REAL);
	case E_DURATION:
		return constant(e, TYPE_DURATION);
	case E_BYTES:
		return constant(e, TYPE_BYTES);
	case E_BLOB:
		return constant(e, TYPE_BLOB);
	case E_NAME:
		return vcc_check_name(c, sub, e, want, VAR_READ);
	case E_CALL:
		return vcc_check_call(c, sub, e);
	case E_METHOD:
		e->arg[0] = check_any(c, sub, e->arg[0], TYPE_MAX);
		return e->arg[0] ? vcc_check_method(c, sub, e) : NULL;
	case E_SUM:
	case E_PRODUCT:
		return check_chain(c, sub, e, want);
	case E_NEG:
		return check_negation(c, sub, e, want);
	case E_NOT:
	case E_AND:
	case E_OR:
		return check_logic(c, sub, e);
	case E_COMPARE:
		return check_compare(c, sub, e);
	default:
		return e; /* was checked before */
	}
}

struct vcc_expr *
vcc_check_expr(
    struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e, enum vcc_type want)
{
	e = check_any(c, sub, e, want);
	if (e && want == TYPE_REGEX && e->type == TYPE_REGEX)
		return e;
	return e ? convert(c, e, want) : NULL;
}

struct vcc_expr *
vcc_check_target(
    struct vcc *c, struct vcc_sub *sub, struct vcc_expr *e, unsigned access)
{
	return vcc_check_name(c, sub, e, TYPE_MAX, access);
}
