/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/commands.h"

#include <string.h>

#include "tool/healthcheck.h"
#include "tool/journal_show.h"
#include "tool/keys.h"
#include "tool/replay.h"

static const struct command commands[] = {
	{
		.name = "healthcheck",
		.usage = "-c FILE",
		.help = "Exit with 0 if the sluiced with this configuration "
			"answers GET /api/v1/health with 200.",
		.needs_conf = true,
		.run = healthcheck,
	},
	{
		.name = "journal",
		.usage = "[-v] FILE",
		.help = "Show the state of a journal and list its messages; "
			"with -v, with their text.",
		.needs_operand = true,
		.takes_operand = true,
		.run = journal_show,
	},
	{
		.name = "replay",
		.usage = "FILE -c FILE [--rate N] [--again]",
		.help = "Send dead letters, or the messages of a journal that "
			"no sluiced uses, to the sluiced with this "
			"configuration.  They get a new arrival time.  With "
			"--rate, send at most N messages per second.  The "
			"journal notes which messages were sent, so the same "
			"command sends only the rest, and a sluiced that opens "
			"the journal drops them.  If replay is killed, at most "
			"one message is sent twice.  If the journal cannot be "
			"written, the same command sends all messages again.  "
			"If some lines of a journal may be in their files "
			"already, replay sends nothing without --again, which "
			"sends all messages again.  "
			"If FILE is a spill, append its lines to their output "
			"file; if that is interrupted, the same command "
			"continues.",
		.needs_operand = true,
		.takes_operand = true,
		.needs_conf = true,
		.run = replay,
	},
	{
		.name = "keys",
		.usage = "[--plain] [NAME]",
		.help = "List the configuration keys of all sections and "
			"plug-ins, or of those called NAME.",
		.takes_operand = true,
		.run = keys_list,
	},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

const struct command *commands_at(size_t index)
{
	return index < COMMAND_COUNT ? &commands[index] : NULL;
}

const struct command *commands_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}
