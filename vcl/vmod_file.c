/*
 * vmod_file.c - finds modules: those of copald, and those in files.
 *
 * A file is a shared object; its description is read out of a section of it
 * (include/vmod.h), with no part of it run.  What is in the file is not to be
 * trusted: all that it says of itself is compared with its size.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler.h"

enum { DESCRIPTION_MAX = 1024 * 1024 }; /* bytes; a long one has 20 KiB */

/* ---- copald's own: vcl/vmod/<name>.vmod ---- */

#define VMOD(name) extern const char vmod_##name##_text[];
#include "tbl/vmods.h"
#undef VMOD

static const struct {
	const char *name, *text;
} modules[] = {
#define VMOD(name) {#name, vmod_##name##_text},
#include "tbl/vmods.h"
#undef VMOD
};

const char *
vcc_module_name(unsigned i)
{
	return i < sizeof(modules) / sizeof(*modules) ? modules[i].name : NULL;
}

static const char *
own_text(struct str name)
{
	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		if (str_eq(name, str_from_z(modules[i].name)))
			return modules[i].text;
	}
	return NULL;
}

/* ---- a shared object ---- */

struct object {
	int fd;
	uint64_t size;
};

static bool
read_at(const struct object *o, uint64_t at, void *to, size_t n)
{
	char *p = to;
	ssize_t done;

	if (at > o->size || n > o->size - at)
		return false;
	while (n > 0) {
		done = pread(o->fd, p, n, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		at += (uint64_t)done;
		n -= (size_t)done;
	}
	return true;
}

static bool
is_native(const ElfW(Ehdr) * e)
{
	const uint16_t one = 1;
	unsigned char data =
	    *(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB;

	return !memcmp(e->e_ident, ELFMAG, SELFMAG) &&
	       e->e_ident[EI_CLASS] ==
		   (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
	       e->e_ident[EI_DATA] == data;
}

/* The section with the description; or why there is none. */
static const char *
find_section(const struct object *o, ElfW(Shdr) * found)
{
	static const char damaged[] = "it is damaged, or was cut off";
	ElfW(Ehdr) e;
	ElfW(Shdr) names;
	char name[sizeof(VMOD_SECTION)];

	if (!read_at(o, 0, &e, sizeof(e)) || !is_native(&e))
		return "it is no shared object for this machine";
	if (e.e_shentsize != sizeof(*found) || e.e_shstrndx >= e.e_shnum)
		return damaged;
	if (!read_at(o, e.e_shoff + e.e_shstrndx * sizeof(names), &names,
		sizeof(names)))
		return damaged;
	for (unsigned i = 0; i < e.e_shnum; i++) {
		if (!read_at(o, e.e_shoff + i * sizeof(*found), found,
			sizeof(*found)))
			return damaged;
		/* a name that is cut off by the end is another one */
		if (found->sh_type != SHT_PROGBITS ||
		    found->sh_name >= names.sh_size ||
		    !read_at(o, names.sh_offset + found->sh_name, name,
			sizeof(name)))
			continue;
		if (memcmp(name, VMOD_SECTION, sizeof(name)) != 0)
			continue;
		if (found->sh_size > DESCRIPTION_MAX)
			return damaged;
		return NULL;
	}
	return "it has no description of a module for Copal; copalvmod(1) "
	       "says how one is built";
}

/*
 * "copal_vmod <major>.<minor>\n<description>NUL": takes the first line off.
 * false after an error.
 */
static bool
take_version(
    struct vcc *c, const char *path, struct str *text, struct vcc_span at)
{
	unsigned major = 0, minor = 0;
	int n = 0;
	char err[MODULE_ERR_MAX];

	if (sscanf(text->p, "copal_vmod %5u.%5u%n", &major, &minor, &n) != 2 ||
	    text->p[n] != '\n') {
		vcc_error(c, at,
		    "can't import '%s': its description is damaged", path);
		return false;
	}
	if (!module_check_abi(path, major, minor, err)) {
		vcc_error(c, at, "%s", err);
		return false;
	}
	*text = str_from_z(text->p + n + 1);
	return true;
}

/*
 * The description in a file; *why: what is wrong with the file, if p is NULL
 * in the result.  The first line is in it.
 */
static struct str
read_description(struct vcc *c, const char *path, const char **why)
{
	struct object o = {open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), 0};
	ElfW(Shdr) section;
	struct stat st;
	char *text = NULL;

	*why = NULL;
	if (o.fd < 0 || fstat(o.fd, &st) < 0)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "it is no file";
	else {
		o.size = (uint64_t)st.st_size;
		*why = find_section(&o, &section);
	}
	if (*why == NULL) {
		text = vcc_alloc(&c->mem, section.sh_size + 1);
		if (!read_at(&o, section.sh_offset, text, section.sh_size))
			*why = "it is damaged, or was cut off";
	}
	if (o.fd >= 0)
		close(o.fd);
	return *why ? STR_NULL : str_from_z(text);
}

/* ---- where it is ---- */

static const char *
absolute(struct vcc *c, const char *path)
{
	char real[PATH_MAX];

	return vcc_printf(&c->mem, "%s", realpath(path, real) ? real : path);
}

/* The first folder of vmod_path with such a file; NULL: none. */
static const char *
search(struct vcc *c, struct str file)
{
	const char *folders = c->options->vmod_path, *end, *path;

	for (; folders && *folders; folders = *end ? end + 1 : end) {
		end = strchrnul(folders, ':');
		path = vcc_printf(&c->mem, "%.*s/%.*s", (int)(end - folders),
		    folders, STR_ARG(file));
		if (end > folders && access(path, F_OK) == 0)
			return absolute(c, path);
	}
	return NULL;
}

/*
 * What "from" means: "/..." as it is, "./..." from the folder of the source,
 * anything else in vmod_path.
 */
static const char *
place_of(struct vcc *c, struct str from, struct vcc_span at)
{
	const char *slash = strrchr(at.source->path, '/');
	const char *path;

	if (from.len > 0 && from.p[0] == '/')
		return absolute(c, vcc_printf(&c->mem, "%.*s", STR_ARG(from)));
	if (str_starts(from, STR("./")) || str_starts(from, STR("../")))
		return absolute(
		    c, vcc_printf(&c->mem, "%.*s%.*s",
			   slash ? (int)(slash + 1 - at.source->path) : 0,
			   at.source->path, STR_ARG(from)));
	path = search(c, from);
	return path ? path : vcc_printf(&c->mem, "%.*s", STR_ARG(from));
}

static void
unknown_module(struct vcc *c, struct str name, struct vcc_span at)
{
	struct vcc_nearest nearest = vcc_nearest(name);
	struct vcc_buf all = {.mem = &c->mem};
	const char *known, *folders = c->options->vmod_path;

	for (unsigned i = 0; (known = vcc_module_name(i)); i++) {
		vcc_putf(&all, "%s%s", i ? ", " : "", known);
		vcc_nearest_try(&nearest, str_from_z(known));
	}
	vcc_error(c, at, "there is no module '%.*s'%s", STR_ARG(name),
	    vcc_did_you_mean(c, &nearest));
	vcc_note(c, (struct vcc_span){0},
	    "copald has the modules %s; others are files libvmod_<name>.so, "
	    "for which vmod_path is '%s'",
	    all.p, folders ? folders : "");
}

static struct vcc_module *
add(struct vcc *c, struct vcc_module *m)
{
	if (m == NULL)
		return NULL;
	if (m->event) {
		m->priv_vcl = true;
		m->priv_number = c->priv_n++;
	}
	m->next = c->module;
	c->module = m;
	return m;
}

static struct vcc_module *
import_file(
    struct vcc *c, struct str name, const char *path, struct vcc_span at)
{
	const char *why;
	struct str text = read_description(c, path, &why);
	struct vcc_module *m;

	if (text.p == NULL) {
		vcc_error(c, at, "can't import '%s': %s", path, why);
		return NULL;
	}
	if (!take_version(c, path, &text, at))
		return NULL;
	m = vcc_module_read(c, path, text);
	if (m == NULL)
		return NULL;
	if (!str_eq(m->name, name)) {
		vcc_error(c, at, "'%s' is module '%.*s', not '%.*s'", path,
		    STR_ARG(m->name), STR_ARG(name));
		return NULL;
	}
	m->path = path;
	return add(c, m);
}

struct vcc_module *
vcc_module_import(
    struct vcc *c, struct str name, struct str from, struct vcc_span at)
{
	const char *own = own_text(name), *path = NULL, *why;
	struct vcc_module *m;

	if (from.p && !c->options->no_files)
		path = place_of(c, from, at);
	for (m = c->module; m; m = m->next) {
		if (!str_eq(m->name, name))
			continue;
		if (path == NULL || (m->path && !strcmp(path, m->path)))
			return m;
		vcc_error(c, at, "module '%.*s' was imported from '%s' before",
		    STR_ARG(name), m->path ? m->path : "copald");
		return NULL;
	}
	/* files that were written for Varnish say where its modules are */
	if (path && own && read_description(c, path, &why).p == NULL) {
		vcc_warning(c, at,
		    "'%s' can't be used (%s); module '%.*s' of copald is", path,
		    why, STR_ARG(name));
		path = NULL;
	}
	if (path == NULL && own)
		return add(
		    c, vcc_module_read(c,
			   vcc_printf(&c->mem, "%.*s.vmod", STR_ARG(name)),
			   str_from_z(own)));
	if (from.p && c->options->no_files) {
		vcc_error(c, at, "a module's file can't be used here");
		return NULL;
	}
	if (path == NULL && !c->options->no_files)
		path = search(c, str_from_z(vcc_printf(&c->mem,
				     "libvmod_%.*s.so", STR_ARG(name))));
	if (path)
		return import_file(c, name, path, at);
	unknown_module(c, name, at);
	return NULL;
}
