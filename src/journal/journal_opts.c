/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "journal/journal.h"
#include "journal/journal_format.h"

bool journal_check_opts(const struct journal_opts *opts, struct err *e)
{
	if (opts->slots < 1 || opts->slots > JOURNAL_SLOTS_MAX)
		return err_set(e, "journal: %u slots; must be 1 to %d",
			       opts->slots, JOURNAL_SLOTS_MAX);
	if (opts->slot_bytes < 1 || opts->slot_bytes > JOURNAL_SLOT_BYTES_MAX)
		return err_set(e,
			       "journal: messages of up to %zu bytes; "
			       "must be 1 to %d",
			       opts->slot_bytes, JOURNAL_SLOT_BYTES_MAX);
	if (opts->ring_bytes > PTRDIFF_MAX / 2 - JOURNAL_PAGE_BYTES)
		return err_set(e,
			       "journal: %zu bytes are too many; "
			       "must be at most %td",
			       opts->ring_bytes,
			       PTRDIFF_MAX / 2 - JOURNAL_PAGE_BYTES);
	if (opts->counters_bytes > JOURNAL_COUNTERS_BYTES_MAX)
		return err_set(e,
			       "journal: %zu bytes of counters are too many; "
			       "must be at most %d",
			       opts->counters_bytes,
			       JOURNAL_COUNTERS_BYTES_MAX);
	CHECK(opts->input_count <= JOURNAL_INPUTS_MAX);
	size_t need = journal_item_bytes(opts->slot_bytes);
	if (journal_round_up(opts->ring_bytes, JOURNAL_PAGE_BYTES) < need)
		return err_set(e,
			       "journal: %zu bytes are too few: one message of "
			       "%zu bytes needs %zu",
			       opts->ring_bytes, opts->slot_bytes, need);
	return true;
}

struct journal_geometry journal_geometry_of(const struct journal_opts *opts)
{
	return (struct journal_geometry){
		.ring_bytes =
			journal_round_up(opts->ring_bytes, JOURNAL_PAGE_BYTES),
		.slot_bytes = opts->slot_bytes,
		.counters_bytes = opts->counters_bytes,
		.slots = opts->slots,
	};
}
