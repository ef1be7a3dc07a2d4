/* SPDX-License-Identifier: Apache-2.0 */
/* unsaved - the lines that are only in the memory of the outputs.
 *
 * They wait for a file that cannot be written and cannot be spilled, but the
 * journal no longer has their messages.  So they are lost if the process ends
 * before it has written them.  Lines of a batch that is not committed are not
 * unsaved: the journal keeps their messages.
 *
 * For pipeline.c only, which locks the view. */
#ifndef PIPELINE_UNSAVED_H
#define PIPELINE_UNSAVED_H

#include <stdbool.h>
#include <stdint.h>

struct backoff;
struct pipeline_view;

/* Set the counts of the view, which has the newest counters of the outputs.
 * Before the commit, a count can only fall, because the lines of the batch do
 * not count yet. */
void unsaved_count(struct pipeline_view *, bool is_committed);

/* The pipeline ends, and an attempt has failed: when to make the next one.  0
 * if there are no such lines or, if the next process waits for the end of this
 * one (`has_next`), after three attempts in 0.3 s. */
int64_t unsaved_retry_ms(const struct pipeline_view *, struct backoff *,
			 bool has_next);

/* The pipeline ends.  Logs nothing if there are no such lines. */
void unsaved_log_lost(const struct pipeline_view *);

#endif
