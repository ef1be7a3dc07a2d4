/* SPDX-License-Identifier: Apache-2.0 */
/* main - the command line: options, sub-commands, or the supervisor. */
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
#include "tool/commands.h"

/* Options without a letter. */
enum { RATE = 256, PLAIN, SUPERVISOR, NO_LETTER };

static const char in_file[] = "inputs, filters and outputs are configured in "
			      "the file given with -c, see conf/sluiced.conf";

/* One row per option.  A row with a key sets that key of [SERVICE], to `value`
 * or else to the argument.  A refused row is an option of Fluent Bit.  A row
 * without help or refusal is another name of the row before it. */
static const struct option_row {
	int letter;
	const char *name;
	const char *argument; /* NULL: none */
	const char *help;
	const char *key;
	const char *value;
	const char *refused;
} option_rows[] = {
	{'c', "config", .argument = "FILE",
	 .help = "read this configuration; YAML if its name ends in .yaml "
		 "or .yml, else Fluent Bit's classic format"},
	{'R', "parser", .argument = "FILE",
	 .help = "read one more Parsers_File", .key = "Parsers_File"},
	{'w', "workdir", .argument = "DIR",
	 .help = "change to this directory first"},
	{'D', "dry-run",
	 .help = "check configuration, parsers, scripts and output "
		 "directories; bind and write nothing"},
	{'u', "allow-unknown",
	 .help = "report unknown keys as warnings instead of errors"},
	{'n', "no-supervisor",
	 .help = "run as one process that nobody restarts, for debugging"},
	{'q', "quiet", .help = "log errors only, unless Log_Level is set"},
	{'v', "verbose",
	 .help = "log everything, including the contents of bad messages"},
	{'V', "version", .help = "print the version"},
	{'h', "help", .help = "print this help"},
	{'f', "flush", .argument = "SECONDS", .help = "set Flush",
	 .key = "Flush"},
	{'l', "log_file", .argument = "FILE", .help = "set Log_File",
	 .key = "Log_File"},
	{'b', "storage_path", .argument = "PATH", .help = "set storage.path",
	 .key = "storage.path"},
	{'H', "http_server", .help = "set HTTP_Server On", .key = "HTTP_Server",
	 .value = "On"},
	{'H', "http", .argument = NULL},
	{'L', "http_listen", .argument = "ADDRESS", .help = "set HTTP_Listen",
	 .key = "HTTP_Listen"},
	{'P', "http_port", .argument = "PORT", .help = "set HTTP_Port",
	 .key = "HTTP_Port"},
	{'P', "port", .argument = "PORT"},
	{'Y', "enable-hot-reload", .help = "set Hot_Reload On",
	 .key = "Hot_Reload", .value = "On"},
	{'s', "coro_stack_size", .argument = "BYTES", .key = "Coro_Stack_Size"},
	{'W', "disable-thread-safety-on-hot-reload",
	 .key = "Hot_Reload.Ensure_Thread_Safety", .value = "Off"},
	{RATE, "rate", .argument = "N"},
	{PLAIN, "plain", .argument = NULL},
	{SUPERVISOR, "supervisor", .argument = NULL}, /* it always has one */
	{'d', "daemon",
	 .refused = "it runs in the foreground; let systemd or a pod start it"},
	{'i', "input", .argument = "NAME", .refused = in_file},
	{'o', "output", .argument = "NAME", .refused = in_file},
	{'F', "filter", .argument = "NAME", .refused = in_file},
	{'m', "match", .argument = "GLOB", .refused = in_file},
	{'p', "prop", .argument = "K=V", .refused = in_file},
	{'t', "tag", .argument = "TAG", .refused = in_file},
	{'r', "processor", .argument = "NAME", .refused = in_file},
	{'C', "custom", .argument = "NAME",
	 .refused = "sluiced has no custom plug-ins"},
	{'e', "plugin", .argument = "FILE",
	 .refused = "filters and outputs are built in"},
	{'T', "sp-task", .argument = "SQL",
	 .refused = "sluiced has no stream processor"},
	{'J', "help-json",
	 .refused = "use `sluiced keys --plain` for a list of all keys"},
	{'S', "sosreport", .refused = "use -v, --dry-run and /metrics"},
	{'Z', "enable-chunk-trace", .refused = "use -v and Dead_Letter"},
	{NO_LETTER, "trace", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{NO_LETTER + 1, "trace-input", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{NO_LETTER + 2, "trace-output", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{NO_LETTER + 3, "trace-output-property", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{NO_LETTER + 4, "enable-fips", .refused = "sluiced encrypts nothing"},
};

enum {
	OPTION_COUNT = sizeof option_rows / sizeof *option_rows,
	SERVICE_OPTIONS_MAX = 64,
	HELP_COLUMN = 26,
	HELP_WIDTH = 79,
};

struct arguments {
	struct assemble_opts assemble;
	struct conf_option service[SERVICE_OPTIONS_MAX];
	size_t service_count;
	const char *workdir; /* or NULL */
	bool no_supervisor;
	const char *command; /* NULL: collect */
	struct command_args args;
	int extra; /* operands too many */
};

/* Print the words, broken so that they stay right of HELP_COLUMN.  `at` is the
 * column of the cursor. */
static void put_wrapped(FILE *to, const char *words, int at)
{
	fprintf(to, "%*s", HELP_COLUMN - at, "");
	for (at = HELP_COLUMN; *words != '\0';) {
		int length = (int)strcspn(words, " ");
		if (at > HELP_COLUMN && at + 1 + length > HELP_WIDTH) {
			fprintf(to, "\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		}
		at += fprintf(to, "%s%.*s", at > HELP_COLUMN ? " " : "", length,
			      words);
		words += length;
		words += strspn(words, " ");
	}
	fputc('\n', to);
}

static void put_option(FILE *to, const struct option_row *row)
{
	bool has_value = row->argument != NULL;
	int at = fprintf(to, "  -%c, --%s%s%s", row->letter, row->name,
			 has_value ? "=" : "", has_value ? row->argument : "");
	if (at >= HELP_COLUMN) {
		fputc('\n', to);
		at = 0;
	}
	put_wrapped(to, row->help, at);
}

static void put_help(FILE *to)
{
	const struct command *c;
	fputs("usage: sluiced -c FILE [OPTION...]\n", to);
	for (size_t i = 0; (c = commands_at(i)) != NULL; i++)
		fprintf(to, "       sluiced %s %s\n", c->name, c->usage);
	fputs("\nCollects nginx's access log over syslog and appends it, "
	      "parsed, routed and\nrendered as a Fluent Bit configuration "
	      "says, to "
	      "files.\n\nOptions:\n",
	      to);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].help != NULL)
			put_option(to, &option_rows[i]);
	fputs("\nOptions that set a key of [SERVICE] yield to the same key in "
	      "the file.\n\nCommands:\n",
	      to);
	for (size_t i = 0; (c = commands_at(i)) != NULL; i++)
		put_wrapped(to, c->help, fprintf(to, "  %s", c->name));
	fputs("\nSignals: SIGTERM and SIGINT stop: sluiced receives until no "
	      "datagram came for 1 s\nor Grace is over, writes everything and "
	      "exits with 0.  SIGHUP reloads the\nconfiguration.  SIGUSR1 "
	      "reopens the files.\nExit codes: 0 stopped, 64 usage, 70 bug, "
	      "71 system, 78 configuration.\n",
	      to);
}

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "sluiced: %s%s\n", what, value);
	put_help(stderr);
	return EXIT_CODE_USAGE;
}

static int run_command(const struct arguments *a)
{
	const struct command *c = commands_find(a->command);
	if (c == NULL)
		return usage_error("unknown command ", a->command);
	if (c->needs_operand && a->args.operand == NULL)
		return usage_error(c->name, ": FILE is missing");
	if (!c->takes_operand && a->args.operand != NULL)
		return usage_error("unexpected argument ", a->args.operand);
	if (c->needs_conf && a->assemble.conf_path == NULL)
		return usage_error(c->name, ": -c FILE is missing");
	return c->run(&a->args);
}

static int run(const struct arguments *a)
{
	if (a->extra > 0)
		return usage_error("too many arguments", "");
	if (a->command != NULL)
		return run_command(a);
	if (a->assemble.conf_path == NULL)
		return usage_error("-c FILE is missing", "");
	if (a->assemble.dry_run)
		return worker_main_dry_run(&a->assemble);
	descriptors_raise();
	mem_map_large();
	return a->no_supervisor ? worker_main_alone(&a->assemble)
				: supervisor_run(&a->assemble);
}

/* The last value of a key wins, but each Parsers_File counts. */
static bool set_key(struct arguments *a, const char *key, const char *value)
{
	size_t n = 0;
	while (n < a->service_count && strcmp(a->service[n].key, key) != 0)
		n++;
	if (n < a->service_count && strcmp(key, "Parsers_File") == 0)
		n = a->service_count;
	if (n == SERVICE_OPTIONS_MAX)
		return false;
	if (n == a->service_count)
		a->service_count++;
	a->service[n] = (struct conf_option){key, value};
	return true;
}

static int take_rate(struct arguments *a, const char *text)
{
	char *end;
	errno = 0;
	unsigned long rate = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    rate == 0 || rate > UINT32_MAX) {
		fprintf(stderr,
			"sluiced: --rate \"%s\" is not a number of messages "
			"per second, such as 1000\n",
			text);
		return EXIT_CODE_USAGE;
	}
	a->args.rate = (uint32_t)rate;
	return -1;
}

/* The exit code if sluiced must end now, else -1. */
static int take_option(struct arguments *a, const struct option_row *row)
{
	switch (row->letter) {
	case 'c':
		a->assemble.conf_path = optarg;
		return -1;
	case 'w':
		a->workdir = optarg;
		return -1;
	case 'D':
		a->assemble.dry_run = true;
		return -1;
	case 'u':
		a->assemble.allow_unknown = true;
		return -1;
	case 'n':
		a->no_supervisor = true;
		return -1;
	case 'q':
		a->assemble.log_level = LOG_ERROR;
		return -1;
	case 'v':
		a->assemble.log_level = LOG_DEBUG;
		a->args.is_verbose = true;
		return -1;
	case 'V':
		printf("sluiced %s\n", metrics_version());
		return 0;
	case 'h':
		put_help(stdout);
		return 0;
	case RATE:
		return take_rate(a, optarg);
	case PLAIN:
		a->args.is_plain = true;
		return -1;
	}
	if (row->refused != NULL) {
		fprintf(stderr, "sluiced: --%s is not supported: %s\n",
			row->name, row->refused);
		return EXIT_CODE_USAGE;
	}
	if (row->key != NULL &&
	    !set_key(a, row->key, row->value != NULL ? row->value : optarg))
		return usage_error("too many options", "");
	return -1;
}

/* The first row with that letter: the one that is no other name. */
static const struct option_row *find_row(int letter)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_rows[i].letter == letter)
			return &option_rows[i];
	return NULL;
}

static int take_all(struct arguments *a, int argc, char **argv)
{
	struct option names[OPTION_COUNT + 1] = {{0}};
	char letters[2 * OPTION_COUNT + 1], *at = letters;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		bool has_value = row->argument != NULL;
		names[i] = (struct option){row->name, has_value, NULL,
					   row->letter};
		if (row->letter >= RATE)
			continue;
		*at++ = (char)row->letter;
		if (has_value)
			*at++ = ':';
	}
	*at = '\0';
	int letter;
	while ((letter = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		const struct option_row *row = find_row(letter);
		int code = row != NULL
				   ? take_option(a, row)
				   : usage_error("see the options below", "");
		if (code >= 0)
			return code;
	}
	if (optind < argc)
		a->command = argv[optind++];
	if (optind < argc)
		a->args.operand = argv[optind++];
	a->extra = argc - optind;
	return -1;
}

int main(int argc, char **argv)
{
	struct arguments a = {.assemble.log_level = LOG_INFO};
	a.args.assemble = &a.assemble;
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
