/*
 * source.c - the texts that a program is made of, and places in them.
 *
 * Finds, reads and limits what is included.  The only file of the compiler
 * that reads files.
 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler.h"

enum {
	SOURCE_TOTAL_MAX = 16 * 1024 * 1024, /* bytes of all sources together */
	INCLUDE_DEPTH_MAX = 50, /* files in files; more is a mistake */
	INCLUDE_DEFAULT_MAX = 1000,
};

static void
index_lines(struct vcc *c, struct vcc_source *s)
{
	unsigned n = 1;
	const char *p;

	for (size_t i = 0; i < s->text.len; i++)
		n += s->text.p[i] == '\n';
	s->line_at = vcc_alloc(&c->mem, n * sizeof(*s->line_at));
	s->line_n = 1;
	for (size_t i = 0; i < s->text.len; i++) {
		p = memchr(s->text.p + i, '\n', s->text.len - i);
		if (p == NULL)
			break;
		i = (size_t)(p - s->text.p);
		s->line_at[s->line_n++] = (uint32_t)i + 1;
	}
}

struct vcc_source *
vcc_source_of(struct vcc *c, const char *path, struct str text)
{
	struct vcc_source *s = vcc_alloc(&c->mem, sizeof(*s));

	s->path = path;
	s->text = text;
	s->syntax = 41;
	index_lines(c, s);
	return s;
}

struct vcc_source *
vcc_source_new(struct vcc *c, const char *path, struct str text,
    struct vcc_span included_at)
{
	struct vcc_source *s;
	const char *nul;
	unsigned max = c->options->max_includes;

	if (text.len > SOURCE_TOTAL_MAX - c->source_total) {
		vcc_error(c, included_at,
		    "'%s' is too large: all sources together may have %d MiB",
		    path, SOURCE_TOTAL_MAX >> 20);
		return NULL;
	}
	if (c->source_n > (max ? max : INCLUDE_DEFAULT_MAX)) {
		vcc_error(c, included_at, "more than %u includes",
		    max ? max : INCLUDE_DEFAULT_MAX);
		c->stop = true;
		return NULL;
	}
	c->source_total += text.len;
	s = vcc_source_of(c, path, text);
	s->included_at = included_at;
	if (included_at.source) {
		s->depth = included_at.source->depth + 1;
		s->syntax = included_at.source->syntax;
	}
	c->source =
	    vcc_grow(&c->mem, c->source, c->source_n, sizeof(*c->source));
	c->source[c->source_n++] = s;
	nul = text.len ? memchr(text.p, '\0', text.len) : NULL;
	if (nul) {
		vcc_error(c, (struct vcc_span){s, (uint32_t)(nul - text.p), 1},
		    "a NUL byte; VCL is text");
		return NULL;
	}
	return s;
}

/* The length of path's folder with its '/', 0 if it has none. */
static size_t
folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool
is_relative(struct str name)
{
	return str_starts(name, STR("./")) || str_starts(name, STR("../"));
}

/*
 * Calls try() with each place where name may be, until it returns true.
 */
static bool
each_place(struct vcc *c, struct str name, struct vcc_span at,
    bool (*try)(struct vcc *, const char *path, void *arg), void *arg)
{
	const char *folders = c->options->vcl_path;
	const char *from = at.source->path;
	const char *end;

	if (name.len > 0 && name.p[0] == '/')
		return try(c, vcc_printf(&c->mem, "%.*s", STR_ARG(name)), arg);
	if (is_relative(name) || folders == NULL || *folders == '\0')
		return try(c,
		    vcc_printf(&c->mem, "%.*s%.*s", (int)folder_len(from), from,
			STR_ARG(name)),
		    arg);
	for (; *folders; folders = *end ? end + 1 : end) {
		end = strchrnul(folders, ':');
		if (end == folders)
			continue;
		if (try(c,
			vcc_printf(&c->mem, "%.*s/%.*s", (int)(end - folders),
			    folders, STR_ARG(name)),
			arg))
			return true;
	}
	return false;
}

struct found {
	const char *path;
	int fd;
	uint64_t device, inode;
	int err; /* of the last place that did not do */
};

static bool
try_open(struct vcc *c, const char *path, void *arg)
{
	struct found *f = arg;
	struct stat st;

	f->fd = c->options->open_file
		    ? c->options->open_file(path)
		    : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0) {
		f->err = errno;
		return false;
	}
	/* a FIFO or a device could keep us waiting, or never end */
	if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(f->fd);
		f->err = EINVAL;
		return false;
	}
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->path = path;
	return true;
}

/* All of the file, one byte more than the limit at most; closes it. */
static int
read_all(struct vcc *c, int fd, struct str *out)
{
	struct vcc_buf b = {.mem = &c->mem};
	char piece[16384];
	ssize_t n;

	for (;;) {
		n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || b.len > SOURCE_TOTAL_MAX)
			break;
		vcc_put(&b, piece, (size_t)n);
	}
	close(fd);
	*out = str_of(b.p ? b.p : "", b.len);
	return n < 0 ? -1 : 0;
}

/* Is that file being included already? */
static bool
is_open(const struct found *f, struct vcc_span at)
{
	struct stat st;

	for (const struct vcc_source *s = at.source; s;
	     s = s->included_at.source) {
		if (s->inode != 0 && f->device == s->device &&
		    f->inode == s->inode)
			return true;
		/* the first was opened by another, if it is a file */
		if (s->depth == 0 && s->path[0] != '<' &&
		    stat(s->path, &st) == 0 && f->device == st.st_dev &&
		    f->inode == st.st_ino)
			return true;
	}
	return false;
}

static struct vcc_source *
read_source(struct vcc *c, struct found *f, struct vcc_span at)
{
	struct vcc_source *s;
	struct str text;

	if (is_open(f, at)) {
		close(f->fd);
		vcc_error(c, at, "'%s' includes itself", f->path);
		return NULL;
	}
	if (at.source->depth + 1 >= INCLUDE_DEPTH_MAX) {
		close(f->fd);
		vcc_error(c, at, "includes are nested deeper than %d",
		    INCLUDE_DEPTH_MAX);
		return NULL;
	}
	if (read_all(c, f->fd, &text) < 0) {
		vcc_error(
		    c, at, "can't read '%s': %s", f->path, strerror(errno));
		return NULL;
	}
	s = vcc_source_new(c, f->path, text, at);
	if (s) {
		s->device = f->device;
		s->inode = f->inode;
	}
	return s;
}

static bool
may_include(struct vcc *c, struct str name, struct vcc_span at)
{
	if (c->options->no_files)
		vcc_error(c, at, "include is not possible here");
	else if (c->options->no_paths && memchr(name.p, '/', name.len))
		vcc_error(c, at,
		    "a path; the parameter vcc_unsafe_path allows only names "
		    "of files in vcl_path");
	else
		return true;
	return false;
}

struct vcc_source *
vcc_source_include(struct vcc *c, struct str name, struct vcc_span at)
{
	struct found f = {.fd = -1, .err = ENOENT};

	if (!may_include(c, name, at))
		return NULL;
	if (!each_place(c, name, at, try_open, &f)) {
		vcc_error(c, at, "can't include '%.*s': %s", STR_ARG(name),
		    f.err == EINVAL ? "not a regular file" : strerror(f.err));
		if (name.len > 0 && name.p[0] != '/' && !is_relative(name) &&
		    c->options->vcl_path && *c->options->vcl_path)
			vcc_note(c, (struct vcc_span){0},
			    "vcl_path is %s; "
			    "a name with ./ is searched beside this file",
			    c->options->vcl_path);
		return NULL;
	}
	return read_source(c, &f, at);
}

struct globbed {
	char **path;
	size_t n;
};

static bool
try_glob(struct vcc *c, const char *pattern, void *arg)
{
	struct globbed *g = arg;
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	g->n = found.gl_pathc;
	g->path = vcc_alloc(&c->mem, g->n * sizeof(*g->path));
	for (size_t i = 0; i < g->n; i++)
		g->path[i] = vcc_printf(&c->mem, "%s", found.gl_pathv[i]);
	globfree(&found);
	return g->n > 0;
}

unsigned
vcc_source_glob(struct vcc *c, struct str pattern, struct vcc_span at,
    struct vcc_source ***out)
{
	struct globbed g = {NULL, 0};
	struct vcc_source **list = NULL;
	unsigned n = 0;

	if (!may_include(c, pattern, at))
		return 0;
	if (!each_place(c, pattern, at, try_glob, &g)) {
		vcc_error(c, at, "no file matches '%.*s'", STR_ARG(pattern));
		return 0;
	}
	for (size_t i = 0; i < g.n && !c->stop; i++) {
		struct found f = {.fd = -1};
		struct vcc_source *s;

		if (!try_open(c, g.path[i], &f)) {
			vcc_error(c, at, "can't include '%s': %s", g.path[i],
			    f.err == EINVAL ? "not a regular file"
					    : strerror(f.err));
			continue;
		}
		s = read_source(c, &f, at);
		if (s) {
			list = vcc_grow(&c->mem, list, n, sizeof(*list));
			list[n++] = s;
		}
	}
	*out = list;
	return n;
}

unsigned
vcc_line(struct vcc_span at)
{
	const struct vcc_source *s = at.source;
	unsigned low = 0, high = s->line_n, mid;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (s->line_at[mid] <= at.at)
			low = mid;
		else
			high = mid;
	}
	return low + 1;
}

unsigned
vcc_column(struct vcc_span at)
{
	uint32_t from = at.source->line_at[vcc_line(at) - 1];
	unsigned column = 1;

	for (uint32_t i = from; i < at.at && i < at.source->text.len; i++)
		column += (at.source->text.p[i] & 0xc0) != 0x80;
	return column;
}

struct str
vcc_line_text(const struct vcc_source *s, unsigned line)
{
	size_t from = s->line_at[line - 1];
	size_t to = line < s->line_n ? s->line_at[line] - 1 : s->text.len;

	if (to > from && s->text.p[to - 1] == '\r')
		to--;
	return str_of(s->text.p + from, to - from);
}

const char *
vcc_where(struct vcc *c, struct vcc_span at)
{
	return vcc_printf(&c->mem, "%s:%u", at.source->path, vcc_line(at));
}

struct vcc_span
vcc_span_join(struct vcc_span a, struct vcc_span b)
{
	if (a.source == NULL)
		return b;
	if (a.source == b.source && b.at + b.len > a.at)
		a.len = b.at + b.len - a.at;
	return a;
}
