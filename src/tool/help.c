/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/help.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "tool/commands.h"
#include "tool/option_rows.h"

/* Descriptions begin in column COLUMN and end before column WIDTH. */
enum { COLUMN = 26, WIDTH = 79 };

/* Print the words in lines that begin in column COLUMN.  `at` is the
 * column of the cursor. */
static void put_wrapped(FILE *to, const char *words, int at)
{
	fprintf(to, "%*s", COLUMN - at, "");
	for (at = COLUMN; *words != '\0';) {
		int length = (int)strcspn(words, " ");
		if (at > COLUMN && at + 1 + length > WIDTH) {
			fprintf(to, "\n%*s", COLUMN, "");
			at = COLUMN;
		}
		at += fprintf(to, "%s%.*s", at > COLUMN ? " " : "", length,
			      words);
		words += length;
		words += strspn(words, " ");
	}
	fputc('\n', to);
}

static void put_option(FILE *to, const struct option_row *row)
{
	struct buf help = {0};
	bool has_value = row->argument != NULL;
	int at = row->letter < OPTION_NO_LETTER
			 ? fprintf(to, "  -%c, ", row->letter)
			 : fprintf(to, "      ");
	at += fprintf(to, "--%s%s%s", row->name, has_value ? "=" : "",
		      has_value ? row->argument : "");
	if (at >= COLUMN) {
		fputc('\n', to);
		at = 0;
	}
	if (row->command != NULL)
		buf_printf(&help, "%s: ", row->command);
	buf_put_text(&help, row->help);
	put_wrapped(to, buf_text(&help), at);
	buf_fini(&help);
}

void help_put(FILE *to)
{
	const struct option_row *row;
	const struct command *c;
	fputs("usage: sluiced " OPTION_USAGE "\n", to);
	for (size_t i = 0; (c = commands_at(i)) != NULL; i++)
		fprintf(to, "       sluiced %s %s\n", c->name, c->usage);
	fputs("\nCollects nginx's access log over syslog and appends it to "
	      "files.  A Fluent Bit\nconfiguration defines how lines "
	      "are parsed, routed and written.\n\nOptions:\n",
	      to);
	for (size_t i = 0; (row = option_rows_at(i)) != NULL; i++)
		if (row->help != NULL)
			put_option(to, row);
	fputs("\nIf an option and [SERVICE] in the file set the same key, the "
	      "file wins.\n\nCommands:\n",
	      to);
	for (size_t i = 0; (c = commands_at(i)) != NULL; i++)
		put_wrapped(to, c->help, fprintf(to, "  %s", c->name));
	fputs("\nSignals: SIGTERM, SIGINT and SIGQUIT stop sluiced: it "
	      "receives until no\nsender is connected or Grace is over, writes "
	      "what the disk accepts and exits\nwith 0; spills, and a journal "
	      "in a file, keep the rest.  SIGHUP reloads the\nconfiguration.  "
	      "SIGUSR1 reopens the files.\nExit codes: 0 stopped; 64 wrong "
	      "usage; 70 bug; 71 system error, ten workers\nin a row died "
	      "just after their start, a hook or a disk still hung "
	      "after\nGrace, messages were lost with a removed journal or "
	      "stay in a renamed\none, or messages or spilled lines remain "
	      "with a journal that the\nconfiguration no longer names; 78 "
	      "wrong configuration.\n",
	      to);
}
