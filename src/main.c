/* SPDX-License-Identifier: Apache-2.0 */
/* main - arguments and sub-commands. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/say.h"
#include "run/assemble.h"
#include "run/launch.h"
#include "run/metrics.h"
#include "run/supervisor.h"
#include "tool/healthcheck.h"
#include "tool/journal_show.h"
#include "tool/replay.h"

static const char usage[] =
	"usage: sluiced -c FILE [-R PARSERS] [-q] [-v] [--dry-run]\n"
	"               [--no-supervisor]\n"
	"       sluiced healthcheck -c FILE\n"
	"       sluiced journal [-v] FILE\n"
	"       sluiced replay FILE -c FILE [--rate N]\n"
	"       sluiced --version | --help\n"
	"\n"
	"Collects nginx's access log from a Unix datagram socket and appends "
	"it, parsed,\nrouted and rendered as a Fluent Bit configuration says, "
	"to files.\n"
	"\n"
	"  -c, --config=FILE    the configuration, in Fluent Bit's classic "
	"format\n"
	"  -R, --parser=FILE    one more file of [PARSER] sections\n"
	"  -D, --dry-run        check the configuration, parsers, scripts and\n"
	"                       output directories; bind and write nothing\n"
	"  -q, --quiet          log errors only (Log_Level wins)\n"
	"  -v, --verbose        log everything, contents of bad messages too\n"
	"  -n, --no-supervisor  one process, for debugging: nobody restarts it\n"
	"  -V, --version        print the version\n"
	"  -h, --help           print this\n"
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

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "sluiced: %s%s\n%s", what, value, usage);
	return EXIT_CODE_USAGE;
}

struct arguments {
	struct assemble_opts assemble;
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
								SAY_DEBUG)
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
		return launch_dry(&a->assemble);
	return a->no_supervisor ? launch_alone(&a->assemble)
				: supervisor_run(&a->assemble);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"parser", required_argument, NULL, 'R'},
		{"dry-run", no_argument, NULL, 'D'},
		{"no-supervisor", no_argument, NULL, 'n'},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{"rate", required_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct arguments a = {.assemble.log_level = SAY_INFO};
	struct assemble_opts *opts = &a.assemble;
	int option;
	while ((option = getopt_long(argc, argv, "c:R:DnqvVh", options,
				     NULL)) != -1) {
		switch (option) {
		case 'c':
			opts->conf_path = optarg;
			break;
		case 'R':
			opts->parsers_path = optarg;
			break;
		case 'D':
			opts->dry_run = true;
			break;
		case 'n':
			a.no_supervisor = true;
			break;
		case 'q':
			opts->log_level = SAY_ERROR;
			break;
		case 'v':
			opts->log_level = SAY_DEBUG;
			break;
		case 'r':
			a.rate = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'V':
			printf("sluiced %s\n", metrics_version());
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return usage_error("see the options below", "");
		}
	}
	tzset();
	if (optind < argc)
		a.command = argv[optind++];
	if (optind < argc)
		a.file = argv[optind++];
	a.extra = argc - optind;
	return run(&a);
}
