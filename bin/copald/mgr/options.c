/*
 * options.c - the command line of copald; flags as in varnishd(1) where they
 * mean the same.
 */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "mgr.h"
#include "options.h"
#include "params.h"

#ifndef COPAL_SYSCONF_DIR
#define COPAL_SYSCONF_DIR "/etc/copal"
#endif

enum { OPT_METRICS = 256, OPT_VERSION, OPT_HELP };

static const char flags[] = ":a:b:Cdf:Fh::i:I:j:l:M:n:p:P:r:s:S:t:T:VW:?";
static const struct option long_flags[] = {
    {"metrics", required_argument, NULL, OPT_METRICS},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "Usage: copald [options]\n"
    "\n"
    "  -a [name=]address[:port][,HTTP]  listen for HTTP (:80); repeatable\n"
    "     [,PROXY[,from=net]...]          behind a PROXY header, v1 or v2\n"
    "     [,user=u][,group=g][,mode=m]    of a unix socket\n"
    "  -b host[:port] | path | none     the only backend, without a VCL file\n"
    "  -f file                          VCL program (" COPAL_SYSCONF_DIR
    "/default.vcl)\n"
    "                                     '': none, until the CLI loads one\n"
    "  -n dir                           state folder, and name for the tools\n"
    "  -s [name=]lmdb[,dir[,size]]      store on disk; size: 10g, 20%\n"
    "  -s [name=]ram[,size]             store in memory; repeatable\n"
    "  -p param=value                   set a parameter; repeatable\n"
    "  -r param[,param...]              make parameters read-only\n"
    "  -t ttl                           as -p default_ttl=ttl\n"
    "  -l size                          as -p vsl_space=size\n"
    "\n"
    "  -T address:port | none           CLI over TCP; repeatable\n"
    "  -M address:port                  connect to a master of the CLI\n"
    "  -S file | none                   secret of the CLI\n"
    "  -I file                          CLI commands to run first\n"
    "  --metrics address:port           Prometheus metrics at /metrics\n"
    "\n"
    "  -i identity                      server.identity (the host's name)\n"
    "  -j none | unix[,user=u]          whose rights the worker has\n"
    "  -P file                          write the process id there\n"
    "  -F                               stay in the foreground\n"
    "  -d                               and take CLI commands from stdin\n"
    "  -C                               compile the VCL, print C, and exit\n"
    "  -V, --version                    print the version\n"
    "  -?, -h, --help                   print this\n";

/* Paths must survive that the daemon changes its folder. */
static const char *
absolute(const char *path)
{
	char cwd[PATH_MAX], *out;

	if (path[0] == '/')
		return path;
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		mgr_die("the current folder: %s", strerror(errno));
	if (asprintf(&out, "%s/%s", cwd, path) < 0)
		mgr_die("out of memory");
	return out;
}

/* lmdb,dir,size: the folder made absolute */
static const char *
absolute_store(const char *spec)
{
	const char *dir = strchr(spec, ',');
	char *out;

	if (dir == NULL || dir - spec < 4 || memcmp(dir - 4, "lmdb", 4) ||
	    dir[1] == '/' || dir[1] == ',' || dir[1] == '\0')
		return spec;
	if (asprintf(&out, "%.*s%s", (int)(dir + 1 - spec), spec,
		absolute(dir + 1)) < 0)
		mgr_die("out of memory");
	return out;
}

static void
add(char flag, const char **list, unsigned *n, unsigned max, const char *what)
{
	if (*n == max)
		mgr_die("-%c: more than %u of them", flag, max);
	list[(*n)++] = what;
}

static void
set_param(const char *name, const char *value, char flag)
{
	const struct param_info *p = param_find(name);
	const char *why = param_compat_reason(name);
	char err[PARAM_ERR_MAX];

	if (param_is_features(name)) {
		if (!param_set_features(name, value, err))
			mgr_die("-%c %s=%s: %s", flag, name, value, err);
	} else if (p == NULL && why != NULL)
		mgr_say(
		    LOG_WARNING, "-%c %s has no effect: %s", flag, name, why);
	else if (p == NULL)
		mgr_die("-%c: unknown parameter \"%s\"", flag, name);
	else if (!param_set_text(p, value, err))
		mgr_die("-%c %s=%s: %s", flag, name, value, err);
}

static void
set_params(const char *arg)
{
	const char *eq = strchr(arg, '=');
	char name[64];

	if (eq == NULL)
		mgr_die("-p %s: param=value is wanted", arg);
	snprintf(name, sizeof(name), "%.*s", (int)(eq - arg), arg);
	set_param(name, eq + 1, 'p');
}

static void
lock_params(const char *arg)
{
	char *list = strdup(arg), *rest = list, *name;

	if (list == NULL)
		mgr_die("out of memory");
	while ((name = strsep(&rest, ",")) != NULL) {
		const struct param_info *p = param_find(name);

		if (p != NULL)
			param_lock(p);
		else if (param_is_features(name))
			for (unsigned i = 0; (p = param_of_feature(name, i)) !=
			     NULL; i++)
				param_lock(p);
		else if (param_compat_reason(name) == NULL)
			mgr_die("-r: unknown parameter \"%s\"", name);
	}
	free(list);
}

/* varnishd's -l may name two more sizes, which are of no use here */
static void
set_log_size(const char *arg)
{
	char size[32];

	snprintf(size, sizeof(size), "%.*s", (int)strcspn(arg, ","), arg);
	set_param("vsl_space", size, 'l');
}

static void
take(struct options *o, int flag, const char *arg)
{
	switch (flag) {
	case 'a':
		add('a', o->listen, &o->listen_n, LISTEN_MAX, arg);
		break;
	case 'b':
		if (o->backend != NULL)
			mgr_die("-b can be given only once");
		o->backend = arg;
		break;
	case 'C':
		o->compile_only = true;
		break;
	case 'd':
		o->debug = true;
		break;
	case 'f':
		if (o->vcl_file != NULL)
			mgr_die("-f can be given only once");
		o->vcl_file = arg;
		break;
	case 'F':
		o->foreground = true;
		break;
	case 'i':
		if (strlen(arg) >=
		    sizeof(((struct worker_config *)0)->identity))
			mgr_die("-i: the identity is too long");
		o->identity = arg;
		break;
	case 'I':
		o->init_file = absolute(arg);
		break;
	case 'j':
		o->jail = arg;
		break;
	case 'l':
		set_log_size(arg);
		break;
	case 'M':
		add('M', o->master, &o->master_n, CLI_ADDR_MAX, arg);
		break;
	case 'n':
		o->workdir = arg;
		break;
	case 'p':
		set_params(arg);
		break;
	case 'P':
		o->pid_file = absolute(arg);
		break;
	case 'r':
		lock_params(arg);
		break;
	case 's':
		add('s', o->store, &o->store_n, STORE_SPEC_MAX,
		    absolute_store(arg));
		break;
	case 'S':
		o->no_secret = !strcmp(arg, "none");
		o->secret = o->no_secret ? NULL : absolute(arg);
		break;
	case 't':
		set_param("default_ttl", arg, 't');
		break;
	case 'T':
		if (!strcmp(arg, "none"))
			o->no_cli = true;
		else
			add('T', o->cli, &o->cli_n, CLI_ADDR_MAX, arg);
		break;
	case OPT_METRICS:
		o->metrics = arg;
		break;
	default:
		break;
	}
}

/*
 * Relative to the current folder if the file is there, else left to
 * vcl_path.
 */
static void
find_vcl(struct options *o)
{
	struct stat st;

	if (o->vcl_file != NULL && o->vcl_file[0] == '\0') {
		o->no_vcl = true;
		o->vcl_file = NULL;
	} else if (o->vcl_file == NULL && o->backend == NULL && !o->debug) {
		o->vcl_file = COPAL_SYSCONF_DIR "/default.vcl";
		if (access(o->vcl_file, R_OK) < 0)
			mgr_die("neither -f nor -b is given, and %s: %s",
			    o->vcl_file, strerror(errno));
	} else if (o->vcl_file != NULL &&
		   (o->vcl_file[0] == '/' || access(o->vcl_file, F_OK) == 0)) {
		o->vcl_file = absolute(o->vcl_file);
		if (access(o->vcl_file, R_OK) < 0)
			mgr_die("-f %s: %s", o->vcl_file, strerror(errno));
		if (stat(o->vcl_file, &st) == 0 && S_ISDIR(st.st_mode))
			mgr_die("-f %s: %s", o->vcl_file, strerror(EISDIR));
	}
}

static void
check(const struct options *o)
{
	if (o->backend != NULL && o->vcl_file != NULL)
		mgr_die("only one of -b and -f can be given");
	if (o->foreground && o->debug)
		mgr_die("only one of -F and -d can be given");
	if (o->no_cli && o->cli_n > 0)
		mgr_die("-T none and -T %s are both given", o->cli[0]);
	if (o->no_secret && (o->cli_n > 0 || o->master_n > 0))
		mgr_die("-S none would let everybody in: not with -T or -M");
	if (o->compile_only && o->vcl_file == NULL && o->backend == NULL)
		mgr_die("-C needs -f or -b");
}

/* -h of varnishd, which chooses a hash: the word may stand apart. */
static bool
is_varnish_hash(int argc, char **argv)
{
	static const char *const hashes[] = {"classic", "critbit",
	    "simple_list"};
	const char *word = optarg;

	if (word == NULL && optind < argc)
		word = argv[optind];
	for (size_t i = 0; word && i < sizeof(hashes) / sizeof(*hashes); i++) {
		if (strncmp(word, hashes[i], strlen(hashes[i])) != 0)
			continue;
		if (optarg == NULL)
			optind++;
		mgr_say(LOG_WARNING,
		    "-h %s has no effect: there is one index", word);
		return true;
	}
	return false;
}

void
options_parse(int argc, char **argv, struct options *o)
{
	int flag;

	*o = (struct options){0};
	opterr = 0;
	while ((flag = getopt_long(argc, argv, flags, long_flags, NULL)) >= 0) {
		bool long_one = optind > 1 && optind <= argc &&
				!strncmp(argv[optind - 1], "--", 2);

		if (flag == 'V' || flag == OPT_VERSION) {
			printf("copald (copal-%s)\n", PACKAGE_VERSION);
			exit(0);
		}
		if (flag == 'h' && is_varnish_hash(argc, argv))
			continue;
		if (flag == 'W') {
			mgr_say(LOG_WARNING,
			    "-W %s has no effect: it is epoll", optarg);
			continue;
		}
		if (flag == 'h' || flag == OPT_HELP ||
		    (flag == '?' && optopt == '?') ||
		    (flag == '?' && optopt == 0 && !long_one)) {
			fputs(usage, stdout);
			exit(0);
		}
		if (flag == '?' && long_one)
			mgr_die("unknown option %s (-? lists them)",
			    argv[optind - 1]);
		if (flag == '?')
			mgr_die("unknown option -%c (-? lists them)", optopt);
		if (flag == ':')
			mgr_die(
			    "option %s needs an argument", argv[optind - 1]);
		take(o, flag, optarg);
	}
	if (optind < argc)
		mgr_die("unexpected argument \"%s\"", argv[optind]);
	find_vcl(o);
	check(o);
}
