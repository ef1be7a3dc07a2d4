/* SPDX-License-Identifier: Apache-2.0 */
/* parser - a [PARSER] of the configuration: text to the fields of a record.
 *
 * Format regex: the named groups that took part and are not empty, in the
 * order of their definition.  Format json: one object (see json.h).  Format
 * ltsv and logfmt: the pairs of one line (ltsv.h, logfmt.h).
 * Used by inputs and by the parser filter; the pipeline thread only, since it
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

/* Strings are copied. */
struct parser_opts {
	const char *name;
	enum parser_format format;
	const char *regex;	      /* PARSER_REGEX */
	bool keep_empty;	      /* PARSER_REGEX: empty groups too */
	bool no_bare_keys;	      /* PARSER_LOGFMT: such a line is none */
	const char *time_key;	      /* NULL: "time" */
	struct time_format_opts time; /* .format NULL: there is no time */
	bool time_keep;
	const struct parser_typed *types; /* not of json, as in Fluent Bit */
	size_t type_count;
	const struct decode_rule *decode; /* see decode_field.h */
	size_t decode_count;
};

/* X(name, help): what became of a text. */
#define PARSER_VERDICTS(X)                                               \
	X(parsed, "parsed")                                              \
	X(no_match, "the regular expression does not match, or no pair") \
	X(bad_pair_time, "ltsv or logfmt whose time does not fit")       \
	X(match_limit, "the regular expression gave up at its limit")    \
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

const char *parser_verdict_name(enum parser_verdict);

/* NULL on failure; *wrong is then the key of the configuration that is to
 * blame. */
struct parser *parser_new(const struct parser_opts *, const char **wrong,
			  struct err *);
void parser_free(struct parser *);
const char *parser_name(const struct parser *);

/* Append the fields of the text to `into`, which must be without fields of
 * its own, and set its time when the text has one that can be read.  now_ns
 * helps where the text has no year.  On any answer but PARSER_parsed `into`
 * is unchanged.  The text must stay valid as long as the record.
 * A time that does not fit its format: the record keeps its own, the time key
 * is left out (of json it stays), *bad_time is set (else it is untouched).  Of
 * ltsv and logfmt it makes the text one for another parser, as in Fluent Bit:
 * PARSER_bad_pair_time. */
enum parser_verdict parser_apply(struct parser *, struct span text,
				 int64_t now_ns, struct record *into,
				 bool *bad_time);

/* The parsers of a configuration by name; owns them. */
struct parser_set *parser_set_new(void);
void parser_set_free(struct parser_set *);

/* Takes the parser over.  One of the same name is replaced and freed: call in
 * the order built-in, then configured. */
void parser_set_give(struct parser_set *, struct parser *);

/* NULL when there is none of that name. */
struct parser *parser_set_find(const struct parser_set *, const char *name);

/* Their names, NULL behind the last; to say which ones there are.  Free the
 * list with free(), the names are the parsers'. */
const char **parser_set_names(const struct parser_set *);

#endif
