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
#include "run/metrics.h"
#include "run/worker.h"
#include "tool/healthcheck.h"

static const char usage[] =
	"usage: sluiced -c FILE [-R PARSERS] [-q] [-v] [--dry-run]\n"
	"       sluiced healthcheck -c FILE\n"
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
	"  -V, --version        print the version\n"
	"  -h, --help           print this\n"
	"\n"
	"  healthcheck          exit 0 when the sluiced of that configuration\n"
	"                       answers /api/v1/health with 200\n"
	"\n"
	"SIGTERM, SIGINT: receive until idle for 1 s or Grace is over, write\n"
	"everything, exit 0.  SIGHUP: open the files anew.\n"
	"Exit codes: 64 usage, 78 configuration, 71 system, 70 bug.\n";

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "sluiced: %s%s\n%s", what, value, usage);
	return EXIT_CODE_USAGE;
}

static int collect(const struct assemble_opts *opts)
{
	struct err e = {0};
	struct assembly *assembly = assemble(opts, &e);
	if (assembly == NULL)
		goto fail;
	if (opts->dry_run)
		fputs("configuration test is successful\n", stderr);
	else if (!worker_run(assembly, &e))
		goto fail;
	assembly_free(assembly);
	return 0;
fail:
	assembly_free(assembly);
	fprintf(stderr, "sluiced: %s\n", e.text);
	return e.exit_code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"parser", required_argument, NULL, 'R'},
		{"dry-run", no_argument, NULL, 'D'},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct assemble_opts opts = {.log_level = SAY_INFO};
	int option;
	while ((option = getopt_long(argc, argv, "c:R:DqvVh", options, NULL)) !=
	       -1) {
		switch (option) {
		case 'c':
			opts.conf_path = optarg;
			break;
		case 'R':
			opts.parsers_path = optarg;
			break;
		case 'D':
			opts.dry_run = true;
			break;
		case 'q':
			opts.log_level = SAY_ERROR;
			break;
		case 'v':
			opts.log_level = SAY_DEBUG;
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
	if (opts.conf_path == NULL)
		return usage_error("-c FILE is needed", "");
	if (optind == argc)
		return collect(&opts);
	if (strcmp(argv[optind], "healthcheck") == 0 && optind + 1 == argc)
		return healthcheck(&opts);
	return usage_error("unknown argument ", argv[optind]);
}
