/*
 * module.h - modules in files of their own, as a compiled program uses them.
 *
 * The compiler reads a module's description out of its file and never runs
 * it.  The trial load of a program keeps a copy of each file beside the
 * program: what is installed later in its place changes nothing for it, and
 * programs with equal copies share one instance.  The worker opens the
 * copies, and connects the program's function pointers.
 */
#ifndef COPAL_MODULE_H
#define COPAL_MODULE_H

#include "str.h"
#include "vmod.h"

enum { MODULE_ERR_MAX = 512 };

/*
 * May a module of that version of the interface run here?  If not, err says
 * which versions there are.
 */
bool module_check_abi(
    const char *path, unsigned major, unsigned minor, char err[MODULE_ERR_MAX]);
/* Tells descriptions apart (FNV-1a). */
uint64_t module_sum(struct str);

/*
 * Copies each module of a program to <dir>/libvmod_<name>.so, where equal
 * ones are links to one file in cache, a folder of the same file system.
 * false with a message.
 */
bool module_keep(const struct vcl_program_info *, const char *dir,
    const char *cache, char err[MODULE_ERR_MAX]);
/*
 * Opens each module of a program, from <dir> or, without a copy there, where
 * it was found, and connects its functions.  false with a message; what
 * was opened is for module_close() then too.
 */
bool module_open(
    const struct vcl_program_info *, const char *dir, char err[MODULE_ERR_MAX]);
void module_close(const struct vcl_program_info *);

#endif
