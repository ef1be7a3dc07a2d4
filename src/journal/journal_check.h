/* SPDX-License-Identifier: Apache-2.0 */
/* journal_check - the checksums of what the journal stores.
 *
 * A note's check also tells its state.  The order of the stores in journal_note
 * and journal_note_failed keeps the note valid at every instant:
 *
 *     JOURNAL_NOTE_VOID   the note is being written
 *     ..._any_length      its length is being changed; the note is valid with
 *                         the old and with the new length
 *     journal_note_check  the note is complete */
#ifndef JOURNAL_CHECK_H
#define JOURNAL_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct append_note;
struct journal_header;
struct journal_head_block;
struct journal_input;
struct journal_item;
struct journal_noted;
struct journal_replayed;
struct journal_tail_block;

#define JOURNAL_NOTE_VOID UINT64_C(0x766f69646e6f7465)

/* The checksums; that of the tail covers the counters, too. */
uint64_t journal_header_check(const struct journal_header *);
uint64_t journal_head_check(const struct journal_head_block *);
uint64_t journal_tail_check(const struct journal_tail_block *,
			    const void *counters);
uint64_t journal_note_check(const struct append_note *);
uint64_t journal_note_check_any_length(const struct append_note *);
uint64_t journal_item_check(const struct journal_item *, const char *bytes);
uint64_t journal_replayed_check(const struct journal_replayed *);

/* Never 0, which means that the row was never written. */
uint64_t journal_input_check(const struct journal_input *);

/* Is the note in one of the three states? */
bool journal_note_is_valid(const struct journal_noted *);

#endif
