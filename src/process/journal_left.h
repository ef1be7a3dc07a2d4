/* SPDX-License-Identifier: Apache-2.0 */
/* journal_left - messages in a journal that no worker has open. */
#ifndef PROCESS_JOURNAL_LEFT_H
#define PROCESS_JOURNAL_LEFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/err.h"

/* How many messages wait in the journal at this path.  False with *e set if it
 * cannot be read; then the good messages in it are counted. */
bool journal_left_count(const char *path, uint64_t *messages,
			struct err *e) MUST_USE;

/* Whether the same messages wait in both journals: as many, and the first one
 * has the same seq and arrival time. */
bool journal_left_has_equal(const char *a, const char *b) MUST_USE;

/* The configuration now has the journal `now` instead of `before`; empty: in
 * memory.  If messages wait in `before`, log where they are and how to send
 * them, and return true. */
bool journal_left_report(const char *before, const char *now);

#endif
