/*
 * std_file.c - module std: what is read from files.
 *
 * A call of std.fileread() keeps what it has read for as long as its program
 * is loaded: files of up to FILE_MAX bytes, FILES_MAX of them (a path may
 * be made of what a client sent).  One that can't be kept is read anew
 * each time.  Cores that read the same file at once both keep it; the
 * list is only ever added to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "core.h"
#include "vmod.h"
#include "vrt.h"
#include "vcl/vmod_functions.h"

enum {
	FILES_MAX = 64,          /* of one call */
	FILE_MAX = 16 << 20,     /* bytes: more is no text to put in a page */
	PATH_LEN_MAX = 1024,
};

struct file {
	struct file *next;
	unsigned n;       /* this one and those behind it */
	struct str path;
	size_t len;
	char *bytes;
	char text[];      /* the path */
};

struct reading { /* what the pool does */
	const char *path;
	char *bytes;      /* malloc'ed */
	size_t len;
	int error;
};

static void
read_file(void *arg)
{
	struct reading *r = arg;
	struct stat st;
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0) {
		r->error = errno;
	} else if (!S_ISREG(st.st_mode)) {
		r->error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	} else if (st.st_size > FILE_MAX) {
		r->error = EFBIG;
	} else {
		size_t room = (size_t)st.st_size;
		ssize_t n = 1;

		r->bytes = malloc(room + 1);
		if (r->bytes == NULL)
			r->error = ENOMEM;
		while (r->error == 0 && n > 0 && r->len < room) {
			n = read(fd, r->bytes + r->len, room - r->len);
			if (n > 0)
				r->len += (size_t)n;
			else if (n < 0 && errno == EINTR)
				n = 1;
			else if (n < 0)
				r->error = errno;
		}
	}
	if (fd >= 0)
		close(fd);
}

static void
free_files(void *p)
{
	struct file *f = p, *next;

	for (; f != NULL; f = next) {
		next = f->next;
		free(f->bytes);
		free(f);
	}
}

static const struct file *
find(struct vmod_priv *priv, struct str path)
{
	const struct file *f = __atomic_load_n(&priv->p, __ATOMIC_ACQUIRE);

	while (f != NULL && !str_eq(f->path, path))
		f = f->next;
	return f;
}

/* Takes over r->bytes; NULL: it is not kept. */
static const struct file *
keep(struct vmod_priv *priv, struct str path, const struct reading *r)
{
	struct file *f = malloc(sizeof *f + path.len);
	void *head = __atomic_load_n(&priv->p, __ATOMIC_ACQUIRE);

	if (f == NULL)
		return NULL;
	memcpy(f->text, path.p, path.len);
	f->path = str_of(f->text, path.len);
	f->bytes = r->bytes;
	f->len = r->len;
	__atomic_store_n(&priv->free, free_files, __ATOMIC_RELAXED);
	do {
		f->next = head;
		f->n = head != NULL ? ((struct file *)head)->n + 1 : 1;
		if (f->n > FILES_MAX) {
			free(f);
			return NULL;
		}
	} while (!__atomic_compare_exchange_n(&priv->p, &head, f, false,
	    __ATOMIC_RELEASE, __ATOMIC_ACQUIRE));
	return f;
}

/* p == NULL: there is no such file, or it can't be read (logged). */
static struct str
file_of(struct vcl_ctx *ctx, struct vmod_priv *priv, struct str path,
    const char *what)
{
	struct core *core = core_self();
	const struct file *f = find(priv, path);
	struct reading r = {0};
	char name[PATH_LEN_MAX];
	struct str s;

	if (f != NULL)
		return str_of(f->bytes, f->len);
	if (path.len == 0 || path.len >= sizeof name ||
	    memchr(path.p, '\0', path.len) != NULL) {
		r.error = path.len == 0 ? ENOENT : ENAMETOOLONG;
	} else {
		memcpy(name, path.p, path.len);
		name[path.len] = '\0';
		r.path = name;
		if (core != NULL && core->pool != NULL)
			pool_call(core->pool, read_file, &r, "std.fileread");
		else
			read_file(&r);
	}
	if (r.error != 0) {
		free(r.bytes);
		if (ctx->log != NULL)
			log_printf(ctx->log, LOG_VCL_ERROR, "std.%s(%.*s): %s",
			    what, STR_ARG(path), strerror(r.error));
		return STR_NULL;
	}
	f = keep(priv, path, &r);
	if (f != NULL)
		return str_of(f->bytes, f->len);
	s = arena_strdup(ctx->ws, str_of(r.bytes, r.len));
	free(r.bytes);
	if (s.p == NULL)
		vcl_fail_space(ctx, "std.fileread");
	return s;
}

/* Text ends at a NUL. */
VCL_STRING
vmod_std_fileread(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING path)
{
	struct str s = file_of(ctx, priv, path, "fileread");

	if (s.p != NULL)
		s.len = strnlen(s.p, s.len);
	return s;
}

VCL_BLOB
vmod_std_blobread(struct vcl_ctx *ctx, struct vmod_priv *priv, VCL_STRING path)
{
	struct str s = file_of(ctx, priv, path, "blobread");

	return (VCL_BLOB){s.p, s.len};
}

/* Answered from the kernel's memory nearly always: not worth the pool. */
VCL_BOOL
vmod_std_file_exists(struct vcl_ctx *ctx, VCL_STRING path)
{
	char name[PATH_LEN_MAX];
	struct stat st;

	(void)ctx;
	if (path.len == 0 || path.len >= sizeof name)
		return false;
	memcpy(name, path.p, path.len);
	name[path.len] = '\0';
	return strlen(name) == path.len && stat(name, &st) == 0;
}
