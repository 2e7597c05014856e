/*
 * parser.h - what the parser and the parser of declarations share.
 */
#ifndef COPAL_VCC_PARSER_H
#define COPAL_VCC_PARSER_H

#include "compiler.h"

/* A source that is being read; an included one lies on its includer. */
struct vcc_frame {
	struct vcc_frame *below;
	struct vcc_source *source;
	uint32_t pos;
	bool fresh; /* nothing was read of it */
};

struct vcc_parser {
	struct vcc *c;
	struct vcc_frame *frame;
	struct vcc_token t;     /* the current token */
	struct vcc_span before; /* where the token before it ended */
	struct vcc_span arg;    /* where the argument began that is read */
	unsigned block_depth, expr_depth;
	bool unclosed; /* a block had no end: back to the declarations */
};

void vcc_advance(struct vcc_parser *);
/* Is it that name? */
bool vcc_is_word(const struct vcc_parser *, const char *word);
/* Goes on if the current token is of that kind. */
bool vcc_take(struct vcc_parser *, unsigned kind);
/* The same, but it is an error if it is not; after: "after 'set'". */
bool vcc_expect(struct vcc_parser *, unsigned kind, const char *after);
/* "expected <what>, found ..." at the current token */
void vcc_unexpected(struct vcc_parser *, const char *what);
/* A name without dots; p is NULL after an error. */
struct str vcc_expect_name(struct vcc_parser *, const char *what);
/* include [+glob] "name"; false after an error */
bool vcc_parse_include(struct vcc_parser *);
/*
 * Does the block that begins at open end here?  By its '}', or, which is an
 * error, with the file or before a declaration, which no block can have.
 */
bool vcc_at_block_end(struct vcc_parser *, struct vcc_span open);
/* After an error: goes behind the next ';', or to the '}' of this block. */
void vcc_skip_statement(struct vcc_parser *);

#endif
