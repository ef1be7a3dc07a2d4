/* SPDX-License-Identifier: Apache-2.0 */
#include "run/parser_conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "record/parser.h"
#include "record/time_format.h"

static bool note_name(struct parser_names *names, struct conf_section *s,
		      const char *name, struct err *e)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(conf_get_each(names->sections[i], "Name", 0),
			   name) == 0)
			return conf_err_key(s, "Name", e,
					    "there is a parser \"%s\" already; "
					    "give one of the two another name",
					    name);
	names->sections = mem_grow(names->sections, names->count + 1,
				   sizeof(struct conf_section *));
	names->sections[names->count++] = s;
	return true;
}

/* "key:type key:type"; the texts are cut in place in `room`. */
static bool read_types(struct conf_section *s, char *room,
		       struct parser_opts *opts, struct err *e)
{
	static const char *const names[] = {"string", "integer", "float",
					    "bool",   "hex",	 NULL};
	static const enum parser_type types[] = {
		PARSER_TYPE_STRING, PARSER_TYPE_INTEGER, PARSER_TYPE_FLOAT,
		PARSER_TYPE_BOOL, PARSER_TYPE_HEX};
	struct parser_typed *typed = NULL;
	char *rest = room;
	char *item;
	while ((item = strsep(&rest, " \t")) != NULL) {
		if (*item == '\0')
			continue;
		char *colon = strrchr(item, ':');
		size_t n = 0;
		while (colon != NULL && names[n] != NULL &&
		       strcmp(colon + 1, names[n]) != 0)
			n++;
		if (colon == NULL || names[n] == NULL) {
			free(typed);
			return conf_err_key(
				s, "Types", e,
				"Types: \"%s\" should be key:type, type "
				"one of string, integer, float, "
				"bool, hex",
				item);
		}
		*colon = '\0';
		typed = mem_grow(typed, opts->type_count + 1, sizeof *typed);
		typed[opts->type_count++] =
			(struct parser_typed){item, types[n]};
	}
	opts->types = typed;
	return true;
}

static bool read_time(struct conf_section *s, struct parser_opts *opts,
		      struct err *e)
{
	const char *offset = NULL;
	bool is_strict = true;
	if (!conf_get_text(s, "Time_Key", &opts->time_key, e) ||
	    !conf_get_text(s, "Time_Format", &opts->time_format, e) ||
	    !conf_get_bool(s, "Time_Keep", &opts->time_keep, e) ||
	    !conf_get_bool(s, "Time_Strict", &is_strict, e) ||
	    !conf_get_text(s, "Time_Offset", &offset, e))
		return false;
	if (!is_strict)
		return conf_err_key(s, "Time_Strict", e,
				    "Time_Strict off would make times of text "
				    "that does not fit Time_Format: leave it "
				    "on");
	if (offset == NULL)
		return true;
	opts->has_time_offset = true;
	if (!time_offset_read(span_of(offset), &opts->time_offset_s))
		return conf_err_key(
			s, "Time_Offset", e,
			"Time_Offset \"%s\" is not one like +0900 or "
			"-05:30",
			offset);
	return true;
}

static bool read_format(struct conf_section *s, struct parser_opts *opts,
			struct err *e)
{
	static const char *const formats[] = {"regex", "json", NULL};
	size_t format = 2;
	if (!conf_get_choice(s, "Format", formats, &format, e) ||
	    !conf_get_text(s, "Regex", &opts->regex, e))
		return false;
	if (format == 2)
		return conf_err_missing(s, "Format", e, "regex or json");
	opts->format = format == 0 ? PARSER_REGEX : PARSER_JSON;
	if (opts->format == PARSER_REGEX && opts->regex == NULL)
		return conf_err_missing(
			s, "Regex", e,
			"Format regex needs one with named groups, like "
			"^(?<message>.*)$");
	return true;
}

static bool read_parser(struct parser_set *set, struct conf_section *s,
			struct parser_names *names, struct err *e)
{
	struct parser_opts opts = {0};
	const char *types = NULL;
	if (!conf_get_text(s, "Name", &opts.name, e))
		return false;
	if (opts.name == NULL)
		return conf_err_missing(s, "Name", e,
					"what a Parser shall call it");
	if (names != NULL && !note_name(names, s, opts.name, e))
		return false;
	if (!read_format(s, &opts, e) || !read_time(s, &opts, e) ||
	    !conf_get_text(s, "Types", &types, e) || !conf_section_end(s, e))
		return false;

	char *room = mem_text(types != NULL ? types : "");
	struct parser *parser = NULL;
	const char *wrong;
	if (read_types(s, room, &opts, e)) {
		parser = parser_new(&opts, &wrong, e);
		if (parser == NULL)
			conf_err_in(s, wrong, e);
	}
	free((void *)opts.types);
	free(room);
	if (parser == NULL)
		return false;
	parser_set_give(set, parser);
	return true;
}

bool parser_conf_read(struct parser_set *set, const struct conf *conf,
		      struct parser_names *names, struct err *e)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section_named(conf, "PARSER", i)); i++)
		if (!read_parser(set, s, names, e))
			return false;
	return true;
}

bool parser_conf_read_file(struct parser_set *set, const struct conf *conf,
			   struct parser_names *names, struct err *e)
{
	static const char *const known[] = {"PARSER", NULL};
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(conf, i)) != NULL; i++) {
		if (conf_is(s, "MULTILINE_PARSER"))
			conf_ignore_section(s, "a datagram is one message");
		else if (!conf_is(s, "PARSER"))
			return conf_err_unknown(s, NULL, "section", known, e);
	}
	return parser_conf_read(set, conf, names, e);
}
