/*
 * program_impl.h - a loaded program, as the files of this folder see it.
 */
#ifndef COPAL_PROGRAM_IMPL_H
#define COPAL_PROGRAM_IMPL_H

#include <stdatomic.h>

#include "program.h"
#include "sock.h"

/* A string constant that is used as an IP, by the address of its text. */
struct program_ip {
	struct program_ip *next;
	const char *text;
	bool bad;
	struct addr addr;
};

struct program_image { /* one PT_LOAD segment */
	uintptr_t from, to;
};

/* References a core took and dropped; each only grows. */
struct program_refs {
	_Alignas(64) _Atomic uint64_t taken;
	_Atomic uint64_t dropped;
};

enum { PROGRAM_IMAGES = 8 };

struct program {
	const struct vcl_program_info *info;
	char name[PROGRAM_NAME_MAX];
	struct str name_str;
	enum program_state state;
	char temper[8];
	void *dl;
	/* its read-only memory: constants are there as long as it is */
	struct program_image image[PROGRAM_IMAGES];
	unsigned image_n;
	bool initialized;        /* vcl_init returned ok */
	struct program_ip *_Atomic ips;
	struct program *next;
	struct program_refs refs[]; /* a core each; [0]: other threads */
};

static inline bool
program_has_constant(const struct program *p, const void *at)
{
	uintptr_t a = (uintptr_t)at;

	for (unsigned i = 0; i < p->image_n; i++)
		if (a >= p->image[i].from && a < p->image[i].to)
			return true;
	return false;
}

#endif
