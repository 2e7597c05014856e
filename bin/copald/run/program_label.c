/*
 * program_label.c - labels: names of programs that return (vcl(label)) goes
 * to.
 *
 *      program "top" --uses--> label "shop" --target--> program "shop-7"
 *
 * A label is pointed at another program while requests look at it: they take
 * its target as they take the active program (see program.c).  The target
 * stays while a label points at it, and a label's memory while a program
 * that uses it does: requests of a discarded one may yet go there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program_impl.h"

static struct program_label *labels;

struct program_label *
program_label_find(const char *name)
{
	for (struct program_label *l = labels; l != NULL; l = l->next)
		if (!l->discarded && !strcmp(l->name, name))
			return l;
	return NULL;
}

static struct program_label *
label_new(const char *name, char *err, size_t err_len)
{
	struct program_label *l;

	if (program_find(name) != NULL) {
		snprintf(err, err_len, "%s is not a label", name);
		return NULL;
	}
	if (strlen(name) >= PROGRAM_NAME_MAX) {
		snprintf(err, err_len, "a label has at most %d characters",
		    PROGRAM_NAME_MAX - 1);
		return NULL;
	}
	l = calloc(1, sizeof *l);
	if (l == NULL) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	strcpy(l->name, name);
	l->next = labels;
	labels = l;
	return l;
}

bool
program_label_set(const char *name, struct program *p, char *err,
    size_t err_len)
{
	struct program_label *l = program_label_find(name);
	struct program *old;

	if (p->temp == PROGRAM_COLD) {
		snprintf(err, err_len, "VCL %s is cold", p->name);
		return false;
	}
	if (l == NULL)
		l = label_new(name, err, err_len);
	if (l == NULL)
		return false;
	old = atomic_load(&l->target);
	if (old != NULL)
		old->labels--;
	p->labels++;
	atomic_store(&l->target, p);
	return true;
}

/* Nothing can go there any more: its name is free, and its target. */
static void
label_free(struct program_label *l)
{
	struct program_label **at;

	for (at = &labels; *at != l; at = &(*at)->next)
		continue;
	*at = l->next;
	atomic_load(&l->target)->labels--;
	free(l);
}

bool
program_label_discard(struct program_label *l, char *err, size_t err_len)
{
	const struct program *user = program_using(l);

	if (user != NULL) {
		snprintf(err, err_len, "VCL %s uses the label %s", user->name,
		    l->name);
		return false;
	}
	l->discarded = true;
	if (l->users == 0)
		label_free(l);
	return true;
}

bool
program_has_label(const struct program *p)
{
	for (const struct program_label *l = labels; l != NULL; l = l->next)
		if (!l->discarded && atomic_load(&l->target) == p)
			return true;
	return false;
}

struct program *
program_label_ref(const struct program_label *l)
{
	return program_ref_at(&l->target);
}

const char *
program_label_name(const struct program_label *l)
{
	return l->name;
}

/* ---- what a program uses ---- */

int
program_labels_open(struct program *p, char *err, size_t err_len)
{
	for (unsigned i = 0; i < p->info->label_n; i++) {
		const struct vcl_label_def *d = &p->info->label[i];
		struct program_label *l = program_label_find(d->name);

		if (l == NULL) {
			snprintf(err, err_len, "there is no label %s",
			    d->name);
			return -1;
		}
		l->users++;
		*d->instance = l;
	}
	return 0;
}

void
program_labels_close(struct program *p)
{
	struct program_label *l, *next;

	for (l = labels; l != NULL; l = next) {
		next = l->next;
		for (unsigned i = 0; i < p->info->label_n; i++) {
			if (*p->info->label[i].instance != l)
				continue;
			*p->info->label[i].instance = NULL;
			l->users--;
		}
		if (l->discarded && l->users == 0)
			label_free(l);
	}
}

void
program_labels_free(void)
{
	struct program_label *l;

	while ((l = labels) != NULL) {
		labels = l->next;
		free(l);
	}
}
