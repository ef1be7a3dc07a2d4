/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/parser_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "parse/decode_field.h"
#include "parse/parser.h"
#include "parse/time_format.h"

const struct conf_key_spec parser_conf_keys[] = {
	{"Name", CONF_TEXT, .is_required = true,
	 .help = "The name by which inputs and filters refer to the parser."},
	{"Format", CONF_CHOICE, .is_required = true,
	 .help = "regex, json, ltsv or logfmt."},
	{"Regex", CONF_REGEX,
	 .help = "Ruby's syntax; the named groups become fields. Required with "
		 "Format regex."},
	{"Skip_Empty_Values", CONF_BOOL, .default_text = "on",
	 .help = "Leave out fields whose group matched an empty text (regex)."},
	{"Logfmt_No_Bare_Keys", CONF_BOOL, .default_text = "off",
	 .help = "Reject a text in which a key has no value (logfmt)."},
	{"Time_Key", CONF_FIELD, .default_text = "time",
	 .help = "The field with the time."},
	{"Time_Format", CONF_TEXT,
	 .help = "How the time is read, as in strptime(3), with %L for "
		 "fractions of a second."},
	{"Time_Keep", CONF_BOOL, .default_text = "off",
	 .help = "Keep the field with the time."},
	{"Time_Strict", CONF_BOOL, .default_text = "on",
	 .help = "Whether the text must fit all of Time_Format. With off, it "
		 "may differ after the date."},
	{"Time_Offset", CONF_TEXT,
	 .help = "The offset of times without a zone, like +0900. The default "
		 "is the zone of the process (TZ), or UTC."},
	{"Time_Zone", CONF_TEXT,
	 .help = "The zone of times without a zone, like Asia/Tokyo."},
	{"Time_System_Timezone", CONF_BOOL,
	 .help = "Times without a zone are in the system's zone; when set to "
		 "off, in UTC."},
	{"Types", CONF_WORDS,
	 .help = "KEY:TYPE ..., where TYPE is string, integer, float, bool or "
		 "hex."},
	{"Decode_Field", CONF_WORDS, .is_repeatable = true,
	 .help = "DECODER FIELD, perhaps followed by try_next or do_next: "
		 "decode the text of a field and add the fields found in "
		 "it."},
	{"Decode_Field_As", CONF_WORDS, .is_repeatable = true,
	 .help = "Like Decode_Field, but the result replaces the field. "
		 "DECODER is json, escaped, escaped_utf8 or mysql_quoted."},
	{.name = NULL},
};

/* If a key is given twice, the first one wins, as in Fluent Bit; sluiced warns.
 */
static const char *get_text(struct conf_section *s, const char *key)
{
	const char *text = conf_get_each(s, key, 0);
	if (conf_get_each(s, key, 1) != NULL)
		conf_warn(s, key, "using the first one",
			  "%s is set more than once", key);
	return text != NULL && *text != '\0' ? text : NULL;
}

static bool note_name(struct parser_names *names, struct conf_section *s,
		      const char *name, struct err *e)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(conf_get_each(names->sections[i], "Name", 0),
			   name) == 0)
			return conf_err_key(s, "Name", e,
					    "another parser is called \"%s\"; "
					    "rename one of them",
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

/* Read "key:type key:type", cutting the texts in place in `room`.  Published
 * files often separate the entries with commas, which makes one long, unknown
 * type. */
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
			conf_warn(s, "Types", "leaving the field a string",
				  "%s is not KEY:TYPE; TYPE is string, "
				  "integer, float, bool or hex",
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
	bool is_given = conf_get_each(s, "Time_System_Timezone", 0) != NULL;
	time->zone = get_text(s, "Time_Zone");
	if (!conf_get_bool(s, "Time_System_Timezone", &is_system, e))
		return false;
	if (is_given)
		time->local = is_system ? TIME_LOCAL_SYSTEM : TIME_LOCAL_UTC;
	if (time->zone != NULL && (is_system || offset != NULL))
		return conf_err_key(s, "Time_Zone", e,
				    "Time_Zone already gives the zone: remove "
				    "%s",
				    is_system ? "Time_System_Timezone"
					      : "Time_Offset");
	if (time->zone != NULL && time->format == NULL)
		return conf_err_key(s, "Time_Zone", e,
				    "Time_Zone needs Time_Format");
	if (is_system && offset != NULL)
		conf_warn(s, "Time_Offset", "ignoring it",
			  "Time_System_Timezone is on");
	if (is_system || offset == NULL)
		return true;
	time->has_offset = true;
	if (!time_offset_read(span_of(offset), &time->offset_s))
		return conf_err_key(s, "Time_Offset", e,
				    "Time_Offset \"%s\" is not an offset such "
				    "as +0900 or -05:30",
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

static bool read_regex(struct conf_section *s, struct parser_opts *opts,
		       struct err *e)
{
	bool skip_empty = true;
	if (!conf_get_bool(s, "Skip_Empty_Values", &skip_empty, e))
		return false;
	opts->regex = get_text(s, "Regex");
	opts->keep_empty = !skip_empty;
	conf_unused(s, "Logfmt_No_Bare_Keys", "Format regex",
		    "it is for Format logfmt");
	return opts->regex != NULL ||
	       conf_err_missing(s, "Regex", e,
				"Format regex needs a regular expression with "
				"named groups, for example ^(?<message>.*)$");
}

static bool read_format(struct conf_section *s, struct parser_opts *opts,
			struct err *e)
{
	static const char *const formats[] = {"regex", "json", "ltsv", "logfmt",
					      NULL};
	size_t format = 4;
	if (!conf_get_choice(s, "Format", formats, &format, e))
		return false;
	if (format == 4)
		return conf_err_missing(
			s, "Format", e,
			"set it to regex, json, ltsv or logfmt");
	opts->format = (enum parser_format)format;
	if (opts->format == PARSER_REGEX)
		return read_regex(s, opts, e);
	char user[32];
	snprintf(user, sizeof user, "Format %s", formats[format]);
	conf_unused(s, "Regex", user, "it is for Format regex");
	conf_unused(s, "Skip_Empty_Values", user, "it is for Format regex");
	if (opts->format == PARSER_LOGFMT)
		return conf_get_bool(s, "Logfmt_No_Bare_Keys",
				     &opts->no_bare_keys, e);
	conf_unused(s, "Logfmt_No_Bare_Keys", user, "it is for Format logfmt");
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
				"%s \"%s\" is not DECODER FIELD "
				"[try_next|do_next]; DECODER is json, escaped, "
				"escaped_utf8 or mysql_quoted",
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
	conf_declare(s, parser_conf_keys);
	struct parser_opts opts = {.name = get_text(s, "Name")};
	if (opts.name == NULL)
		return conf_err_missing(s, "Name", e,
					"inputs and filters refer to the "
					"parser by its Name");
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
			conf_ignore_section(s, "one datagram is one message");
		else if (!conf_is(s, "PARSER"))
			return conf_err_unknown(s, NULL, "section", known, e);
	}
	return parser_conf_read(set, conf, names, e);
}
