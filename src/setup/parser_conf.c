/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/parser_conf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "parse/decode_field.h"
#include "parse/parser.h"
#include "parse/time_format.h"

/* A text that stands twice is the first, as in Fluent Bit, but not silently. */
static const char *get_text(struct conf_section *s, const char *key)
{
	const char *text = conf_get_each(s, key, 0);
	if (conf_get_each(s, key, 1) != NULL)
		conf_warn(s, key, "%s stands twice: the first counts", key);
	return text != NULL && *text != '\0' ? text : NULL;
}

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

static bool read_type(const char *name, enum parser_type *type)
{
	static const char *const names[] = {"string", "integer", "float",
					    "bool", "hex"};
	static const enum parser_type types[] = {
		PARSER_TYPE_STRING, PARSER_TYPE_INTEGER, PARSER_TYPE_FLOAT,
		PARSER_TYPE_BOOL, PARSER_TYPE_HEX};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(names[i], name) == 0) {
			*type = types[i];
			return true;
		}
	}
	return false;
}

/* "key:type key:type"; the texts are cut in place in `room`.  Public files have
 * commas between them, which make one long type that is none. */
static void read_types(const struct conf_section *s, struct parser_opts *opts,
		       char *room, struct parser_typed **types)
{
	char *rest = room;
	char *item;
	while ((item = strsep(&rest, " ")) != NULL) {
		char *colon = strchr(item, ':');
		if (*item == '\0')
			continue;
		enum parser_type type = PARSER_TYPE_STRING;
		if (colon == NULL || !read_type(colon + 1, &type))
			conf_warn(s, "Types",
				  "Types: \"%s\" is not key:type with one of "
				  "string, integer, float, bool, hex (blanks "
				  "between them): it stays a string",
				  item);
		if (colon == NULL)
			continue;
		*colon = '\0';
		*types = mem_grow(*types, opts->type_count + 1, sizeof **types);
		(*types)[opts->type_count++] =
			(struct parser_typed){item, type};
	}
}

static bool read_zone(struct conf_section *s, struct time_format_opts *time,
		      struct err *e)
{
	const char *offset = get_text(s, "Time_Offset");
	bool is_system = false;
	bool is_said = conf_get_each(s, "Time_System_Timezone", 0) != NULL;
	time->zone = get_text(s, "Time_Zone");
	if (!conf_get_bool(s, "Time_System_Timezone", &is_system, e))
		return false;
	if (is_said)
		time->local = is_system ? TIME_LOCAL_SYSTEM : TIME_LOCAL_UTC;
	if (time->zone != NULL && (is_system || offset != NULL))
		return conf_err_key(s, "Time_Zone", e,
				    "Time_Zone says where the clock stands: "
				    "remove %s",
				    is_system ? "Time_System_Timezone"
					      : "Time_Offset");
	if (time->zone != NULL && time->format == NULL)
		return conf_err_key(s, "Time_Zone", e,
				    "Time_Zone is of use only with a "
				    "Time_Format");
	if (is_system && offset != NULL)
		conf_ignore(s, "Time_Offset", "Time_System_Timezone is on");
	if (is_system || offset == NULL)
		return true;
	time->has_offset = true;
	if (!time_offset_read(span_of(offset), &time->offset_s))
		return conf_err_key(s, "Time_Offset", e,
				    "Time_Offset \"%s\" is not one like "
				    "+0900 or -05:30",
				    offset);
	return true;
}

static bool read_time(struct conf_section *s, struct parser_opts *opts,
		      struct err *e)
{
	bool is_strict = true;
	opts->time_key = get_text(s, "Time_Key");
	opts->time.format = get_text(s, "Time_Format");
	if (!conf_get_bool(s, "Time_Keep", &opts->time_keep, e) ||
	    !conf_get_bool(s, "Time_Strict", &is_strict, e))
		return false;
	opts->time.is_lenient = !is_strict;
	return read_zone(s, &opts->time, e);
}

static bool read_format(struct conf_section *s, struct parser_opts *opts,
			struct err *e)
{
	static const char *const formats[] = {"regex", "json", "ltsv", "logfmt",
					      NULL};
	size_t format = 4;
	bool skip_empty = true;
	opts->regex = get_text(s, "Regex");
	if (!conf_get_choice(s, "Format", formats, &format, e) ||
	    !conf_get_bool(s, "Skip_Empty_Values", &skip_empty, e) ||
	    !conf_get_bool(s, "Logfmt_No_Bare_Keys", &opts->no_bare_keys, e))
		return false;
	if (format == 4)
		return conf_err_missing(s, "Format", e,
					"regex, json, ltsv or logfmt");
	opts->format = (enum parser_format)format;
	opts->keep_empty = !skip_empty;
	if (opts->format == PARSER_REGEX && opts->regex == NULL)
		return conf_err_missing(
			s, "Regex", e,
			"Format regex needs one with named groups, like "
			"^(?<message>.*)$");
	return true;
}

static bool read_decoders(struct conf_section *s, struct decode_rule **rules,
			  size_t *count, struct err *e)
{
	static const char *const keys[] = {"Decode_Field", "Decode_Field_As",
					   NULL};
	const char *text;
	size_t which;
	for (size_t i = 0; (text = conf_get_each_of(s, keys, i, &which)); i++) {
		struct decode_rule rule;
		if (!decode_rule_read(text, which == 1, &rule))
			return conf_err_key(
				s, keys[which], e,
				"%s \"%s\" should be a decoder, one of json, "
				"escaped, escaped_utf8, mysql_quoted, a field, "
				"and try_next or do_next if need be",
				keys[which], text);
		*rules = mem_grow(*rules, *count + 1, sizeof **rules);
		(*rules)[(*count)++] = rule;
	}
	return true;
}

static struct parser *make(struct conf_section *s, struct parser_opts *opts,
			   struct err *e)
{
	struct parser_typed *types = NULL;
	struct decode_rule *rules = NULL;
	struct parser *parser = NULL;
	const char *text = get_text(s, "Types");
	char *room = mem_text(text != NULL ? text : "");
	const char *wrong;
	read_types(s, opts, room, &types);
	opts->types = types;
	if (read_decoders(s, &rules, &opts->decode_count, e) &&
	    conf_section_end(s, e)) {
		opts->decode = rules;
		parser = parser_new(opts, &wrong, e);
		if (parser == NULL)
			conf_err_in(s, wrong, e);
	}
	for (size_t i = 0; i < opts->decode_count; i++)
		free(rules[i].key);
	free(rules);
	free(types);
	free(room);
	return parser;
}

static bool read_parser(struct parser_set *set, struct conf_section *s,
			struct parser_names *names, struct err *e)
{
	struct parser_opts opts = {.name = get_text(s, "Name")};
	if (opts.name == NULL)
		return conf_err_missing(s, "Name", e,
					"what a Parser shall call it");
	if (names != NULL && !note_name(names, s, opts.name, e))
		return false;
	if (!read_format(s, &opts, e) || !read_time(s, &opts, e))
		return false;
	struct parser *parser = make(s, &opts, e);
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
