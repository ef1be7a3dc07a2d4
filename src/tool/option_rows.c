/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/option_rows.h"

#include <assert.h>

static const char in_file[] = "configure inputs, filters and outputs in the "
			      "file given with -c, see conf/sluiced.conf";

static const struct option_row option_rows[] = {
	{'c', "config", .argument = "FILE",
	 .help = "read this configuration; YAML if its name ends in .yaml "
		 "or .yml, otherwise Fluent Bit's classic format"},
	{'R', "parser", .argument = "FILE",
	 .help = "read this Parsers_File, too", .key = "Parsers_File"},
	{'w', "workdir", .argument = "DIR",
	 .help = "change to this directory first"},
	{'D', "dry-run", .no_command = true,
	 .help = "check configuration, parsers, scripts and directories; "
		 "bind no socket, write no file"},
	{'u', "allow-unknown",
	 .help = "report unknown keys and sections as warnings instead of "
		 "errors"},
	{'n', "no-supervisor", .no_command = true,
	 .help = "run as one process, without a supervisor that restarts "
		 "it, for debugging"},
	{'q', "quiet", .help = "log errors only, unless Log_Level is set"},
	{'v', "verbose",
	 .help = "log everything, including the contents of bad messages, "
		 "unless Log_Level is set"},
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
	{OPTION_RATE, "rate", .argument = "N", .command = "replay",
	 .help = "send at most N messages per second"},
	{OPTION_AGAIN, "again", .command = "replay",
	 .help = "send all messages of a journal, even if an earlier replay "
		 "has sent them or their lines may be in their files already"},
	{OPTION_PLAIN, "plain", .command = "keys",
	 .help = "print one key per line, its fields separated by tabs"},
	{'s', "coro_stack_size", .argument = "BYTES", .key = "Coro_Stack_Size",
	 .help = "accepted without effect: sluiced has no coroutines"},
	{'W', "disable-thread-safety-on-hot-reload",
	 .key = "Hot_Reload.Ensure_Thread_Safety", .value = "Off",
	 .help = "accepted without effect: a reload is a new process"},
	{OPTION_SUPERVISOR, "supervisor",
	 .help = "accepted without effect: only -n turns the supervisor off"},
	{'d', "daemon",
	 .refused = "sluiced runs in the foreground; let systemd or a pod "
		    "start it"},
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
	{OPTION_OTHERS, "trace", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{OPTION_OTHERS + 1, "trace-input", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{OPTION_OTHERS + 2, "trace-output", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{OPTION_OTHERS + 3, "trace-output-property", .argument = "X",
	 .refused = "use -v and Dead_Letter"},
	{OPTION_OTHERS + 4, "enable-fips",
	 .refused = "sluiced encrypts nothing"},
};

static const size_t option_count = sizeof option_rows / sizeof *option_rows;
static_assert(sizeof option_rows / sizeof *option_rows <= OPTION_ROWS_MAX,
	      "raise OPTION_ROWS_MAX");

const struct option_row *option_rows_at(size_t index)
{
	return index < option_count ? &option_rows[index] : NULL;
}

const struct option_row *option_rows_find(int letter)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_rows[i].letter == letter)
			return &option_rows[i];
	return NULL;
}
