/*
 * program_load.h - opening a compiled program, and closing it.
 */
#ifndef COPAL_PROGRAM_LOAD_H
#define COPAL_PROGRAM_LOAD_H

#include "program_impl.h"

/*
 * Fills in p (zeroed, with its name) from so_path and runs vcl_init.  0, or
 * -1 with a message; p then has to be closed all the same.
 */
int program_open(struct program *p, const char *so_path, char *err,
    size_t err_len);
/* vcl_fini, then all that was opened; p's memory stays. */
void program_close(struct program *p);

/*
 * Makes p ready to run, when it is busy or cold: 0, or -1 with a message, and
 * it is what it was.
 */
int program_warm(struct program *p, char *err, size_t err_len);
/* No request runs it: gives up what only running needs. */
void program_cool(struct program *p);

/* Is this program there already?  (dlopen gives the same one twice.) */
bool program_is_loaded(const struct vcl_program_info *);

#endif
