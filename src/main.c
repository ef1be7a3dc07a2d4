/* SPDX-License-Identifier: Apache-2.0 */
/* main - arguments and sub-commands. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "process/supervisor.h"
#include "process/worker_main.h"
#include "setup/assemble.h"
#include "status/metrics.h"
#include "tool/healthcheck.h"
#include "tool/journal_show.h"
#include "tool/replay.h"

static const char usage[] =
	"usage: sluiced -c FILE [OPTION...]\n"
	"       sluiced healthcheck -c FILE\n"
	"       sluiced journal [-v] FILE\n"
	"       sluiced replay FILE -c FILE [--rate N]\n"
	"       sluiced --version | --help\n"
	"\n"
	"Collects nginx's access log over syslog and appends it, parsed, "
	"routed and\nrendered as a Fluent Bit configuration says, to files.\n"
	"\n"
	"  -c, --config=FILE    the configuration, in Fluent Bit's classic "
	"format\n"
	"                       or, when its name ends in .yaml, in YAML\n"
	"  -R, --parser=FILE    one more Parsers_File\n"
	"  -w, --workdir=DIR    go there first\n"
	"  -D, --dry-run        check the configuration, parsers, scripts and\n"
	"                       output directories; bind and write nothing\n"
	"  -u, --allow-unknown  unknown keys are warnings instead of errors\n"
	"  -n, --no-supervisor  one process, for debugging: nobody restarts it\n"
	"  -q, --quiet          log errors only (Log_Level wins)\n"
	"  -v, --verbose        log everything, contents of bad messages too\n"
	"  -V, --version        print the version\n"
	"  -h, --help           print this\n"
	"\n"
	"Where [SERVICE] does not say it:\n"
	"  -f, --flush=SECONDS      Flush\n"
	"  -l, --log_file=FILE      Log_File\n"
	"  -b, --storage_path=PATH  storage.path\n"
	"  -H, --http_server        HTTP_Server On\n"
	"  -L, --http_listen=ADDR   HTTP_Listen\n"
	"  -P, --http_port=PORT     HTTP_Port\n"
	"  -Y, --enable-hot-reload  Hot_Reload On\n"
	"\n"
	"  healthcheck          exit 0 when the sluiced of that configuration\n"
	"                       answers /api/v1/health with 200\n"
	"  journal FILE         what is in a journal; with -v also contents\n"
	"  replay FILE          send dead letters, or the messages of a journal\n"
	"                       that was set aside, to the sluiced of that\n"
	"                       configuration again; they arrive anew, with a\n"
	"                       new arrival time; at most N a second\n"
	"\n"
	"SIGTERM, SIGINT: receive until idle for 1 s or Grace is over, write\n"
	"everything, exit 0.  SIGHUP: reload the configuration.  SIGUSR1: open "
	"the\nfiles anew.\n"
	"Exit codes: 64 usage, 78 configuration, 71 system, 70 bug.\n";

/* Options without a letter. */
enum { RATE = 256, SUPERVISOR, FIPS, TRACE };

/* Those of Fluent Bit that set a key of [SERVICE]; without a value here, the
 * argument is it. */
static const struct {
	int option;
	const char *key;
	const char *value;
} service_options[] = {
	{'f', "Flush", NULL},
	{'l', "Log_File", NULL},
	{'b', "storage.path", NULL},
	{'R', "Parsers_File", NULL},
	{'L', "HTTP_Listen", NULL},
	{'P', "HTTP_Port", NULL},
	{'H', "HTTP_Server", "On"},
	{'Y', "Hot_Reload", "On"},
	{'s', "Coro_Stack_Size", NULL},
	{'W', "Hot_Reload.Ensure_Thread_Safety", "Off"},
};

/* Those that ask for what is not there. */
static const char in_file[] = "inputs, filters and outputs stand in the file "
			      "of -c, see conf/sluiced.conf";
static const struct {
	int option;
	const char *why;
} refused_options[] = {
	{'d', "it runs in the foreground: let systemd or a pod start it"},
	{'i', in_file},
	{'o', in_file},
	{'F', in_file},
	{'m', in_file},
	{'p', in_file},
	{'t', in_file},
	{'r', in_file},
	{'C', "there are no custom plugins"},
	{'e', "there are no plugins to load: filters and outputs are built in"},
	{'T', "there is no stream processor"},
	{'J', "-h says what there is, conf/sluiced.conf what can be set"},
	{'S', "there is no support report: see -v, -D and /metrics"},
	{'Z', "there are no chunks to trace: see -v and Dead_Letter"},
	{TRACE, "there are no chunks to trace: see -v and Dead_Letter"},
	{FIPS, "nothing is encrypted"},
};

static const char short_options[] =
	"b:c:dDe:f:hi:l:m:no:p:qr:s:t:uvw:C:F:HJL:P:R:ST:VWYZ";
static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"parser", required_argument, NULL, 'R'},
	{"workdir", required_argument, NULL, 'w'},
	{"dry-run", no_argument, NULL, 'D'},
	{"allow-unknown", no_argument, NULL, 'u'},
	{"no-supervisor", no_argument, NULL, 'n'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"rate", required_argument, NULL, RATE},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{"flush", required_argument, NULL, 'f'},
	{"log_file", required_argument, NULL, 'l'},
	{"storage_path", required_argument, NULL, 'b'},
	{"http", no_argument, NULL, 'H'},
	{"http_server", no_argument, NULL, 'H'},
	{"http_listen", required_argument, NULL, 'L'},
	{"port", required_argument, NULL, 'P'},
	{"http_port", required_argument, NULL, 'P'},
	{"enable-hot-reload", no_argument, NULL, 'Y'},
	{"coro_stack_size", required_argument, NULL, 's'},
	{"disable-thread-safety-on-hot-reload", no_argument, NULL, 'W'},
	{"supervisor", no_argument, NULL, SUPERVISOR},
	{"daemon", no_argument, NULL, 'd'},
	{"input", required_argument, NULL, 'i'},
	{"output", required_argument, NULL, 'o'},
	{"filter", required_argument, NULL, 'F'},
	{"match", required_argument, NULL, 'm'},
	{"prop", required_argument, NULL, 'p'},
	{"tag", required_argument, NULL, 't'},
	{"processor", required_argument, NULL, 'r'},
	{"custom", required_argument, NULL, 'C'},
	{"plugin", required_argument, NULL, 'e'},
	{"sp-task", required_argument, NULL, 'T'},
	{"help-json", no_argument, NULL, 'J'},
	{"sosreport", no_argument, NULL, 'S'},
	{"enable-chunk-trace", no_argument, NULL, 'Z'},
	{"trace", required_argument, NULL, TRACE},
	{"trace-input", required_argument, NULL, TRACE},
	{"trace-output", required_argument, NULL, TRACE},
	{"trace-output-property", required_argument, NULL, TRACE},
	{"enable-fips", no_argument, NULL, FIPS},
	{0},
};

enum { SERVICE_OPTIONS_MAX = 64 };

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "sluiced: %s%s\n%s", what, value, usage);
	return EXIT_CODE_USAGE;
}

struct arguments {
	struct assemble_opts assemble;
	struct conf_option service[SERVICE_OPTIONS_MAX];
	size_t service_count;
	const char *workdir; /* or NULL */
	bool no_supervisor;
	const char *command; /* NULL: collect */
	const char *file;    /* of the command, or NULL */
	int extra;	     /* arguments too many */
	uint32_t rate;	     /* of replay */
};

static int run_command(const struct arguments *a)
{
	bool has_file = a->file != NULL;
	bool has_conf = a->assemble.conf_path != NULL;
	if (strcmp(a->command, "journal") == 0)
		return has_file ? journal_show(a->file, a->assemble.log_level ==
								LOG_DEBUG)
				: usage_error("journal: FILE is needed", "");
	if (strcmp(a->command, "replay") == 0) {
		struct replay_opts opts = {.path = a->file,
					   .conf_path = a->assemble.conf_path,
					   .rate = a->rate};
		return has_file && has_conf
			       ? replay(&opts)
			       : usage_error("replay: FILE and -c FILE are "
					     "needed",
					     "");
	}
	if (strcmp(a->command, "healthcheck") == 0 && !has_file)
		return has_conf ? healthcheck(&a->assemble)
				: usage_error("-c FILE is needed", "");
	return usage_error("unknown command ", a->command);
}

static int run(const struct arguments *a)
{
	if (a->extra > 0)
		return usage_error("too many arguments", "");
	if (a->command != NULL)
		return run_command(a);
	if (a->assemble.conf_path == NULL)
		return usage_error("-c FILE is needed", "");
	if (a->assemble.dry_run)
		return worker_main_dry_run(&a->assemble);
	descriptors_raise();
	mem_map_large();
	return a->no_supervisor ? worker_main_alone(&a->assemble)
				: supervisor_run(&a->assemble);
}

/* The last one counts, but of parsers each. */
static void set_option(struct arguments *a, const char *key, const char *value)
{
	size_t n = 0;
	while (n < a->service_count && strcmp(a->service[n].key, key) != 0)
		n++;
	if (n < a->service_count && strcmp(key, "Parsers_File") == 0)
		n = a->service_count;
	if (n == a->service_count)
		a->service_count++;
	a->service[n] = (struct conf_option){key, value};
}

/* The exit code when there is nothing to go on with, else -1. */
static int take_other(struct arguments *a, int option)
{
	for (size_t i = 0; i < sizeof refused_options / sizeof *refused_options;
	     i++) {
		if (refused_options[i].option != option)
			continue;
		const struct option *o = long_options;
		while (o->val != option)
			o++;
		fprintf(stderr, "sluiced: --%s is not there: %s\n", o->name,
			refused_options[i].why);
		return EXIT_CODE_USAGE;
	}
	for (size_t i = 0; i < sizeof service_options / sizeof *service_options;
	     i++) {
		if (service_options[i].option != option)
			continue;
		if (a->service_count == SERVICE_OPTIONS_MAX)
			return usage_error("too many options", "");
		const char *value = service_options[i].value;
		set_option(a, service_options[i].key,
			   value != NULL ? value : optarg);
		return -1;
	}
	return usage_error("see the options below", "");
}

static int take_option(struct arguments *a, int option)
{
	struct assemble_opts *opts = &a->assemble;
	switch (option) {
	case 'c':
		opts->conf_path = optarg;
		return -1;
	case 'w':
		a->workdir = optarg;
		return -1;
	case 'D':
		opts->dry_run = true;
		return -1;
	case 'u':
		opts->allow_unknown = true;
		return -1;
	case 'n':
		a->no_supervisor = true;
		return -1;
	case 'q':
		opts->log_level = LOG_ERROR;
		return -1;
	case 'v':
		opts->log_level = LOG_DEBUG;
		return -1;
	case SUPERVISOR: /* it always has one */
		return -1;
	case RATE:
		a->rate = (uint32_t)strtoul(optarg, NULL, 10);
		return -1;
	case 'V':
		printf("sluiced %s\n", metrics_version());
		return 0;
	case 'h':
		fputs(usage, stdout);
		return 0;
	}
	return take_other(a, option);
}

static int take_all(struct arguments *a, int argc, char **argv)
{
	int option;
	while ((option = getopt_long(argc, argv, short_options, long_options,
				     NULL)) != -1) {
		int code = take_option(a, option);
		if (code >= 0)
			return code;
	}
	if (optind < argc)
		a->command = argv[optind++];
	if (optind < argc)
		a->file = argv[optind++];
	a->extra = argc - optind;
	return -1;
}

int main(int argc, char **argv)
{
	struct arguments a = {.assemble.log_level = LOG_INFO};
	int code = take_all(&a, argc, argv);
	if (code >= 0)
		return code;
	tzset();
	if (a.workdir != NULL && chdir(a.workdir) < 0) {
		fprintf(stderr, "sluiced: --workdir %s: %s\n", a.workdir,
			strerror(errno));
		return EXIT_CODE_SYSTEM;
	}
	struct conf *options = conf_of_options("command line", "SERVICE",
					       a.service, a.service_count);
	a.assemble.options = options;
	code = run(&a);
	conf_free(options);
	return code;
}
