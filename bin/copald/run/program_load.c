/*
 * program_load.c - opening a compiled program, and closing it.
 *
 * A program is a shared object with one symbol.  The pointers that it asks us
 * to fill in (regexes, ACLs, backends) are its own variables, so one object
 * can be one program only.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "backend.h"
#include "ctx.h"
#include "program_load.h"
#include "regex.h"

enum { INIT_SPACE = 256 * 1024 }; /* workspace of vcl_init, vcl_fini */

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

/* Runs vcl_init or vcl_fini, outside of any request. */
static enum vcl_ret
run_housekeeping(struct program *p, enum vcl_sub_id sub, char *err,
    size_t err_len)
{
	struct log_txn log;
	struct vcl_ctx ctx;
	struct arena ws;
	enum vcl_ret ret;
	char buf[256];
	void *mem = aligned_alloc(16, INIT_SPACE);

	if (mem == NULL) {
		snprintf(err, err_len, "out of memory");
		return VCL_RET_FAIL;
	}
	arena_init(&ws, mem, INIT_SPACE);
	log_txn_begin(&log, NULL, LOG_KIND_RAW, 0, 0, buf, sizeof buf);
	vcl_ctx_init(&ctx, &ws, &log, p);
	ctx.err = err;
	ctx.err_len = err_len;
	ret = program_call(&ctx, sub);
	vcl_ctx_end(&ctx);
	log_txn_end(&log);
	arena_reset(&ws);
	free(mem);
	return ret;
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
	    make_acls(info, err, err_len) != 0 ||
	    make_backends(p, err, err_len) != 0)
		return -1;
	if (run_housekeeping(p, VCL_SUB_INIT, err, err_len) != VCL_RET_OK) {
		if (err[0] == '\0')
			snprintf(err, err_len, "vcl_init failed");
		return -1;
	}
	p->initialized = true;
	return 0;
}

void
program_close(struct program *p)
{
	const struct vcl_program_info *info = p->info;
	struct program_ip *ip, *next;
	char err[256] = "";

	if (info != NULL) {
		if (p->initialized)
			run_housekeeping(p, VCL_SUB_FINI, err, sizeof err);
		if (info->fini_objects != NULL)
			info->fini_objects();
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
	}
	for (ip = atomic_load(&p->ips); ip != NULL; ip = next) {
		next = ip->next;
		free(ip);
	}
	atomic_store(&p->ips, NULL);
	p->info = NULL;
	if (p->dl != NULL)
		dlclose(p->dl);
	p->dl = NULL;
}
