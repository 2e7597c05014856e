/*
 * main.c - copallog: follows the log of a running Copal and prints it.
 *
 *   rings -> batches -> transactions in groups -> query -> text, NCSA or JSON
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#include "ncsa.h"
#include "print.h"
#include "query.h"
#include "shmlog_read.h"
#include "txn.h"
#include "workdir.h"

enum output { OUTPUT_TEXT, OUTPUT_NCSA, OUTPUT_JSON };

enum {
	IDLE_MS = 50,
	RESCAN_MS = 1000,
	/* Most batches between two looks at the clock and the signals. */
	BURST = 1000,
};

struct copallog {
	enum grouping grouping;
	enum output output;
	bool client, backend; /* -c, -b */
	bool includes;        /* -E: of ESI, in an access log */
	bool from_oldest, follow, append, unbuffered;
	unsigned limit;       /* -L */
	double wait;          /* -T, seconds */
	double attach_wait;   /* -t; < 0: for ever */
	uint64_t groups_left; /* -k; 0: no limit */
	bool done;
	const char *file;     /* -w */
	FILE *out;
	struct filter *filter;
	struct log_query *query;
	struct ncsa *ncsa;
};

static volatile sig_atomic_t stopped, reopen_wanted;

static void
on_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void
on_hup(int sig)
{
	(void)sig;
	reopen_wanted = 1;
}

static nsec_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (nsec_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
nap(unsigned ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&ts, NULL); /* a signal may end it */
}

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list ap;

	fputs("copallog: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* ---- output ---- */

static void
open_output(struct copallog *c)
{
	FILE *f;

	if (c->file == NULL || strcmp(c->file, "-") == 0) {
		c->out = stdout;
		return;
	}
	f = fopen(c->file, c->append ? "ae" : "we");
	if (f == NULL)
		die("Cannot write %s: %s", c->file, strerror(errno));
	if (c->out != NULL)
		fclose(c->out);
	c->out = f;
}

/* Whoever read us has gone: that is no failure. */
static void
flush(struct copallog *c)
{
	if (fflush(c->out) == 0 && !ferror(c->out))
		return;
	if (errno == EPIPE)
		exit(0);
	die("Cannot write: %s", strerror(errno));
}

static bool
is_wanted(const struct copallog *c, enum log_kind kind)
{
	if (!c->client && !c->backend)
		return true;
	switch (kind) {
	case LOG_KIND_REQUEST:
	case LOG_KIND_SESSION:
		return c->client;
	case LOG_KIND_FETCH:
		return c->backend;
	case LOG_KIND_RAW:
		break;
	}
	return false;
}

static void
feed_query(struct log_query *q, uint64_t id, unsigned level,
    struct str records)
{
	struct log_record r;

	while (log_record_next(&records, &r))
		log_query_record(q, id, level, &r);
}

static bool
print_one(struct copallog *c, const struct txn *t)
{
	/* One that others wait for and nobody has seen. */
	if (t->kind == 0 || !is_wanted(c, t->kind))
		return false;
	switch (c->output) {
	case OUTPUT_TEXT:
		return print_text(c->out, t, c->filter);
	case OUTPUT_NCSA:
		/* no client asked for it, and its bytes are the page's */
		if (t->reason == LOG_REASON_ESI && !c->includes)
			return false;
		return ncsa_print(c->ncsa, c->out, t);
	case OUTPUT_JSON:
		print_json(c->out, t, c->filter);
		return true;
	}
	return false;
}

static void
count_group(struct copallog *c)
{
	if (c->unbuffered)
		flush(c);
	if (c->groups_left != 0 && --c->groups_left == 0)
		c->done = true;
}

/* txn_emit */
static void
print_group(struct txn *root, void *arg)
{
	struct copallog *c = arg;
	bool any = false;

	if (c->done)
		return;
	if (c->query != NULL) {
		log_query_begin(c->query);
		for (struct txn *t = root; t != NULL; t = txn_walk(root, t))
			feed_query(c->query, t->id, t->level, txn_records(t));
		if (!log_query_result(c->query))
			return;
	}
	for (struct txn *t = root; t != NULL; t = txn_walk(root, t))
		any = print_one(c, t) || any;
	if (!any)
		return;
	if (c->output == OUTPUT_TEXT)
		putc('\n', c->out);
	count_group(c);
}

/* -g raw: record by record, as they come. */
static void
print_batch_raw(struct copallog *c, const struct log_batch *b)
{
	struct str records = b->records;
	struct log_record r;
	bool any = false;

	if (!is_wanted(c, b->kind))
		return;
	while (log_record_next(&records, &r)) {
		if (c->query != NULL) {
			log_query_begin(c->query);
			log_query_record(c->query, b->id, 0, &r);
			if (!log_query_result(c->query))
				continue;
		}
		if (!filter_shows(c->filter, &r))
			continue;
		print_raw(c->out, b, &r);
		any = true;
	}
	if (any)
		count_group(c);
}

/* ---- input ---- */

static struct log_reader *
attach(const struct copallog *c, const char *dir)
{
	nsec_t give_up = c->attach_wait < 0
	    ? NSEC_NEVER
	    : now() + NSEC_S(c->attach_wait);
	struct log_reader *r;
	char err[512];

	for (;;) {
		r = log_reader_open(dir,
		    c->from_oldest ? LOG_FROM_OLDEST : LOG_FROM_NOW, err,
		    sizeof err);
		if (r != NULL || stopped)
			return r;
		if (now() >= give_up)
			die("%s", err);
		nap(IDLE_MS);
	}
}

static void
report_loss(struct log_reader *r)
{
	uint64_t lost = log_reader_lost(r);

	if (lost != 0)
		fprintf(stderr,
		    "copallog: too slow: %" PRIu64 " bytes of log were lost\n",
		    lost);
}

static void
follow(struct copallog *c, struct log_reader *r)
{
	struct txns *ts = txns_new(c->grouping, c->limit, NSEC_S(c->wait),
	    print_group, c);
	nsec_t rescan_at = now() + NSEC_MS(RESCAN_MS);
	struct log_batch b;

	if (ts == NULL)
		die("Out of memory");
	while (!stopped && !c->done) {
		nsec_t at = now();
		unsigned n = 0;

		while (!c->done && n < BURST && log_reader_next(r, &b)) {
			n++;
			if (c->grouping == GROUP_RAW)
				print_batch_raw(c, &b);
			else
				txns_add(ts, &b, at);
		}
		txns_expire(ts, at);
		report_loss(r);
		if (reopen_wanted) {
			reopen_wanted = 0;
			flush(c);
			open_output(c);
		}
		if (at >= rescan_at) {
			log_reader_rescan(r);
			rescan_at = at + NSEC_MS(RESCAN_MS);
		}
		if (n != 0)
			continue;
		if (c->from_oldest && !c->follow)
			break;
		flush(c);
		nap(IDLE_MS);
	}
	txns_flush(ts);
	flush(c);
	txns_free(&ts);
}

/* ---- the command line ---- */

static const char usage_text[] =
"Usage: copallog [options]\n"
"Prints the log of a running Copal.\n"
"\n"
"  -n dir          Copal's work directory\n"
"  -g grouping     request (default), xid, session or raw\n"
"  -b, -c          only backend, only client transactions\n"
"  -q query        only groups that fulfil it: 'RespStatus >= 500'\n"
"  -i, -x tags     only these tags; not these: -i 'ReqURL,Resp*'\n"
"  -I, -X [tags:]regex   the same by the text of the record\n"
"  -C              the regular expressions ignore case\n"
"  -d              the log as it is, from its oldest record, then stop\n"
"      --follow    with -d: go on with what comes\n"
"  -k number       stop after that many groups\n"
"  -L number       most incomplete transactions kept (1000)\n"
"  -T seconds      longest wait for a group to be complete (120)\n"
"  -t seconds|off  how long to wait for the log to be there (5)\n"
"  -w file         write to it; SIGHUP opens it again; -: standard output\n"
"  -a              append to it\n"
"  -u              write each group at once\n"
"      --ncsa      NCSA combined access log\n"
"  -F, --format f  another format of access log: '%h %s %{Host}i'\n"
"  -E              with the includes of ESI, in an access log; implies -c\n"
"      --json      a JSON object a line for each transaction\n"
"  -V, -h          version, this text\n"
"\n"
"copallog(1) explains all of this, and lists the tags.\n";

enum { OPT_NCSA = 256, OPT_JSON, OPT_FOLLOW };

static const struct option long_options[] = {
    {"ncsa", no_argument, NULL, OPT_NCSA},
    {"format", required_argument, NULL, 'F'},
    {"json", no_argument, NULL, OPT_JSON},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static uint64_t
number(char opt, const char *arg)
{
	uint64_t v;

	if (!str_to_u64(str_from_z(arg), &v) || v == 0 || v > 1000000000)
		die("-%c: expected a number from 1, not \"%s\"", opt, arg);
	return v;
}

static double
seconds(char opt, const char *arg)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end != '\0' || !(v >= 0 && v <= 1e6))
		die("-%c: expected seconds, not \"%s\"", opt, arg);
	return v;
}

static enum grouping
grouping_of(const char *arg)
{
	if (strcmp(arg, "raw") == 0)
		return GROUP_RAW;
	if (strcmp(arg, "xid") == 0 || strcmp(arg, "vxid") == 0)
		return GROUP_XID;
	if (strcmp(arg, "request") == 0)
		return GROUP_REQUEST;
	if (strcmp(arg, "session") == 0)
		return GROUP_SESSION;
	die("-g: expected raw, xid, request or session, not \"%s\"", arg);
}

/* What must wait until all options are known: -C is for all of them. */
struct late {
	const char *query, *format;
	bool caseless, grouping_given;
	unsigned n;
	struct {
		char opt;
		const char *arg;
	} filter[64];
};

static void
take_option(struct copallog *c, struct late *late, int opt, const char **n_arg)
{
	switch (opt) {
	case 'a':
		c->append = true;
		break;
	case 'b':
		c->backend = true;
		break;
	case 'c':
		c->client = true;
		break;
	case 'C':
		late->caseless = true;
		break;
	case 'd':
		c->from_oldest = true;
		break;
	case 'E':
		c->includes = c->client = true;
		break;
	case 'F':
		c->output = OUTPUT_NCSA;
		late->format = optarg;
		break;
	case 'g':
		c->grouping = grouping_of(optarg);
		late->grouping_given = true;
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	case 'i':
	case 'I':
	case 'x':
	case 'X':
		if (late->n == sizeof late->filter / sizeof *late->filter)
			die("Too many of -i -I -x -X");
		late->filter[late->n].opt = (char)opt;
		late->filter[late->n++].arg = optarg;
		break;
	case 'k':
		c->groups_left = number('k', optarg);
		break;
	case 'L':
		c->limit = number('L', optarg);
		break;
	case 'n':
		*n_arg = optarg;
		break;
	case 'q':
		late->query = optarg;
		break;
	case 't':
		c->attach_wait =
		    strcmp(optarg, "off") == 0 ? -1 : seconds('t', optarg);
		break;
	case 'T':
		c->wait = seconds('T', optarg);
		break;
	case 'u':
		c->unbuffered = true;
		break;
	case 'V':
		puts("copallog (" PACKAGE_STRING ")");
		exit(0);
	case 'w':
		c->file = optarg;
		break;
	case OPT_NCSA:
		c->output = OUTPUT_NCSA;
		break;
	case OPT_JSON:
		c->output = OUTPUT_JSON;
		break;
	case OPT_FOLLOW:
		c->follow = true;
		break;
	default:
		fputs("Try copallog -h\n", stderr);
		exit(2);
	}
}

static void
finish_options(struct copallog *c, const struct late *late)
{
	char err[512];

	c->filter = filter_new();
	if (c->filter == NULL)
		die("Out of memory");
	for (unsigned i = 0; i < late->n; i++)
		if (!filter_add(c->filter, late->filter[i].opt,
			late->filter[i].arg, late->caseless, err, sizeof err))
			die("-%c: %s", late->filter[i].opt, err);
	if (late->query != NULL) {
		c->query = log_query_new(late->query, late->caseless, err,
		    sizeof err);
		if (c->query == NULL)
			die("-q: %s", err);
	}
	if (c->output == OUTPUT_NCSA) {
		c->ncsa = ncsa_new(
		    late->format != NULL ? late->format : NCSA_COMBINED, err,
		    sizeof err);
		if (c->ncsa == NULL)
			die("--format: %s", err);
		/* An access log is about each request of a client. */
		if (!c->client && !c->backend)
			c->client = true;
		if (!late->grouping_given)
			c->grouping = GROUP_XID;
	}
	if (c->grouping == GROUP_RAW && c->output != OUTPUT_TEXT)
		die("-g raw has no transactions to make NCSA or JSON of");
}

static void
catch_signals(void)
{
	struct sigaction stop = {.sa_handler = on_stop};
	struct sigaction hup = {.sa_handler = on_hup};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &hup, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

int
main(int argc, char **argv)
{
	struct copallog c = {
	    .grouping = GROUP_REQUEST,
	    .limit = 1000,
	    .wait = 120,
	    .attach_wait = 5,
	};
	struct late late = {0};
	const char *n_arg = NULL;
	struct log_reader *reader;
	char dir[4096];
	int opt;

	while ((opt = getopt_long(argc, argv,
		    "abcCdEF:g:hi:I:k:L:n:q:t:T:uVw:x:X:", long_options,
		    NULL)) != -1)
		take_option(&c, &late, opt, &n_arg);
	if (optind != argc)
		die("Unexpected argument \"%s\"", argv[optind]);
	finish_options(&c, &late);
	if (workdir_path(n_arg, dir, sizeof dir) != 0)
		die("-n %s: %s", n_arg, strerror(errno));
	catch_signals();
	open_output(&c);
	reader = attach(&c, dir);
	if (reader != NULL)
		follow(&c, reader);
	log_reader_close(&reader);
	if (c.out != stdout)
		fclose(c.out);
	filter_free(&c.filter);
	log_query_free(&c.query);
	ncsa_free(&c.ncsa);
	return 0;
}
