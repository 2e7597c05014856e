/*
 * source.h - the texts that a program is made of, and places in them.
 */
#ifndef COPAL_VCC_SOURCE_H
#define COPAL_VCC_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct vcc;
struct vcc_source;

/* A piece of a source: what a message points at. */
struct vcc_span {
	const struct vcc_source *source;
	uint32_t at, len;
};

struct vcc_source {
	const char *path; /* for messages: as it was found, or "<inline>" */
	struct str text;  /* lives as long as the compilation */
	unsigned syntax;  /* 40 or 41 */
	unsigned depth;   /* of includes: 0 for the first */
	struct vcc_span included_at; /* source NULL for the first */
	bool builtin;                /* builtin.vcl */
	uint64_t device, inode;      /* of an included file; else 0 */
	uint32_t *line_at;           /* where each line begins */
	unsigned line_n;
};

/*
 * A new source.  NULL after an error was reported: the text is too large,
 * has a NUL, or there are too many sources.  text is not copied.
 */
struct vcc_source *vcc_source_new(struct vcc *, const char *path,
    struct str text, struct vcc_span included_at);

/* One that is no part of the program: for places in it. */
struct vcc_source *vcc_source_of(
    struct vcc *, const char *path, struct str text);

/*
 * The file that include "name" means at a place: "/..." as it is, "./..."
 * and "../..." from the folder of the including file, else in the folders of
 * vcl_path.  NULL after an error was reported.
 */
struct vcc_source *vcc_source_include(
    struct vcc *, struct str name, struct vcc_span at);
/*
 * The files that include +glob "pattern" means, in order: how many there
 * are, in *out.  None is an error; 0 after it was reported.
 */
unsigned vcc_source_glob(struct vcc *, struct str pattern, struct vcc_span at,
    struct vcc_source ***out);

/* Line and column, from 1; the column counts characters of UTF-8. */
unsigned vcc_line(struct vcc_span);
unsigned vcc_column(struct vcc_span);
/* The text of a line, from 1, without its end. */
struct str vcc_line_text(const struct vcc_source *, unsigned line);
/* "file:line" */
const char *vcc_where(struct vcc *, struct vcc_span);
/* from the start of a to the end of b, if they are in one source */
struct vcc_span vcc_span_join(struct vcc_span a, struct vcc_span b);

#endif
