/*
 * program_load.c - opening a compiled program, and closing it.
 *
 * A program is a shared object with one symbol.  The pointers that it asks us
 * to fill in (regexes, ACLs, backends) are its own variables, so one object
 * can be one program only.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "backend.h"
#include "clock.h"
#include "ctx.h"
#include "module.h"
#include "program_load.h"
#include "regex.h"

enum {
	INIT_SPACE = 256 * 1024, /* workspace of vcl_init, vcl_fini */
	IP_DEFAULT_PORT = 80,    /* of an IP without one, as in Varnish */
};

/* ---- where its constants are ---- */

static int
find_image(struct dl_phdr_info *info, size_t size, void *priv)
{
	struct program *p = priv;
	uintptr_t here = (uintptr_t)p->info;
	bool ours = false;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && here >= from &&
		    here < from + ph->p_memsz)
			ours = true;
	}
	if (!ours)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + ph->p_vaddr;

		/* strings are never in writable or executable memory */
		if (ph->p_type == PT_LOAD && !(ph->p_flags & (PF_W | PF_X)) &&
		    p->image_n < PROGRAM_IMAGES)
			p->image[p->image_n++] = (struct program_image){from,
			    from + ph->p_memsz};
	}
	return 1;
}

/* ---- what it wants filled in ---- */

static int
check(const struct vcl_program_info *info, const char *so_path, char *err,
    size_t err_len)
{
	if (info->abi != VCL_ABI_VERSION) {
		snprintf(err, err_len, "%s was compiled for version %u of the "
		    "VCL interface, this is version %d", so_path, info->abi,
		    VCL_ABI_VERSION);
		return -1;
	}
	for (unsigned i = 0; i < VCL_SUB_MAX; i++)
		if (info->sub[i] == NULL) {
			snprintf(err, err_len, "%s lacks a built-in sub",
			    so_path);
			return -1;
		}
	if (program_is_loaded(info)) {
		snprintf(err, err_len, "%s is loaded already", so_path);
		return -1;
	}
	return 0;
}

static int
make_regexes(const struct vcl_program_info *info, char *err, size_t err_len)
{
	char why[200];

	for (unsigned i = 0; i < info->regex_n; i++) {
		const struct vcl_regex_def *d = &info->regex[i];

		*d->compiled = regex_new(d->pattern, why, sizeof why);
		if (*d->compiled != NULL)
			continue;
		snprintf(err, err_len, "%s: regular expression \"%.*s\": %s",
		    d->where != NULL ? d->where : "?", STR_ARG(d->pattern),
		    why);
		return -1;
	}
	return 0;
}

/* An address without a port: its colons, if any, are its own. */
static bool
parse_address(const char *text, struct addr *a)
{
	if (inet_pton(AF_INET, text, &a->in4.sin_addr) == 1) {
		a->in4.sin_family = AF_INET;
		a->in4.sin_port = htons(IP_DEFAULT_PORT);
		a->len = sizeof a->in4;
		return true;
	}
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(IP_DEFAULT_PORT);
		a->len = sizeof a->in6;
		return true;
	}
	return false;
}

/* A name is resolved once, as in an ACL. */
static int
make_ips(struct program *p, char *err, size_t err_len)
{
	const struct vcl_program_info *info = p->info;
	struct addr found[2];
	char why[200];

	if (info->ip_n == 0)
		return 0;
	p->ips = calloc(info->ip_n, sizeof *p->ips);
	if (p->ips == NULL) {
		snprintf(err, err_len, "out of memory");
		return -1;
	}
	for (unsigned i = 0; i < info->ip_n; i++) {
		const struct vcl_ip_def *d = &info->ip[i];

		if (parse_address(d->text, &p->ips[i])) {
			*d->instance = &p->ips[i];
			continue;
		}
		if (addr_parse(d->text, "80", false, found, 2, why,
		    sizeof why) < 1) {
			snprintf(err, err_len, "%s: \"%s\" is no address: %s",
			    d->where, d->text, why);
			return -1;
		}
		p->ips[i] = found[0];
		*d->instance = &p->ips[i];
	}
	return 0;
}

static int
make_acls(const struct vcl_program_info *info, char *err, size_t err_len)
{
	for (unsigned i = 0; i < info->acl_n; i++) {
		*info->acl[i].instance = acl_new(&info->acl[i], err, err_len);
		if (*info->acl[i].instance == NULL)
			return -1;
	}
	return 0;
}

static int
make_backends(struct program *p, char *err, size_t err_len)
{
	for (unsigned i = 0; i < p->info->backend_n; i++) {
		const struct vcl_backend_def *d = &p->info->backend[i];

		*d->instance = backend_new(d, p->name, err, err_len);
		if (*d->instance == NULL)
			return -1;
		/* a host without an address now: the others work */
		if (err[0] != '\0')
			fprintf(stderr, "%s\n", err);
		err[0] = '\0';
	}
	return 0;
}

/* Work outside of any request: a transaction of its own. */
struct housekeeping {
	struct log_txn log;
	struct vcl_ctx ctx;
	struct arena ws;
	void *mem;
	char buf[256];
};

static bool
housekeeping_begin(struct housekeeping *h, struct program *p, char *err,
    size_t err_len)
{
	h->mem = aligned_alloc(16, INIT_SPACE);
	if (h->mem == NULL) {
		snprintf(err, err_len, "out of memory");
		return false;
	}
	arena_init(&h->ws, h->mem, INIT_SPACE);
	log_txn_begin(&h->log, NULL, LOG_KIND_RAW, 0, 0, h->buf,
	    sizeof h->buf);
	vcl_ctx_init(&h->ctx, &h->ws, &h->log, p);
	h->ctx.err = err;
	h->ctx.err_len = err_len;
	return true;
}

static void
housekeeping_end(struct housekeeping *h)
{
	vcl_ctx_end(&h->ctx);
	log_txn_end(&h->log);
	arena_reset(&h->ws);
	free(h->mem);
}

/* Runs vcl_init or vcl_fini. */
static enum vcl_ret
run_housekeeping(struct program *p, enum vcl_sub_id sub, char *err,
    size_t err_len)
{
	struct housekeeping h;
	enum vcl_ret ret;

	if (!housekeeping_begin(&h, p, err, err_len))
		return VCL_RET_FAIL;
	ret = program_call(&h.ctx, sub);
	housekeeping_end(&h);
	return ret;
}

/* ---- modules ---- */

/* One module; 0, or -1 with a message. */
static int
tell(struct program *p, const struct vcl_listener *l, enum vmod_event event,
    char *err, size_t err_len)
{
	struct housekeeping h;
	char why[256] = "";
	bool failed;

	if (!housekeeping_begin(&h, p, why, sizeof why)) {
		snprintf(err, err_len, "module %s: %s", l->module, why);
		return -1;
	}
	h.ctx.sub = event == VMOD_EVENT_LOAD || event == VMOD_EVENT_WARM
	    ? VCL_SUB_INIT : VCL_SUB_FINI;
	h.ctx.now = clock_wall();
	failed = (*l->function)(&h.ctx, l->priv, event) != 0 || h.ctx.failed;
	housekeeping_end(&h);
	if (failed)
		snprintf(err, err_len, "module %s: %s", l->module,
		    why[0] != '\0' ? why : "it refuses this program");
	return failed ? -1 : 0;
}

/*
 * Tells all modules that want to know.  If one of them refuses, those before
 * it are told the opposite, undo.  0, or -1 with a message.
 */
static int
tell_all(struct program *p, enum vmod_event event, enum vmod_event undo,
    char *err, size_t err_len)
{
	const struct vcl_listener *l = p->info->listener;
	char ignored[256];

	for (unsigned i = 0; i < p->info->listener_n; i++) {
		if (tell(p, &l[i], event, err, err_len) == 0)
			continue;
		while (i-- > 0)
			tell(p, &l[i], undo, ignored, sizeof ignored);
		return -1;
	}
	return 0;
}

/* What can't be refused: the last one first. */
static void
tell_back(struct program *p, enum vmod_event event)
{
	char ignored[256];

	for (unsigned i = p->info->listener_n; i-- > 0;)
		tell(p, &p->info->listener[i], event, ignored, sizeof ignored);
}

static int
open_modules(struct program *p, const char *so_path, char *err,
    size_t err_len)
{
	const char *slash = strrchr(so_path, '/');
	char *dir = strndup(so_path, slash != NULL
	    ? (size_t)(slash - so_path) : 0);
	char why[MODULE_ERR_MAX] = "out of memory";
	bool ok = dir != NULL &&
	    module_open(p->info, dir[0] != '\0' ? dir : ".", why);

	free(dir);
	if (!ok)
		snprintf(err, err_len, "%s", why);
	return ok ? tell_all(p, VMOD_EVENT_LOAD, VMOD_EVENT_DISCARD, err,
	    err_len) : -1;
}

int
program_open(struct program *p, const char *so_path, char *err, size_t err_len)
{
	const struct vcl_program_info *info;

	err[0] = '\0';
	p->dl = dlopen(so_path, RTLD_NOW | RTLD_LOCAL);
	if (p->dl == NULL) {
		snprintf(err, err_len, "can't load the compiled VCL: %s",
		    dlerror());
		return -1;
	}
	info = dlsym(p->dl, "vcl_program");
	if (info == NULL) {
		snprintf(err, err_len, "%s is not a compiled VCL", so_path);
		return -1;
	}
	if (check(info, so_path, err, err_len) != 0)
		return -1;
	p->info = info;
	dl_iterate_phdr(find_image, p);
	for (unsigned i = 0; i < info->header_n; i++)
		info->header[i]->id = field_id(info->header[i]->name);
	if (make_regexes(info, err, err_len) != 0 ||
	    make_ips(p, err, err_len) != 0 ||
	    make_acls(info, err, err_len) != 0 ||
	    make_backends(p, err, err_len) != 0 ||
	    program_labels_open(p, err, err_len) != 0 ||
	    open_modules(p, so_path, err, err_len) != 0)
		return -1;
	p->has_modules = true;
	if (run_housekeeping(p, VCL_SUB_INIT, err, err_len) != VCL_RET_OK) {
		if (err[0] == '\0')
			snprintf(err, err_len, "vcl_init failed");
		return -1;
	}
	p->initialized = true;
	return 0;
}

int
program_warm(struct program *p, char *err, size_t err_len)
{
	if (p->temp == PROGRAM_COLD) {
		if (tell_all(p, VMOD_EVENT_WARM, VMOD_EVENT_COLD, err,
		    err_len) != 0)
			return -1;
		for (unsigned i = 0; i < p->info->backend_n; i++)
			backend_warm(*p->info->backend[i].instance);
	}
	p->temp = PROGRAM_WARM;
	return 0;
}

void
program_cool(struct program *p)
{
	for (unsigned i = 0; i < p->info->backend_n; i++)
		backend_cool(*p->info->backend[i].instance);
	tell_back(p, VMOD_EVENT_COLD);
	p->temp = PROGRAM_COLD;
}

void
program_close(struct program *p)
{
	const struct vcl_program_info *info = p->info;
	char err[256] = "";

	if (info != NULL) {
		if (p->temp != PROGRAM_COLD)
			program_cool(p);
		program_labels_close(p);
		if (p->initialized)
			run_housekeeping(p, VCL_SUB_FINI, err, sizeof err);
		if (info->fini_objects != NULL)
			info->fini_objects();
		if (p->has_modules)
			tell_back(p, VMOD_EVENT_DISCARD);
		for (unsigned i = 0; i < info->priv_n; i++) {
			struct vmod_priv *priv = info->priv[i];

			if (priv->free != NULL && priv->p != NULL)
				priv->free(priv->p);
			*priv = (struct vmod_priv){NULL, 0, NULL};
		}
		for (unsigned i = 0; i < info->backend_n; i++)
			if (*info->backend[i].instance != NULL)
				backend_retire(info->backend[i].instance);
		for (unsigned i = 0; i < info->acl_n; i++)
			acl_free(info->acl[i].instance);
		for (unsigned i = 0; i < info->regex_n; i++)
			regex_free(info->regex[i].compiled);
		module_close(info);
	}
	free(p->ips);
	p->ips = NULL;
	p->info = NULL;
	if (p->dl != NULL)
		dlclose(p->dl);
	p->dl = NULL;
}
