/*
 * spec.h - what -s and -b say.
 */
#ifndef COPAL_SPEC_H
#define COPAL_SPEC_H

#include "worker.h"

enum { SPEC_ERR_MAX = 768 };

/*
 * Fills in the stores from -s; without any, an lmdb store in the state folder
 * workdir.  Sizes in percent, and the default size (STORE_DEFAULT_PERCENT of
 * the room that there is, STORE_DEFAULT_MAX at most), count what the store
 * itself occupies as free, so that they do not shrink as it fills.  false with
 * a message in err.
 */
enum { STORE_DEFAULT_PERCENT = 20 };
#define STORE_DEFAULT_MAX (10ULL << 30)
bool spec_stores(unsigned n, const char *const *arg, const char *workdir,
    struct worker_config *, char err[SPEC_ERR_MAX]);

/* The VCL program that -b stands for, malloc'ed; NULL with err set. */
char *spec_backend_vcl(const char *arg, char err[SPEC_ERR_MAX]);

#endif
