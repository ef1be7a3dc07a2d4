/* SPDX-License-Identifier: Apache-2.0 */
/* counters - what a pipeline has counted, as one block of bytes that the
 * journal keeps, so that a restarted worker goes on counting.
 *
 *     [ magic | totals | {kind, name, size, counters} ... | 0 ]
 *
 * Matched by kind and name.  When a configuration has an output no more, its
 * share of the law goes into the totals: the law holds across reloads.  When
 * the counters of a kind have another size (another version), they begin
 * anew, but for the totals. */
#ifndef PIPELINE_COUNTERS_H
#define PIPELINE_COUNTERS_H

#include <stddef.h>

struct pipeline_view;

enum { COUNTERS_BYTES = 16 * 1024 };

/* Fill the block.  Objects beyond its size are left out: their counters begin
 * anew after a restart. */
void counters_pack(const struct pipeline_view *, void *block);

/* Fill the totals and the counters of the view, whose names are set. */
void counters_unpack(const void *block, struct pipeline_view *);

#endif
