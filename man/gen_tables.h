/*
 * gen_tables.h - what the tables of manual pages are written with.
 */
#ifndef COPAL_GEN_TABLES_H
#define COPAL_GEN_TABLES_H

#include <stdbool.h>

/*
 * Text that roff must not read as a request, an escape or a hyphen; in lines
 * that a person can read too.
 */
void put(const char *s);
/* an item of a list; its text follows */
void item(const char *name);
/* text, and the end of a line */
void line(const char *text);

/*
 * gen_vcl.c: if buf is a line that stands for a table of VCL, writes it;
 * false if it is not.
 */
bool vcl_table(const char *buf);

#endif
