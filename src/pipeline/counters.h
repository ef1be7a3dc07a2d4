/* SPDX-License-Identifier: Apache-2.0 */
/* counters - the pipeline's counters as one block of bytes, which the journal
 * keeps, so that the next process continues to count.
 *
 *     [ "counter2" | object ... ]
 *     object:  u32 kind | u32 n | u64 hash of its name | n x counter
 *     counter: u64 hash of its name | u64 value
 *
 * Objects are the totals, inputs, filters and outputs.  Objects and counters
 * are found by name, so a version of sluiced may add, remove and reorder
 * counters, and a configuration may do so with objects: an unknown counter is
 * skipped, and a missing one is 0.  If a configuration no longer has an output,
 * its share of the accounting equation moves to the totals, so the equation
 * holds across reloads.  The block of the previous version, "counter1", had no
 * names of counters; it is read, too. */
#ifndef PIPELINE_COUNTERS_H
#define PIPELINE_COUNTERS_H

#include <stddef.h>

struct counters;
struct pipeline_view;

enum { COUNTERS_BYTES = 32 * 1024 };

/* Create the counters of a view.  Its objects must have their names already and
 * must stay where they are until counters_free. */
struct counters *counters_new(struct pipeline_view *);

/* NULL is allowed. */
void counters_free(struct counters *);

/* The block with the current values, valid until the next call; at most
 * COUNTERS_BYTES.  Objects beyond that size are left out: their counters start
 * at 0 after a restart.  Totals and outputs come first, because the accounting
 * equation needs them. */
const void *counters_pack(struct counters *, size_t *bytes);

/* Fill the totals and the counters of the view, whose objects have their names.
 * An invalid block changes nothing. */
void counters_unpack(const void *block, size_t bytes, struct pipeline_view *);

#endif
