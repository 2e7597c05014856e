/*
 * fault.c - disk operations that fail or wait because somebody said so
 * (debug.store_fault).
 */
#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "store.h"

static const char *const op_name[] = {
    [FAULT_SEGMENT_CREATE] = "segment.create",
    [FAULT_SEGMENT_OPEN] = "segment.open",
    [FAULT_SEGMENT_READ] = "segment.read",
    [FAULT_SEGMENT_WRITE] = "segment.write",
    [FAULT_SEGMENT_SYNC] = "segment.sync",
    [FAULT_CATALOGUE_READ] = "catalogue.read",
    [FAULT_CATALOGUE_BEGIN] = "catalogue.begin",
    [FAULT_CATALOGUE_COMMIT] = "catalogue.commit",
};

enum { OPS = sizeof op_name / sizeof op_name[0] };

static const struct {
	const char *name;
	int error;
} error_name[] = {
    {"none", 0},
    {"EDQUOT", EDQUOT},
    {"EIO", EIO},
    {"ENOMEM", ENOMEM},
    {"ENOSPC", ENOSPC},
};

int (*volatile fault_hook)(enum fault_op);

static pthread_mutex_t mtx = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
	int error;
	bool waits;
} told[OPS];

static int
do_as_told(enum fault_op op)
{
	int error;

	pthread_mutex_lock(&mtx);
	while (told[op].waits)
		pthread_cond_wait(&changed, &mtx);
	error = told[op].error;
	pthread_mutex_unlock(&mtx);
	return error;
}

bool
store_has_fault(void)
{
	return fault_hook != NULL;
}

bool
store_fault(const char *op, const char *what)
{
	bool waits = !strcmp(what, "wait");
	int error = -1;

	for (size_t i = 0; i < sizeof error_name / sizeof error_name[0]; i++)
		if (!strcmp(what, error_name[i].name))
			error = error_name[i].error;
	if (waits)
		error = 0;
	for (unsigned i = 0; error >= 0 && i < OPS; i++) {
		if (strcmp(op, op_name[i]) != 0)
			continue;
		pthread_mutex_lock(&mtx);
		told[i].error = error;
		told[i].waits = waits;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mtx);
		fault_hook = do_as_told;
		return true;
	}
	return false;
}
