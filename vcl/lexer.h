/*
 * lexer.h - VCL text to tokens.
 */
#ifndef COPAL_VCC_LEXER_H
#define COPAL_VCC_LEXER_H

#include "source.h"

/* A single character is its own kind; the others are from 256 on. */
enum vcc_token_kind {
	T_EOF = 0,
	T_ID = 256, /* name, with dots: req.http.X-Forwarded-For */
	T_STRING,   /* text: what is between the quotes */
	T_INT,      /* i */
	T_REAL,     /* d */
	T_DURATION, /* d: seconds */
	T_BYTES,    /* i */
	T_BLOB,     /* text: decoded */
	T_AND,      /* && */
	T_OR,       /* || */
	T_EQ,       /* == */
	T_NE,       /* != */
	T_LE,       /* <= */
	T_GE,       /* >= */
	T_NOMATCH,  /* !~ */
	T_ADD,      /* += */
	T_SUB,      /* -= */
	T_MUL,      /* *= */
	T_DIV,      /* /= */
	T_BAD,      /* an error was reported */
};

struct vcc_token {
	unsigned kind;
	struct vcc_span at;
	struct str text; /* T_ID, T_STRING, T_BLOB */
	int64_t i;
	double d;
};

/* Reads the token at *pos and moves *pos behind it. */
struct vcc_token vcc_lex(
    struct vcc *, const struct vcc_source *, uint32_t *pos);
/* for messages: "';'", "a string", "'foo'" */
const char *vcc_token_name(struct vcc *, const struct vcc_token *);
const char *vcc_kind_name(struct vcc *, unsigned kind);

#endif
