/*
 * power_cut.c - a store, and what is left of it when the power goes.
 *
 * One run of puts, refreshes, purges and bans is recorded (disk_log.h); cuts
 * are taken at random moments, images made of each, with writes lost and
 * out of order, and every image is opened.  It must open (or be set aside,
 * which is said), all that it gives must be right, what was told to be on disk
 * must be there, and no purge or ban that was acknowledged may be undone.
 *
 *      power_cut       50 images, or COPAL_POWER_CUTS
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_log.h"
#include "store_rig.h"

enum {
	ITEMS = 150,
	STEPS = 2500,
	FACTS_MAX = 40000,
	BANS_MAX = 1000,
	/* LMDB must not use the folder's lock of the process before it. */
	CHILD_BAD = 3,
	CHILD_SET_ASIDE = 4,
	/* Records between an eviction's commit and our being told, at most */
	EVICTED_AHEAD = 400,
};

/* Something that is known from a moment on: a place in the log */
struct fact {
	enum { STORED, PURGING, PURGED, REPLACING, BANNED } kind;
	unsigned at, no, version;
};

static struct fact fact[FACTS_MAX];
static _Atomic unsigned fact_n;
static _Atomic unsigned first_gone; /* place in the log; 0: none */
static struct rig rig;
static const size_t sizes[] = {0, 900, 3000, 9000, 70000, 300000};

static void
know(int kind, unsigned no, unsigned version)
{
	unsigned at = disk_log_mark(), i = atomic_fetch_add(&fact_n, 1);

	if (i < FACTS_MAX)
		fact[i] = (struct fact){kind, at, no, version};
}

static struct item
item_of(unsigned no, unsigned version)
{
	return (struct item){.no = no, .version = version,
	    .body_len = sizes[(no + version) % 6], .head_len = 200,
	    .ttl = 1e10};
}

static void
on_gone(void *priv, const uint8_t hash[STORE_HASH_LEN], uint64_t seq)
{
	unsigned none = 0;

	(void)priv;
	(void)hash;
	(void)seq;
	atomic_compare_exchange_strong(&first_gone, &none, disk_log_mark());
}

/* --- the run ------------------------------------------------------------- */

static void
run(uint64_t seed)
{
	unsigned version[ITEMS] = {0}, bans = 0;
	struct item pending[64];
	unsigned pending_n = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		unsigned no, what;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		no = (unsigned)(seed >> 33) % ITEMS;
		what = (unsigned)(seed >> 50) % 100;
		if (what < 6) {
			know(PURGING, no, version[no]);
			if (rig_purge(&rig, i + 1, no) == NULL)
				know(PURGED, no, version[no]);
		} else if (what < 7 && bans < BANS_MAX) {
			if (rig_ban(&rig, i + 1, STR("obj.status == 1")) ==
			    NULL)
				know(BANNED, i + 1, 0);
			bans++;
		} else {
			struct item it = item_of(no, ++version[no]);

			know(REPLACING, no, version[no]);
			if (item_put_async(&rig, &it))
				pending[pending_n++] = it;
		}
		if (pending_n < 64 && what != 99)
			continue;
		store_sync(rig.st);
		/* Of several versions of one the last counts. */
		for (unsigned k = 0; k < pending_n; k++)
			if (pending[k].version == version[pending[k].no] &&
			    item_get(&rig, &pending[k]) == 1)
				know(STORED, pending[k].no,
				    pending[k].version);
		pending_n = 0;
	}
	store_sync(rig.st);
}

/* --- an image ------------------------------------------------------------ */

struct expected {
	unsigned purged;    /* this version and those before are not there */
	unsigned stored;    /* this one is; 0: not known */
};

static void
expect(unsigned cut, struct expected e[ITEMS])
{
	unsigned n = fact_n < FACTS_MAX ? fact_n : FACTS_MAX;

	memset(e, 0, ITEMS * sizeof *e);
	for (unsigned i = 0; i < n; i++) {
		const struct fact *f = &fact[i];

		if (f->at >= cut)
			continue;
		switch (f->kind) {
		case STORED:
			e[f->no].stored = f->version;
			break;
		case PURGED:
			e[f->no].purged = f->version;
			break;
		case PURGING:
		case REPLACING:
			e[f->no].stored = 0;
			break;
		case BANNED:
			break;
		}
	}
}

/* The version that the store has; 0: none */
static unsigned
version_there(unsigned no)
{
	uint8_t hash[STORE_HASH_LEN];
	struct store_object *o;
	unsigned v = 0;

	item_hash(no, hash);
	if (store_lookup(rig.st, hash, NULL, NULL, &o) == 1) {
		v = o->meta.flags;
		store_object_free(&o);
	}
	return v;
}

static bool
item_is_right(unsigned no, const struct expected *e)
{
	unsigned v = version_there(no);
	struct item it = item_of(no, v);
	int found = v > 0 ? item_get(&rig, &it) : 0;

	/* A body that its checksum does not fit is found out: no harm. */
	if (v > 0 && v <= e->purged) {
		printf("item %u: version %u was purged\n", no, v);
		return false;
	}
	if (e->stored > 0 && (v != e->stored || found != 1)) {
		printf("item %u: version %u was on disk, there is %u (%d)\n",
		    no, e->stored, v, found);
		return false;
	}
	return true;
}

static void
note_ban(void *priv, const struct inval *i)
{
	if (i->kind == INVAL_BAN && i->seq <= STEPS)
		((bool *)priv)[i->seq] = true;
}

static bool
bans_are_there(unsigned cut)
{
	static bool seen[STEPS + 1];

	if (store_inval_each(rig.st, note_ban, seen) != 0)
		return false;
	for (unsigned i = 0; i < fact_n && i < FACTS_MAX; i++)
		if (fact[i].kind == BANNED && fact[i].at < cut &&
		    !seen[fact[i].no]) {
			printf("ban %u was acknowledged\n", fact[i].no);
			return false;
		}
	return true;
}

/* In a child, as LMDB may abort. */
static int
check(const char *dir, unsigned cut)
{
	struct expected e[ITEMS];
	bool ok;

	rig = (struct rig){.cfg = rig.cfg, .churning = true};
	rig.cfg.dir = dir;
	rig.cfg.priv = &rig;
	rig.cfg.on_gone = NULL;
	if (!rig_open(&rig)) {
		printf("%s\n", rig.err);
		return CHILD_BAD;
	}
	if (strstr(rig.message, "empty store") != NULL) {
		printf("%s\n", rig.message);
		return CHILD_SET_ASIDE;
	}
	expect(cut, e);
	ok = bans_are_there(cut);
	for (unsigned no = 0; no < ITEMS; no++) {
		if (first_gone != 0 && cut + EVICTED_AHEAD > first_gone)
			e[no].stored = 0;
		ok &= item_is_right(no, &e[no]);
	}
	store_close(&rig.st);
	return ok ? 0 : CHILD_BAD;
}

static int
check_apart(const char *dir, unsigned cut)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int r = check(dir, cut);

		fflush(stdout);
		_exit(r);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return CHILD_BAD;
	if (WIFSIGNALED(status))
		printf("killed by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_BAD;
}

static int
by_size(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

int
main(void)
{
	const char *many = getenv("COPAL_POWER_CUTS");
	unsigned n = many != NULL ? (unsigned)atoi(many) : 50, bad = 0,
	    aside = 0, *cut = calloc(n + 1, sizeof *cut);
	char dir[128], cmd[300];

	rig_init(&rig);
	rig.cfg.on_gone = on_gone;
	rig.cfg.size = 64 << 20;
	rig.churning = true;
	if (!rig_open(&rig)) {
		printf("%s\n", rig.err);
		return 1;
	}
	store_sync(rig.st);
	disk_log_begin(rig.dir);
	run(1);
	disk_log_end();
	store_close(&rig.st);

	srand(1);
	for (unsigned i = 0; i < n; i++)
		cut[i] = (unsigned)rand() % disk_log_len();
	qsort(cut, n, sizeof *cut, by_size);
	snprintf(dir, sizeof dir, "%s.image", rig.dir);
	for (unsigned i = 0; i < n; i++) {
		unsigned odds = i % 5 == 0 ? 0 : i % 5 == 1 ? 8 : i % 8;
		int r = disk_log_image(dir, cut[i], odds, i) ?
		    check_apart(dir, cut[i]) : CHILD_BAD;

		if (r == CHILD_SET_ASIDE)
			aside++;
		else if (r != 0)
			printf("cut %u, at record %u, odds %u: wrong\n", i,
			    cut[i], odds);
		bad += r != 0 && r != CHILD_SET_ASIDE;
	}
	snprintf(cmd, sizeof cmd, "rm -rf '%s' '%s'.bad-*", dir, dir);
	if (system(cmd) != 0)
		perror(cmd);
	rig_fini(&rig);
	printf("power cuts: %u of %u images right, %u set aside, %u wrong "
	    "(%u records, evictions from %u on)\n", n - bad - aside, n, aside,
	    bad, disk_log_len(), first_gone);
	free(cut);
	return bad != 0;
}
