/*
 * unix.c - module unix: who is at the other end of a unix socket.
 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "fetch.h"
#include "request.h"
#include "stream.h"
#include "vmod.h"
#include "vcl/vmod_functions.h"

struct owner {
	uid_t uid;
	gid_t gid;
};

/* false, and a record in the log: not known */
static bool
owner_of(struct vcl_ctx *ctx, struct owner *o)
{
	const struct request *req = ctx->req != NULL ? ctx->req
	    : ctx->fetch != NULL ? ctx->fetch->req : NULL;
	struct stream *s = req != NULL ? req->stream : NULL;

	if (s != NULL && s->ops->peer_owner != NULL &&
	    s->ops->peer_owner(s, &o->uid, &o->gid))
		return true;
	vrt_log_error(ctx, "unix: the client is not at a unix socket");
	return false;
}

/* Names may come over the network: they are asked for on the pool. */
struct name {
	struct owner owner;
	bool is_group, found;
	char text[256];
};

static void
look_up(void *arg)
{
	struct name *n = arg;
	char buf[16384];
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	const char *found = NULL;

	if (n->is_group) {
		if (getgrgid_r(n->owner.gid, &gr, buf, sizeof buf, &group) ==
		    0 && group != NULL)
			found = group->gr_name;
	} else if (getpwuid_r(n->owner.uid, &pw, buf, sizeof buf, &user) ==
	    0 && user != NULL) {
		found = user->pw_name;
	}
	n->found = found != NULL;
	snprintf(n->text, sizeof n->text, "%s", n->found ? found : "");
}

static VCL_STRING
name_of(struct vcl_ctx *ctx, bool is_group)
{
	struct name n = {.is_group = is_group};

	if (!owner_of(ctx, &n.owner))
		return STR_NULL;
	pool_call(core_self()->pool, look_up, &n, "name of a user");
	if (n.found)
		return vrt_copy(ctx, str_from_z(n.text));
	vrt_log_error(ctx, "unix: %s %u has no name",
	    is_group ? "group" : "user",
	    is_group ? (unsigned)n.owner.gid : (unsigned)n.owner.uid);
	return STR_NULL;
}

VCL_STRING
vmod_unix_user(struct vcl_ctx *ctx)
{
	return name_of(ctx, false);
}

VCL_STRING
vmod_unix_group(struct vcl_ctx *ctx)
{
	return name_of(ctx, true);
}

VCL_INT
vmod_unix_uid(struct vcl_ctx *ctx)
{
	struct owner o;

	return owner_of(ctx, &o) ? (VCL_INT)o.uid : -1;
}

VCL_INT
vmod_unix_gid(struct vcl_ctx *ctx)
{
	struct owner o;

	return owner_of(ctx, &o) ? (VCL_INT)o.gid : -1;
}
