/*
 * esi.h - a page with ESI (ESI Language Specification 1.0) as a stream: bytes
 * in, events out.
 *
 * Understood are <esi:include src onerror>, <esi:remove>, <esi:comment> and
 * <!--esi ... -->.  What is wrong is told, left out if it is an ESI tag, and
 * the page goes on.  However the input is cut, the events are the same; but
 * that a text may come in several pieces.  Memory is fixed.
 *
 *	START -> BOM? -> CHECK -> TEXT <-> LESS -> TAG (of ESI)
 *	                   \-> NONE         \---> OTHER, COMMENT, CDATA
 */
#ifndef COPAL_ESI_H
#define COPAL_ESI_H

#include "str.h"

enum {
	/* Longer than anybody writes one; it is kept with the page. */
	ESI_SRC_MAX = 8192,
	/* A name has at most 253 characters (RFC 1035 2.3.4), a port five. */
	ESI_HOST_MAX = 260,
};

/* Varnish's features of the same names. */
enum esi_flag {
	ESI_DISABLE_XML_CHECK = 1,     /* the first character need not be < */
	ESI_IGNORE_HTTPS = 2,          /* take https:// for http:// */
	ESI_IGNORE_OTHER_ELEMENTS = 4, /* look inside of other tags, too */
	ESI_REMOVE_BOM = 8,
};

enum esi_kind {
	ESI_TEXT,     /* bytes to be sent as they are */
	ESI_INCLUDE,  /* text: src, without entities */
	ESI_ERROR,    /* text: what is wrong; it is left out */
	ESI_WARNING,  /* text: what is odd; it is taken all the same */
	ESI_NO_PAGE,  /* text: why no ESI is looked for */
};

struct esi_event {
	enum esi_kind kind;
	uint64_t at;      /* in the page: of the text, or behind the tag */
	struct str text;  /* until the sink returns */
	bool may_fail;    /* INCLUDE: onerror="continue" */
};

/* false: no more of it, please */
typedef bool esi_sink(void *priv, const struct esi_event *);

struct esi; /* opaque */

/* flags: of enum esi_flag.  NULL: no memory */
struct esi *esi_new(unsigned flags);
void esi_free(struct esi **);
/* false: the sink said so; nothing may follow but esi_free. */
bool esi_feed(struct esi *, struct str in, esi_sink *, void *priv);
bool esi_end(struct esi *, esi_sink *, void *priv);
/* Is the page, so far, other than its bytes: is there any ESI? */
bool esi_found(const struct esi *);

/*
 * What to ask for: src as seen from a page at base, the target of its
 * request (RFC 3986 5.2).  *host points into src, p == NULL: it names none.
 * *target is in buf, which has base.len + src.len + 2 bytes.  false: that is
 * no address of a page.
 */
bool esi_resolve(struct str base, struct str src, char *buf,
    struct str *host, struct str *target);

#endif
