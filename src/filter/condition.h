/* SPDX-License-Identifier: Apache-2.0 */
/* condition - when the filter "modify" changes a record.
 *
 *     Key_exists KEY                      Key_does_not_exist KEY
 *     A_key_matches REGEX                 No_key_matches REGEX
 *     Key_value_equals KEY TEXT           Key_value_does_not_equal KEY TEXT
 *     Key_value_matches KEY REGEX         Key_value_does_not_match KEY REGEX
 *     Matching_keys_have_matching_values REGEX REGEX
 *     Matching_keys_do_not_have_matching_values REGEX REGEX
 *
 * KEY is an accessor.  All four Key_value_ conditions are false if the record
 * does not have the key.  TEXT only equals strings; REGEX is compared with
 * strings and with true and false. */
#ifndef FILTER_CONDITION_H
#define FILTER_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct accessor;
struct condition;
struct pattern;
struct record;

/* Parse the value of a `Condition` key.  NULL with *e set on a mistake. */
struct condition *condition_new(const char *text, struct err *);

/* The field that it looks at; NULL if it looks at all keys. */
const struct accessor *condition_key(const struct condition *);

/* NULL is fine. */
void condition_free(struct condition *);

/* Whether the record satisfies the condition.  A regex that reaches its match
 * limit increments *limit_hits; the answer is then unknown and must not be
 * used. */
bool condition_holds(const struct condition *, const struct record *,
		     uint64_t *limit_hits);

/* pattern_matches() that counts for the record's message.  At the limit it is
 * false and increments *limit_hits. */
bool condition_matches(struct pattern *, struct span, const struct record *,
		       uint64_t *limit_hits);

#endif
