/* SPDX-License-Identifier: Apache-2.0 */
/* spills_left - spills beside a journal that the configuration no longer names.
 *
 * A reload, or a restart of the worker, may change storage.path.  The spills
 * are then beside the old journal, where no output looks for them.  The
 * supervisor remembers the paths of such journals, and GO has one of them: the
 * newest at first, then each in turn.  When the new worker owns its own
 * journal, it removes the old one, which is empty: if a later configuration
 * named the old one again, the counters in it would count the moved lines, too.
 * Then it moves the spills to its own journal.
 *
 * The spills stay where they are in these cases, which the worker logs:
 *  - the new journal is in memory, or on another file system;
 *  - the old journal has messages: a batch that was not committed may have
 *    lines in the spills, and a note in that journal says which;
 *  - a dead worker may still write, or another sluiced uses the old journal.
 * The next workers try again.  If lines are left when sluiced exits, the exit
 * code is not 0. */
#ifndef PROCESS_SPILLS_LEFT_H
#define PROCESS_SPILLS_LEFT_H

#include <stdbool.h>
#include <stddef.h>

/* --- in the supervisor */

/* Journals beside which spills are left.  The last is the next to be tried. */
struct spills_left {
	char **journals;
	size_t count;
};

/* The configuration now has the journal `now` instead of `before`; empty: in
 * memory. */
void spills_left_add(struct spills_left *, const char *before, const char *now);

/* The next worker has the journal `now`.  Returns a journal beside which it may
 * find spills, and another one at the next call, if there are several; "" if
 * there is none.  The result is valid until the next call. */
const char *spills_left_for(struct spills_left *, const char *now);

/* sluiced exits: log which spills are left.  False if there are none. */
bool spills_left_report(const struct spills_left *);

/* Forget them all. */
void spills_left_fini(struct spills_left *);

/* --- in the worker */

/* Move the spills beside `journal` to the directory `to`; NULL: this worker's
 * journal is in memory.  `is_held`: a dead worker may still write. */
void spills_left_take(const char *journal, const char *to, bool is_held);

#endif
