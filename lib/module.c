/*
 * module.c - modules in files of their own: see module.h.
 */
#include <sys/stat.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "module.h"

enum { PATH_LEN = 1024 };

bool
module_check_abi(
    const char *path, unsigned major, unsigned minor, char err[MODULE_ERR_MAX])
{
	if (major == VMOD_ABI_MAJOR && minor <= VMOD_ABI_MINOR)
		return true;
	snprintf(err, MODULE_ERR_MAX,
	    "'%s' was built for version %u.%u of the module interface; "
	    "this copald has %d.%d: %s",
	    path, major, minor, VMOD_ABI_MAJOR, VMOD_ABI_MINOR,
	    major == VMOD_ABI_MAJOR ? "it needs a newer copald"
				    : "the module has to be built for it");
	return false;
}

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t
sum_more(uint64_t sum, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		sum = (sum ^ (unsigned char)s.p[i]) * FNV_PRIME;
	return sum;
}

uint64_t
module_sum(struct str s)
{
	return sum_more(FNV_BASIS, s);
}

/* ---- copies ---- */

static bool
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* All of from is added to *sum and written to to; false with errno. */
static bool
copy(int from, int to, uint64_t *sum)
{
	char buf[65536];
	ssize_t n;

	*sum = FNV_BASIS;
	while ((n = read(from, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		*sum = sum_more(*sum, str_of(buf, (size_t)n));
		if (!write_all(to, buf, (size_t)n))
			return false;
	}
	return true;
}

/*
 * One copy: written beside the program, and then, if the cache has an equal
 * one, replaced by it.
 */
static bool
keep(const struct vcl_import *m, const char *dir, const char *cache)
{
	char path[PATH_LEN], shared[PATH_LEN], new[PATH_LEN];
	uint64_t sum = 0;
	int from, to, err;
	bool ok;

	if (snprintf(path, sizeof(path), "%s/libvmod_%s.so", dir, m->name) >=
		(int)sizeof(path) ||
	    snprintf(new, sizeof(new), "%s/new", dir) >= (int)sizeof(new)) {
		errno = ENAMETOOLONG;
		return false;
	}
	from = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	to = from < 0
		 ? -1
		 : open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ok = to >= 0 && copy(from, to, &sum);
	err = errno;
	if (from >= 0)
		close(from);
	if (to >= 0 && close(to) != 0 && ok) {
		err = errno;
		ok = false;
	}
	errno = err;
	if (!ok)
		return false;
	if (snprintf(shared, sizeof(shared), "%s/%s.%016llx.so", cache, m->name,
		(unsigned long long)sum) >= (int)sizeof(shared)) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (link(new, shared) != 0 && errno != EEXIST)
		return false;
	return link(shared, path) == 0 && unlink(new) == 0;
}

bool
module_keep(const struct vcl_program_info *info, const char *dir,
    const char *cache, char err[MODULE_ERR_MAX])
{
	for (unsigned i = 0; i < info->import_n; i++) {
		const struct vcl_import *m = &info->import[i];

		if (keep(m, dir, cache))
			continue;
		snprintf(err, MODULE_ERR_MAX, "module %s: can't copy '%s': %s",
		    m->name, m->path, strerror(errno));
		return false;
	}
	return true;
}

/* ---- opening ---- */

typedef void function(void);

static function *
find(const struct vmod_module *m, const char *name)
{
	for (unsigned i = 0; i < m->function_n; i++) {
		if (!strcmp(m->function[i].name, name))
			return m->function[i].function;
	}
	return NULL;
}

/* Takes the functions that the program uses. */
static bool
connect_functions(const struct vcl_import *m, const struct vmod_module *found,
    char err[MODULE_ERR_MAX])
{
	function **all = calloc(m->function_n + 1, sizeof(*all));

	if (all == NULL) {
		snprintf(err, MODULE_ERR_MAX, "out of memory");
		return false;
	}
	for (unsigned i = 0; i < m->function_n; i++) {
		all[i] = find(found, m->function[i]);
		if (all[i] != NULL)
			continue;
		snprintf(err, MODULE_ERR_MAX, "module %s: '%s' lacks %s",
		    m->name, m->path, m->function[i]);
		free(all);
		return false;
	}
	m->connect(all);
	free(all);
	return true;
}

static bool
open_one(const struct vcl_import *m, const char *dir, char err[MODULE_ERR_MAX])
{
	const struct vmod_module *found;
	char path[PATH_LEN];
	int n = snprintf(path, sizeof(path), "%s/libvmod_%s.so", dir, m->name);

	if (n >= (int)sizeof(path) || access(path, R_OK) != 0)
		snprintf(path, sizeof(path), "%s", m->path);
	*m->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (*m->handle == NULL) {
		snprintf(err, MODULE_ERR_MAX, "module %s: can't load '%s': %s",
		    m->name, m->path, dlerror());
		return false;
	}
	found = dlsym(*m->handle, VMOD_SYMBOL);
	if (found == NULL) {
		snprintf(err, MODULE_ERR_MAX,
		    "module %s: '%s' has no symbol " VMOD_SYMBOL, m->name,
		    m->path);
		return false;
	}
	if (!module_check_abi(m->path, found->abi_major, found->abi_minor, err))
		return false;
	if (module_sum(str_from_z(found->description)) != m->sum) {
		snprintf(err, MODULE_ERR_MAX,
		    "module %s: '%s' is not what the VCL was compiled with",
		    m->name, m->path);
		return false;
	}
	return connect_functions(m, found, err);
}

bool
module_open(const struct vcl_program_info *info, const char *dir,
    char err[MODULE_ERR_MAX])
{
	for (unsigned i = 0; i < info->import_n; i++) {
		if (!open_one(&info->import[i], dir, err))
			return false;
	}
	return true;
}

void
module_close(const struct vcl_program_info *info)
{
	for (unsigned i = info->import_n; i-- > 0;) {
		void **handle = info->import[i].handle;

		if (*handle != NULL)
			dlclose(*handle);
		*handle = NULL;
	}
}
