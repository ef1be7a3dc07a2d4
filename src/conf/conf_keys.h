/* SPDX-License-Identifier: Apache-2.0 */
/* conf_keys - tables of the keys that a section or a plug-in understands.
 *
 *     static const struct conf_key_spec keys[] = {
 *             {"Template", CONF_TEMPLATE, .is_required = true,
 *              .help = "The line, with {key} for the value of a field."},
 *             {"tls*", .ignored = "sluiced has no network output"},
 *             {.name = NULL},
 *     };
 *
 * Each plug-in has one such table.  It is the only source for `sluiced keys`,
 * for the check of conf/README.md, for the suggestion for a misspelt key, and
 * for the keys of Fluent Bit that have no effect here.
 * A reader declares the tables of a section before it asks for a key. */
#ifndef CONF_CONF_KEYS_H
#define CONF_CONF_KEYS_H

#include <stdbool.h>
#include <stddef.h>

struct conf_section;

enum conf_type {
	CONF_TEXT,
	CONF_BOOL,
	CONF_INT,
	CONF_OCTAL,
	CONF_SIZE,    /* bytes, with K, M, G */
	CONF_SECONDS, /* with s, m, h, d */
	CONF_CHOICE,
	CONF_PATH,
	CONF_REGEX,    /* Ruby's syntax */
	CONF_TAG_GLOB, /* a tag, with * */
	CONF_FIELD,    /* the name of a field, or a record accessor */
	CONF_TEMPLATE, /* text with {key} */
	CONF_WORDS,    /* several words, see the help */
	CONF_TYPE_COUNT,
};

struct conf_key_spec {
	const char *name; /* "net.*" stands for every key with this prefix */
	enum conf_type type;
	bool is_required;
	bool is_repeatable;	  /* may be given several times */
	const char *default_text; /* as a user would write it; NULL: none */
	const char *help;	  /* one sentence; NULL if ignored */
	/* Why a key of Fluent Bit has no effect here.  NULL: the key has an
	 * effect.  If a reader asks for the key, the key is not ignored. */
	const char *ignored;
};

enum { CONF_TABLES_MAX = 8 }; /* of one section */

/* Attach a table, which ends with a row without a name and must outlive the
 * section.  From the first call on, asking for a key that is in none of the
 * section's tables is a bug and aborts; conf_section_end accepts the ignored
 * keys and logs each once. */
void conf_declare(struct conf_section *, const struct conf_key_spec *table);

/* Whether the row covers the key, without regard to case. */
bool conf_key_covers(const struct conf_key_spec *, const char *key);

/* The name of the type for the user, like "seconds".  The text is static. */
const char *conf_type_name(enum conf_type);

#endif
