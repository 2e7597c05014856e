/*
 * esi.c - see esi.h.  Where the text of ESI 1.0 is silent, as Varnish does.
 */
#include <stdlib.h>
#include <string.h>

#include "esi.h"

enum state {
	START,
	CHECK,        /* white space until the first character */
	NONE,         /* no page for us: all is text */
	TEXT,
	LESS,         /* what may be one of opening[], in held */
	DASH,         /* in <!--esi: what may be its end */
	OTHER,        /* a tag, until > */
	COMMENT,      /* until --> */
	CDATA,        /* until ]]> */
	TAG_NAME,     /* of <esi: */
	IN_TAG,
	TAG_SLASH,    /* only > may follow */
	ATTR_NAME,
	ATTR_DELIM,
	ATTR_VALUE,
	TAG_ERROR,    /* until > */
};

enum tag { TAG_NONE, TAG_INCLUDE, TAG_REMOVE, TAG_COMMENT };

static const char bom[] = "\xef\xbb\xbf";

/* In the order of their length where one begins another. */
static const struct {
	struct str text;
	enum state next;
} opening[] = {
	{STR("<esi:"), TAG_NAME},
	{STR("</esi:"), TAG_NAME},
	{STR("<!--esi"), TEXT},
	{STR("<![CDATA["), CDATA},
};

struct esi {
	unsigned flags;
	enum state state;
	uint64_t at;          /* of the input's first byte */
	bool found, in_remove, in_esi_comment;

	/* LESS, DASH, START: what may be text, or not */
	char held[12];
	unsigned held_n;      /* of these, */
	unsigned held_old;    /* came with earlier input */
	unsigned until_n;     /* COMMENT, CDATA: of the end */

	/* the ESI tag */
	enum tag tag;
	bool end_tag, after_space, have_src, take_value, may_fail;
	char quote;           /* ' ': none */
	char name[10];        /* of the tag or an attribute; cut */
	unsigned name_n;
	char onerror[9];      /* cut */
	unsigned onerror_n;
	char src[ESI_SRC_MAX];
	unsigned src_n;

	/* of this call */
	const char *in;
	size_t run;           /* text that was not told begins here */
	size_t held_at;       /* of held[0], if held_old == 0 */
	esi_sink *sink;
	void *priv;
	bool stopped;
};

struct esi *
esi_new(unsigned flags)
{
	struct esi *e = calloc(1, sizeof *e);

	if (e != NULL) {
		e->flags = flags;
		e->state = START;
	}
	return e;
}

void
esi_free(struct esi **pp)
{
	free(*pp);
	*pp = NULL;
}

bool
esi_found(const struct esi *e)
{
	return e->found;
}

static void
tell(struct esi *e, enum esi_kind kind, uint64_t at, struct str text)
{
	struct esi_event v = {kind, at, text, e->may_fail};

	if (!e->stopped && !e->sink(e->priv, &v))
		e->stopped = true;
}

static void
tell_text(struct esi *e, uint64_t at, struct str text)
{
	if (text.len > 0 && !e->in_remove)
		tell(e, ESI_TEXT, at, text);
}

/* The text up to i is to be told; what follows is not text, or not yet. */
static void
flush(struct esi *e, size_t i)
{
	if (i > e->run)
		tell_text(e, e->at + e->run, str_of(e->in + e->run,
		    i - e->run));
	e->run = i;
}

static void
error(struct esi *e, size_t i, const char *what)
{
	tell(e, ESI_ERROR, e->at + i, str_from_z(what));
}

static void
warning(struct esi *e, size_t i, const char *what)
{
	tell(e, ESI_WARNING, e->at + i, str_from_z(what));
}

/* --- what may be text ---------------------------------------------------- */

static void
hold(struct esi *e, size_t i)
{
	if (e->held_n == 0)
		e->held_at = i;
	e->held[e->held_n++] = e->in[i];
}

/* The first n held bytes are text. */
static void
held_is_text(struct esi *e, size_t i, unsigned n)
{
	unsigned old = n < e->held_old ? n : e->held_old;

	/* these end where the input begins, unless others are between */
	tell_text(e, e->at + i - e->held_n, str_of(e->held, old));
	e->held_n -= n;
	memmove(e->held, e->held + n, e->held_n);
	e->held_old -= old;
	if (e->held_old == 0)
		e->held_at = i - e->held_n;
}

/* They are not; what was before them is. */
static void
held_is_ours(struct esi *e)
{
	if (e->held_old == 0)
		flush(e, e->held_at);
	e->held_n = e->held_old = 0;
	e->found = true;
}

/* --- an ESI tag ---------------------------------------------------------- */

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' ||
	    c == '_' || (unsigned char)c >= 0x80;
}

static bool
is_name(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' ||
	    c == '.';
}

static bool
name_is(const struct esi *e, struct str s)
{
	return str_eq(str_of(e->name, e->name_n), s);
}

static void
tag_begins(struct esi *e, bool end_tag)
{
	e->state = TAG_NAME;
	e->tag = TAG_NONE;
	e->end_tag = end_tag;
	e->after_space = e->have_src = e->may_fail = false;
	e->name_n = e->src_n = e->onerror_n = 0;
}

static void
tag_is_bad(struct esi *e, size_t i, const char *why)
{
	error(e, i, why);
	e->state = TAG_ERROR;
}

static void
tag_has_name(struct esi *e, size_t i)
{
	e->state = IN_TAG;
	if (name_is(e, STR("remove"))) {
		e->tag = TAG_REMOVE;
	} else if (name_is(e, STR("include"))) {
		e->tag = TAG_INCLUDE;
		if (e->in_remove)
			tag_is_bad(e, i, "ESI 1.0 <esi:include> element "
			    "nested in <esi:remove>");
		else if (e->end_tag)
			tag_is_bad(e, i, "ESI 1.0 </esi:include> illegal "
			    "end-tag");
	} else if (name_is(e, STR("comment"))) {
		e->tag = TAG_COMMENT;
		if (e->in_remove)
			tag_is_bad(e, i, "ESI 1.0 <esi:comment> element "
			    "nested in <esi:remove>");
		else if (e->end_tag)
			tag_is_bad(e, i, "ESI 1.0 </esi:comment> illegal "
			    "end-tag");
	} else {
		tag_is_bad(e, i, "ESI 1.0 <esi:bogus> element");
	}
}

/* The five entities of XML; anything else stays as it is. */
static void
decode_entities(struct esi *e)
{
	static const struct {
		struct str name;
		char c;
	} entity[] = {{STR("&apos;"), '\''}, {STR("&quot;"), '"'},
	    {STR("&lt;"), '<'}, {STR("&gt;"), '>'}, {STR("&amp;"), '&'}};
	struct str in = str_of(e->src, e->src_n);
	unsigned to = 0;

	while (in.len > 0) {
		size_t n = 1;
		char c = in.p[0];

		for (size_t i = 0; c == '&' &&
		    i < sizeof entity / sizeof *entity; i++)
			if (str_starts(in, entity[i].name)) {
				c = entity[i].c;
				n = entity[i].name.len;
				break;
			}
		e->src[to++] = c;
		in = str_of(in.p + n, in.len - n);
	}
	e->src_n = to;
}

static void
include_ends(struct esi *e, size_t i, bool empty)
{
	struct str src;

	if (!empty)
		warning(e, i, "ESI 1.0 <esi:include> lacks final '/'");
	if (!e->have_src) {
		error(e, i, "ESI 1.0 <esi:include> lacks src attr");
		return;
	}
	decode_entities(e);
	src = str_of(e->src, e->src_n);
	if (src.len == 0) {
		error(e, i, "ESI 1.0 <esi:include> has an empty src attr");
		return;
	}
	if (str_casestarts(src, STR("https://"))) {
		if (!(e->flags & ESI_IGNORE_HTTPS)) {
			warning(e, i, "ESI 1.0 <esi:include> with https:// "
			    "ignored");
			return;
		}
		warning(e, i, "ESI 1.0 <esi:include> https:// treated as "
		    "http://");
	}
	tell(e, ESI_INCLUDE, e->at + i, src);
}

static void
remove_ends(struct esi *e, size_t i, bool empty)
{
	if (empty)
		error(e, i, "ESI 1.0 <esi:remove/> not legal");
	else if (e->in_remove && !e->end_tag)
		error(e, i, "ESI 1.0 <esi:remove> already open");
	else if (!e->in_remove && e->end_tag)
		error(e, i, "ESI 1.0 <esi:remove> not open");
	else
		e->in_remove = !e->end_tag;
}

/* i: behind its > */
static void
tag_ends(struct esi *e, size_t i, bool empty)
{
	switch (e->tag) {
	case TAG_INCLUDE:
		include_ends(e, i, empty);
		break;
	case TAG_REMOVE:
		remove_ends(e, i, empty);
		break;
	case TAG_COMMENT:
		if (!empty)
			error(e, i, "ESI 1.0 <esi:comment> needs final '/'");
		break;
	case TAG_NONE:
		break;
	}
	e->state = TEXT;
	e->run = i;
}

static void
attr_begins(struct esi *e)
{
	e->name_n = 0;
	e->state = ATTR_NAME;
}

static void
name_grows(struct esi *e, char c)
{
	/* one longer than what we know is none that we know */
	if (e->name_n < sizeof e->name)
		e->name[e->name_n++] = c;
}

/* = follows the name of an attribute */
static void
attr_has_name(struct esi *e, size_t i)
{
	e->take_value = false;
	e->state = ATTR_DELIM;
	if (e->tag != TAG_INCLUDE)
		return;
	if (name_is(e, STR("onerror"))) {
		e->take_value = true;
		e->onerror_n = 0;
	} else if (name_is(e, STR("src"))) {
		if (e->have_src)
			tag_is_bad(e, i, "ESI 1.0 <esi:include> has multiple "
			    "src= attributes");
		e->have_src = e->take_value = true;
	}
}

static void
value_grows(struct esi *e, size_t i)
{
	char c = e->in[i];

	if (!e->take_value)
		return;
	if (e->name[0] == 'o') {
		if (e->onerror_n < sizeof e->onerror)
			e->onerror[e->onerror_n++] = c;
	} else if (e->src_n < sizeof e->src) {
		e->src[e->src_n++] = c;
	} else {
		tag_is_bad(e, i, "ESI 1.0 <esi:include> has a src= that is "
		    "too long");
	}
}

static void
value_ends(struct esi *e)
{
	if (e->take_value && e->name[0] == 'o')
		e->may_fail = str_eq(str_of(e->onerror, e->onerror_n),
		    STR("continue"));
	/* the delimiter is a space, or as good as one */
	e->after_space = true;
	e->state = IN_TAG;
}

/* One byte of an ESI tag; false: it is to be looked at again. */
static bool
tag_byte(struct esi *e, size_t i)
{
	char c = e->in[i];

	switch (e->state) {
	case TAG_NAME:
		if (is_name(c)) {
			name_grows(e, c);
			return true;
		}
		tag_has_name(e, i);
		return false;
	case IN_TAG:
		if (is_space(c))
			e->after_space = true;
		else if (c == '>')
			tag_ends(e, i + 1, false);
		else if (c == '/')
			e->state = TAG_SLASH;
		else if (e->after_space && is_name_start(c)) {
			attr_begins(e);
			return false;
		} else {
			tag_is_bad(e, i, "XML 1.0 Illegal attribute start "
			    "char");
		}
		return true;
	case TAG_SLASH:
		if (c == '>') {
			tag_ends(e, i + 1, true);
			return true;
		}
		tag_is_bad(e, i, "XML 1.0 '>' does not follow '/' in tag");
		return false;
	case ATTR_NAME:
		if (is_name(c)) {
			name_grows(e, c);
			return true;
		}
		if (c == '=') {
			attr_has_name(e, i);
			return true;
		}
		if (c == '>' || c == '/' || is_space(c)) {
			e->state = IN_TAG;
			return false;
		}
		tag_is_bad(e, i, "XML 1.0 Illegal attr char");
		return false;
	case ATTR_DELIM:
		e->state = ATTR_VALUE;
		e->quote = ' ';
		if (c == '"' || c == '\'') {
			e->quote = c;
			return true;
		}
		if (is_space(c)) {
			tag_is_bad(e, i, "XML 1.0 Illegal attribute "
			    "delimiter");
			return true;
		}
		return false;
	case ATTR_VALUE:
		if (c == '>') {
			tag_is_bad(e, i, "XML 1.0 Missing end attribute "
			    "delimiter");
			return false;
		}
		if (c == e->quote || (e->quote == ' ' && is_space(c)))
			value_ends(e);
		else
			value_grows(e, i);
		return true;
	case TAG_ERROR:
		if (c == '>') {
			e->state = TEXT;
			e->run = i + 1;
		}
		return true;
	case START:
	case CHECK:
	case NONE:
	case TEXT:
	case LESS:
	case DASH:
	case OTHER:
	case COMMENT:
	case CDATA:
		break;
	}
	return true;
}

/* --- what is not one ----------------------------------------------------- */

/* What is held begins none of opening[]; the next byte is looked at again. */
static void
less_is_text(struct esi *e, size_t i)
{
	bool comment = e->held_n >= 4 && !memcmp(e->held, "<!--", 4);
	/* "a < b" opens no tag */
	bool tag = e->held_n > 1 || is_name_start(e->in[i]) ||
	    e->in[i] == '?' || e->in[i] == '/' || e->in[i] == '!';

	held_is_text(e, i, e->held_n);
	e->until_n = 0;
	if (comment)
		e->state = COMMENT;
	else
		e->state = tag && !(e->flags & ESI_IGNORE_OTHER_ELEMENTS) ?
		    OTHER : TEXT;
}

/* A byte after <; false: it is to be looked at again. */
static bool
less_byte(struct esi *e, size_t i)
{
	for (size_t k = 0; k < sizeof opening / sizeof *opening; k++) {
		struct str o = opening[k].text;

		if (e->held_n >= o.len || o.p[e->held_n] != e->in[i] ||
		    memcmp(o.p, e->held, e->held_n) != 0)
			continue;
		hold(e, i);
		if (e->held_n < o.len)
			return true;
		e->state = opening[k].next;
		if (e->state == CDATA) {
			held_is_text(e, i + 1, e->held_n);
			e->until_n = 0;
			return true;
		}
		if (e->state == TEXT && e->in_esi_comment) {
			/* it is in one already: this is a comment in it */
			held_is_text(e, i + 1, e->held_n);
			e->state = COMMENT;
			e->until_n = 0;
			return true;
		}
		held_is_ours(e);
		if (e->state == TAG_NAME) {
			tag_begins(e, o.p[1] == '/');
		} else {
			if (e->in_remove)
				error(e, i + 1, "ESI 1.0 Nested <!--esi "
				    "element in <esi:remove>");
			e->in_esi_comment = true;
			e->run = i + 1;
		}
		return true;
	}
	less_is_text(e, i);
	return false;
}

/* A byte after - in <!--esi; false: it is to be looked at again. */
static bool
dash_byte(struct esi *e, size_t i)
{
	char c = e->in[i];

	if (c == '>' && e->held_n == 2) {
		held_is_ours(e);
		e->in_esi_comment = false;
		e->state = TEXT;
		e->run = i + 1;
		return true;
	}
	if (c == '-') {
		if (e->held_n == 2)
			held_is_text(e, i, 1);
		hold(e, i);
		return true;
	}
	held_is_text(e, i, e->held_n);
	e->state = TEXT;
	return false;
}

/* The end of a comment (-->) or of CDATA (]]>). */
static void
until_byte(struct esi *e, char c, char twice)
{
	if (c == '>' && e->until_n == 2)
		e->state = TEXT;
	else if (c != twice)
		e->until_n = 0;
	else if (e->until_n < 2)
		e->until_n++;
}

static void
is_no_page(struct esi *e, size_t i, const char *why)
{
	flush(e, i);
	tell(e, ESI_NO_PAGE, e->at + i, str_from_z(why));
	e->state = NONE;
}

static bool
start_byte(struct esi *e, size_t i)
{
	bool half = e->held_n > 0;

	if ((e->flags & ESI_REMOVE_BOM) && e->in[i] == bom[e->held_n]) {
		hold(e, i);
		if (e->held_n == sizeof bom - 1) {
			held_is_ours(e);
			e->run = i + 1;
		}
		return true;
	}
	held_is_text(e, i, e->held_n);
	if (e->flags & ESI_DISABLE_XML_CHECK)
		e->state = TEXT;
	else if (half)
		is_no_page(e, i, "No ESI processing, half a BOM");
	else
		e->state = CHECK;
	return false;
}

static bool
check_byte(struct esi *e, size_t i)
{
	char c = e->in[i];

	if (is_space(c))
		return true;
	if (c == '<')
		e->state = TEXT;
	else if (c == bom[0])
		is_no_page(e, i, "No ESI processing, first char not '<' but "
		    "BOM. (See feature esi_remove_bom)");
	else
		is_no_page(e, i, "No ESI processing, first char not '<'. "
		    "(See feature esi_disable_xml_check)");
	return false;
}

/* Text up to where something may begin. */
static size_t
text_bytes(struct esi *e, size_t i, size_t len)
{
	const char *p;

	if (e->in_esi_comment) {
		while (i < len && e->in[i] != '<' && e->in[i] != '-')
			i++;
	} else {
		p = memchr(e->in + i, '<', len - i);
		i = p != NULL ? (size_t)(p - e->in) : len;
	}
	if (i == len)
		return i;
	e->state = e->in[i] == '<' ? LESS : DASH;
	hold(e, i);
	return i + 1;
}

/* ... or up to an end that is one byte. */
static size_t
other_bytes(struct esi *e, size_t i, size_t len)
{
	const char *p = memchr(e->in + i, '>', len - i);

	if (p == NULL)
		return len;
	e->state = TEXT;
	return (size_t)(p - e->in) + 1;
}

bool
esi_feed(struct esi *e, struct str in, esi_sink *sink, void *priv)
{
	size_t i = 0;

	e->in = in.p;
	e->sink = sink;
	e->priv = priv;
	e->run = 0;
	while (i < in.len && !e->stopped) {
		switch (e->state) {
		case START:
			i += start_byte(e, i);
			break;
		case CHECK:
			i += check_byte(e, i);
			break;
		case NONE:
			i = in.len;
			break;
		case TEXT:
			i = text_bytes(e, i, in.len);
			break;
		case LESS:
			i += less_byte(e, i);
			break;
		case DASH:
			i += dash_byte(e, i);
			break;
		case OTHER:
			i = other_bytes(e, i, in.len);
			break;
		case COMMENT:
			until_byte(e, in.p[i++], '-');
			break;
		case CDATA:
			until_byte(e, in.p[i++], ']');
			break;
		case TAG_NAME:
		case IN_TAG:
		case TAG_SLASH:
		case ATTR_NAME:
		case ATTR_DELIM:
		case ATTR_VALUE:
		case TAG_ERROR:
			i += tag_byte(e, i);
			break;
		}
	}
	if (e->held_n > 0) {
		if (e->held_old == 0)
			flush(e, e->held_at);
		e->held_old = e->held_n;
	} else if (e->state < TAG_NAME) {
		flush(e, in.len);
	}
	e->at += in.len;
	e->in = NULL;
	return !e->stopped;
}

bool
esi_end(struct esi *e, esi_sink *sink, void *priv)
{
	e->sink = sink;
	e->priv = priv;
	if (e->held_n > 0)
		held_is_text(e, 0, e->held_n);
	if (e->state >= TAG_NAME)
		error(e, 0, "XML 1.0 Missing end of tag");
	if (e->in_remove)
		error(e, 0, "ESI 1.0 <esi:remove> not closed");
	return !e->stopped;
}
