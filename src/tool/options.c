/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "conf/nearest.h"
#include "tool/option_rows.h"

struct options_reader {
	struct options *to;
	struct conf_option *service; /* the keys that the options set */
	size_t service_count;
	bool are_given[OPTION_ROWS_MAX]; /* by index in the table */
};

/* --- mistakes */

static PRINTF_LIKE(2, 3) bool err_usage(struct err *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	e->exit_code = EXIT_CODE_USAGE;
	return false;
}

/* The option as a user may write it: "-i (--input)". */
static const char *name_of(const struct option_row *row, struct buf *name)
{
	if (row->letter < OPTION_NO_LETTER)
		buf_printf(name, "-%c (--%s)", row->letter, row->name);
	else
		buf_printf(name, "--%s", row->name);
	return buf_text(name);
}

static bool err_refused(const struct option_row *row, struct err *e)
{
	struct buf name = {0};
	err_usage(e, "%s is not supported: %s", name_of(row, &name),
		  row->refused);
	buf_fini(&name);
	return false;
}

/* The option needs a value and has none, or has a value and takes none. */
static bool err_value(const struct option_row *row, struct err *e)
{
	struct buf name = {0};
	if (row->refused != NULL)
		return err_refused(row, e);
	name_of(row, &name);
	if (row->argument != NULL)
		err_usage(e, "%s needs a value; write --%s=%s", buf_text(&name),
			  row->name, row->argument);
	else
		err_usage(e, "%s takes no value; write --%s", buf_text(&name),
			  row->name);
	buf_fini(&name);
	return false;
}

/* `word` is the unknown option, with its dashes and perhaps "=VALUE".  A long
 * option may also be an ambiguous abbreviation of several. */
static bool err_unknown(const char *word, struct err *e)
{
	const char *known[OPTION_ROWS_MAX + 1] = {NULL};
	char room[LOG_QUOTED_BYTES];
	struct buf name = {0}, several = {0};
	size_t count = 0;
	bool is_long = word[1] == '-';
	buf_put(&name, word, strcspn(word, "="));
	const char *bare = buf_text(&name) + (is_long ? 2 : 1);
	const struct option_row *row;
	for (size_t i = 0; (row = option_rows_at(i)) != NULL; i++) {
		known[i] = row->name;
		if (is_long && strncmp(known[i], bare, strlen(bare)) == 0)
			buf_printf(&several, "%s--%s", count++ > 0 ? ", " : "",
				   known[i]);
	}
	const char *near = is_long ? nearest_word(bare, known) : NULL;
	log_quoted(buf_span(&name), room);
	if (count > 1)
		err_usage(e, "option %s is ambiguous: %s", room,
			  buf_text(&several));
	else
		err_usage(e, "unknown option %s%s%s%s", room,
			  near != NULL ? "; did you mean --" : "",
			  near != NULL ? near : "", near != NULL ? "?" : "");
	buf_fini(&several);
	buf_fini(&name);
	return false;
}

static bool err_unknown_command(const char *word, struct err *e)
{
	char room[LOG_QUOTED_BYTES];
	const struct command *c;
	const char **known = NULL;
	struct buf hint = {0};
	size_t count = 0;
	do {
		c = commands_at(count);
		known = mem_grow(known, count + 1, sizeof *known);
		known[count++] = c != NULL ? c->name : NULL;
	} while (c != NULL);
	err_usage(e, "unknown command %s%s", log_quoted(span_of(word), room),
		  nearest_hint(word, known, &hint));
	buf_fini(&hint);
	free(known);
	return false;
}

/* --- reading */

/* The last value of a key wins, but each Parsers_File counts. */
static void set_key(struct options_reader *r, const char *key,
		    const char *value)
{
	size_t n = 0;
	while (n < r->service_count && strcmp(r->service[n].key, key) != 0)
		n++;
	if (strcmp(key, "Parsers_File") == 0)
		n = r->service_count;
	if (n == r->service_count)
		r->service = mem_grow(r->service, ++r->service_count,
				      sizeof *r->service);
	r->service[n] = (struct conf_option){key, value};
}

static bool read_rate(const char *text, uint32_t *out, struct err *e)
{
	char *end, room[LOG_QUOTED_BYTES];
	errno = 0;
	unsigned long rate = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    rate == 0 || rate > UINT32_MAX)
		return err_usage(e,
				 "--rate %s is not a number of messages per "
				 "second, such as 1000",
				 log_quoted(span_of(text), room));
	*out = (uint32_t)rate;
	return true;
}

/* The options that set no key of [SERVICE]. */
static bool take_own(struct options *o, int letter, struct err *e)
{
	switch (letter) {
	case 'c':
		o->assemble.conf_path = optarg;
		break;
	case 'w':
		o->workdir = optarg;
		break;
	case 'D':
		o->assemble.dry_run = true;
		break;
	case 'u':
		o->assemble.allow_unknown = true;
		break;
	case 'n':
		o->no_supervisor = true;
		break;
	case 'q':
		o->assemble.log_level = LOG_ERROR;
		break;
	case 'v':
		o->assemble.log_level = LOG_DEBUG;
		o->args.is_verbose = true;
		break;
	case 'V':
		o->action = OPTIONS_VERSION;
		break;
	case 'h':
		o->action = OPTIONS_HELP;
		break;
	case OPTION_RATE:
		return read_rate(optarg, &o->args.rate, e);
	case OPTION_AGAIN:
		o->args.again = true;
		break;
	case OPTION_PLAIN:
		o->args.is_plain = true;
		break;
	}
	return true;
}

static bool take(struct options_reader *r, const struct option_row *row,
		 struct err *e)
{
	if (row->refused != NULL)
		return err_refused(row, e);
	r->are_given[row - option_rows_at(0)] = true;
	if (row->key == NULL)
		return take_own(r->to, row->letter, e);
	set_key(r, row->key, row->value != NULL ? row->value : optarg);
	return true;
}

/* Report the argument that getopt_long rejected.  `optopt` is its letter, or 0
 * if it is an unknown long option. */
static bool err_rejected(char **argv, struct err *e)
{
	const struct option_row *row = option_rows_find(optopt);
	if (row != NULL)
		return err_value(row, e);
	const char letter[] = {'-', (char)optopt, '\0'};
	return err_unknown(optopt != 0 ? letter : argv[optind - 1], e);
}

/* Read the options until one of them asks for help or the version. */
static bool take_all(struct options_reader *r, int argc, char **argv,
		     struct err *e)
{
	struct option names[OPTION_ROWS_MAX + 1] = {{0}};
	/* The colon makes getopt_long silent. */
	char letters[2 * OPTION_ROWS_MAX + 2] = ":", *at = letters + 1;
	const struct option_row *row;
	for (size_t i = 0; (row = option_rows_at(i)) != NULL; i++) {
		bool has_value = row->argument != NULL;
		names[i] = (struct option){row->name, has_value, NULL,
					   row->letter};
		if (row->letter >= OPTION_NO_LETTER)
			continue;
		*at++ = (char)row->letter;
		if (has_value)
			*at++ = ':';
	}
	*at = '\0';
	optind = 0; /* begin at the first argument */
	int letter;
	while (r->to->action == OPTIONS_COLLECT &&
	       (letter = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		row = option_rows_find(letter);
		if (row == NULL)
			return err_rejected(argv, e);
		if (!take(r, row, e))
			return false;
	}
	return true;
}

static bool take_operands(struct options *o, int argc, char **argv,
			  struct err *e)
{
	if (optind == argc)
		return true;
	o->action = OPTIONS_COMMAND;
	o->command = commands_find(argv[optind]);
	if (o->command == NULL)
		return err_unknown_command(argv[optind], e);
	int operand = optind + 1;
	if (operand < argc && o->command->takes_operand)
		o->args.operand = argv[operand++];
	char room[LOG_QUOTED_BYTES];
	return operand >= argc ||
	       err_usage(e, "unexpected argument %s; write sluiced %s %s",
			 log_quoted(span_of(argv[operand]), room),
			 o->command->name, o->command->usage);
}

static bool check_options(const struct options_reader *r, struct err *e)
{
	const struct command *c = r->to->command;
	const struct option_row *row;
	for (size_t i = 0; (row = option_rows_at(i)) != NULL; i++) {
		if (!r->are_given[i])
			continue;
		if (row->command != NULL &&
		    (c == NULL || strcmp(c->name, row->command) != 0))
			return err_usage(e, "--%s is only for the command %s",
					 row->name, row->command);
		if (row->no_command && c != NULL)
			return err_usage(e,
					 "--%s cannot be combined with the "
					 "command %s",
					 row->name, c->name);
	}
	return true;
}

static bool check_files(const struct options *o, struct err *e)
{
	const struct command *c = o->command;
	bool has_conf = o->assemble.conf_path != NULL;
	const char *missing = NULL;
	if (c == NULL)
		return has_conf ||
		       err_usage(e, "-c FILE is missing; write sluiced %s",
				 OPTION_USAGE);
	if (c->needs_operand && o->args.operand == NULL)
		missing = "FILE";
	else if (c->needs_conf && !has_conf)
		missing = "-c FILE";
	return missing == NULL ||
	       err_usage(e, "%s: %s is missing; write sluiced %s %s", c->name,
			 missing, c->name, c->usage);
}

bool options_read(struct options *o, int argc, char **argv, struct err *e)
{
	struct options_reader r = {.to = o};
	*o = (struct options){.assemble.log_level = LOG_INFO};
	o->args.assemble = &o->assemble;
	bool ok = take_all(&r, argc, argv, e);
	if (ok && o->action == OPTIONS_COLLECT)
		ok = take_operands(o, argc, argv, e) && check_options(&r, e) &&
		     check_files(o, e);
	if (ok)
		o->assemble.options = conf_of_options(
			"command line", "SERVICE", r.service, r.service_count);
	free(r.service);
	return ok;
}

void options_fini(struct options *o)
{
	conf_free(o->assemble.options);
}
