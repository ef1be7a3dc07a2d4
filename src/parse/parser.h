/* SPDX-License-Identifier: Apache-2.0 */
/* parser - a [PARSER] of the configuration: turns a text into fields of a
 * record.
 *
 * Format regex yields the named groups that took part in the match and are not
 * empty, in the order of their definition.  Format json reads one object (see
 * json.h).  Formats ltsv and logfmt read the pairs of one line.  Inputs and the
 * filter "parser" use parsers.  For the pipeline thread only, because a parser
 * keeps the state of its last match. */
#ifndef PARSE_PARSER_H
#define PARSE_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "parse/time_format.h"

struct decode_rule;
struct parser;
struct parser_set;
struct record;

enum parser_format {
	PARSER_REGEX,
	PARSER_JSON,
	PARSER_LTSV,
	PARSER_LOGFMT,
};

enum parser_type {
	PARSER_TYPE_STRING,
	PARSER_TYPE_INTEGER,
	PARSER_TYPE_FLOAT,
	PARSER_TYPE_BOOL,
	PARSER_TYPE_HEX,
};

struct parser_typed { /* one entry of Types */
	const char *key;
	enum parser_type type;
};

/* All texts are copied. */
struct parser_opts {
	const char *name;
	enum parser_format format;
	const char *regex;	      /* PARSER_REGEX */
	bool keep_empty;	      /* PARSER_REGEX: keep empty groups */
	bool no_bare_keys;	      /* PARSER_LOGFMT: each key needs an = */
	const char *time_key;	      /* NULL: "time" */
	struct time_format_opts time; /* .format NULL: without a time */
	bool time_keep;
	const struct parser_typed
		*types; /* ignored by json, as in Fluent Bit */
	size_t type_count;
	const struct decode_rule *decode; /* see decode_field.h */
	size_t decode_count;
};

/* X(name, help): the result for a text. */
#define PARSER_VERDICTS(X)                                               \
	X(parsed, "parsed")                                              \
	X(no_match, "the regex does not match, or there is no pair")     \
	X(bad_pair_time, "ltsv or logfmt with a time that does not fit") \
	X(match_limit, "the regular expression reached its match limit") \
	X(json_cut, "JSON that ends too early")                          \
	X(json_broken, "not JSON")                                       \
	X(json_no_object, "JSON, but not one object")                    \
	X(json_too_deep, "JSON nested too deep")

enum parser_verdict {
#define X(name, help) PARSER_##name,
	PARSER_VERDICTS(X)
#undef X
		PARSER_VERDICT_COUNT
};

/* The verdict's name in PARSER_VERDICTS, for example "no_match".  The text is
 * static; never NULL. */
const char *parser_verdict_name(enum parser_verdict);

/* Make a parser.  The caller must give it to a parser set, which frees it.
 * NULL on failure; *wrong is then the key of the configuration that is wrong.
 */
struct parser *parser_new(const struct parser_opts *, const char **wrong,
			  struct err *);

/* Its name in the configuration. */
const char *parser_name(const struct parser *);

/* Its Time_Format, or "". */
const char *parser_time_format(const struct parser *);

/* Append the fields of the text to `into`, which must have no fields, and set
 * its time if the text has one.  now_ns gives the year if the text has none.
 * On any verdict but PARSER_parsed, `into` is unchanged.  The text must live as
 * long as the record.
 *
 * If the text has a time that does not fit Time_Format:
 * - With ltsv and logfmt, the verdict is PARSER_bad_pair_time, as in Fluent
 *   Bit, so that another parser can be tried.
 * - With regex and json, the verdict is PARSER_parsed, the record keeps the
 *   time that it had, and *bad_time is the text of the time, which lives as
 *   long as the record.  Regex leaves out the field with the time, json keeps
 *   it.
 * In all other cases the ptr of *bad_time is NULL. */
enum parser_verdict parser_apply(struct parser *, struct span text,
				 int64_t now_ns, struct record *into,
				 struct span *bad_time);

/* The parsers of a configuration by name.  The set owns them. */
struct parser_set *parser_set_new(void);

/* NULL is allowed. */
void parser_set_free(struct parser_set *);

/* Give the parser to the set.  If the set has a parser of the same name, the
 * new one replaces it and the old one is freed, so give the built-in parsers
 * first. */
void parser_set_give(struct parser_set *, struct parser *);

/* NULL if there is no parser of that name. */
struct parser *parser_set_find(const struct parser_set *, const char *name);

/* The names of all parsers, NULL after the last.  Free the list with free();
 * the names belong to the parsers. */
const char **parser_set_names(const struct parser_set *);

#endif
