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
 * KEY is an accessor.  All four about a value are false when the key is not
 * there.  A text equals strings only; a regex is matched with strings and with
 * true and false. */
#ifndef FILTER_CONDITION_H
#define FILTER_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"
#include "base/span.h"

struct condition;
struct pattern;
struct record;

/* Of what stands behind `Condition`.  NULL on failure. */
struct condition *condition_new(const char *text, struct err *);
void condition_free(struct condition *);

/* A regex that gives up is counted, and did not match. */
bool condition_holds(const struct condition *, const struct record *,
		     uint64_t *gave_up);

/* pattern_matches that counts so. */
bool condition_matches(struct pattern *, struct span, uint64_t *gave_up);

#endif
