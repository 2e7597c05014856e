/*
 * built.h - objects of VCL programs that were compiled before, so that a start
 * does not wait for the C compiler.
 *
 * <workdir>/built/ belongs to the manager, and the children can't write there.
 * What is there goes by the C text, the command that compiles it, and the
 * copald that will load it: a name is a hash of them.  The last ones stay.
 *
 * For a deputy (compile.c), whose current folder is the state folder.
 */
#ifndef COPALD_BUILT_H
#define COPALD_BUILT_H

#include <stdbool.h>

enum { BUILT_NAME_MAX = 64 };

/* The name of dir/vcl.c's object.  false: it can't be read. */
bool built_name(const char *dir, char name[BUILT_NAME_MAX]);
/* dir/vcl.so becomes that object; false: there is none. */
bool built_take(const char *name, const char *dir);
/* It was no good: it goes, also from dir. */
void built_forget(const char *name, const char *dir);
/* dir/vcl.so was compiled and loads: kept as name. */
void built_keep(const char *name, const char *dir);

#endif
