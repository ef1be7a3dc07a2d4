/* SPDX-License-Identifier: Apache-2.0 */
/* main - runs a sub-command, the supervisor, or a worker without supervisor. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/descriptors.h"
#include "base/err.h"
#include "base/mem.h"
#include "process/supervisor.h"
#include "process/worker_main.h"
#include "status/metrics.h"
#include "tool/help.h"
#include "tool/options.h"

static int failed(const struct err *e)
{
	fprintf(stderr, "sluiced: %s%s\n", e->text,
		e->exit_code == EXIT_CODE_USAGE ? " (see sluiced --help)" : "");
	return e->exit_code;
}

/* The process that started this one may have blocked signals or ignored
 * SIGCHLD; both are inherited.  Then SIGTERM would not arrive, and nobody would
 * learn of a worker's end. */
static void reset_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
}

static int collect(const struct options *o)
{
	if (o->assemble.dry_run)
		return worker_main_dry_run(&o->assemble);
	reset_signals();
	descriptors_raise();
	mem_map_large();
	return o->no_supervisor ? worker_main_alone(&o->assemble)
				: supervisor_run(&o->assemble);
}

/* Everything but --help and --version is done in the directory of --workdir. */
static int run(const struct options *o)
{
	struct err e;
	tzset();
	if (o->workdir != NULL && chdir(o->workdir) < 0) {
		err_sys(&e, errno, "--workdir %s", o->workdir);
		return failed(&e);
	}
	return o->action == OPTIONS_COMMAND ? o->command->run(&o->args)
					    : collect(o);
}

static int act(const struct options *o)
{
	switch (o->action) {
	case OPTIONS_HELP:
		help_put(stdout);
		return 0;
	case OPTIONS_VERSION:
		printf("sluiced %s\n", metrics_version());
		return 0;
	case OPTIONS_COMMAND:
	case OPTIONS_COLLECT:
		break;
	}
	return run(o);
}

int main(int argc, char **argv)
{
	descriptors_reserve_standard();
	/* Exceeding a file size limit is then an error of write(). */
	signal(SIGXFSZ, SIG_IGN);
	struct options options;
	struct err e;
	int code = options_read(&options, argc, argv, &e) ? act(&options)
							  : failed(&e);
	options_fini(&options);
	return code;
}
