/*
 * program_impl.h - a loaded program, as the files of this folder see it.
 */
#ifndef COPAL_PROGRAM_IMPL_H
#define COPAL_PROGRAM_IMPL_H

#include <stdatomic.h>

#include "program.h"
#include "sock.h"

struct program_image { /* one PT_LOAD segment */
	uintptr_t from, to;
};

/* References a core took and dropped; each only grows. */
struct program_refs {
	_Alignas(64) _Atomic uint64_t taken;
	_Atomic uint64_t dropped;
};

enum { PROGRAM_IMAGES = 8 };

struct program_label {
	char name[PROGRAM_NAME_MAX];
	struct program *_Atomic target;
	unsigned users; /* programs that may go to it, discarded ones too */
	bool discarded; /* waits for the last of them */
	struct program_label *next;
};

struct program {
	const struct vcl_program_info *info;
	char name[PROGRAM_NAME_MAX];
	struct str name_str;
	enum program_state state;
	enum program_temp temp;
	unsigned labels;         /* that point at it, discarded ones too */
	void *dl;
	/* its read-only memory: constants are there as long as it is */
	struct program_image image[PROGRAM_IMAGES];
	unsigned image_n;
	bool has_modules;        /* they were told that it is loaded */
	bool initialized;        /* vcl_init returned ok */
	struct addr *ips;        /* its constants, in the order of info->ip */
	struct program *next;
	struct program_refs refs[]; /* a core each; [0]: other threads */
};

/* The program that *at points to, with a reference; NULL: none. */
struct program *program_ref_at(struct program *const _Atomic *at);
/* A program, not discarded, that uses the label; NULL: none. */
const struct program *program_using(const struct program_label *);

/* program_label.c: does one point at p that was not discarded? */
bool program_has_label(const struct program *p);
/* program_label.c: finds the labels that p uses; -1 with a message. */
int program_labels_open(struct program *p, char *err, size_t err_len);
/* Undoes it, also half of it. */
void program_labels_close(struct program *p);
/* At the end: all that are left. */
void program_labels_free(void);

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
