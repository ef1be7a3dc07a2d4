/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal_check.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "journal/journal_format.h"

static uint64_t check_of(const void *head, size_t head_bytes, const void *body,
			 size_t body_bytes)
{
	uint64_t parts[] = {XXH3_64bits(head, head_bytes),
			    XXH3_64bits(body, body_bytes)};
	return XXH3_64bits(parts, sizeof parts);
}

uint64_t journal_header_check(const struct journal_header *h)
{
	return check_of(h, offsetof(struct journal_header, check), "", 0);
}

uint64_t journal_head_check(const struct journal_head_block *b)
{
	return check_of(b, offsetof(struct journal_head_block, check), "", 0);
}

uint64_t journal_tail_check(const struct journal_tail_block *b,
			    const void *counters)
{
	return check_of(b, offsetof(struct journal_tail_block, check), counters,
			b->counters_bytes);
}

uint64_t journal_note_check(const struct append_note *note)
{
	return check_of(note, sizeof *note, "", 0);
}

uint64_t journal_note_check_any_length(const struct append_note *note)
{
	struct append_note any = *note;
	any.length_bytes = 0;
	return ~journal_note_check(&any);
}

uint64_t journal_input_check(const struct journal_input *input)
{
	return check_of(input, sizeof *input, "", 0) | 1;
}

uint64_t journal_item_check(const struct journal_item *item, const char *bytes)
{
	return check_of(item, offsetof(struct journal_item, check), bytes,
			item->length);
}

uint64_t journal_replayed_check(const struct journal_replayed *r)
{
	return check_of(r, offsetof(struct journal_replayed, check), "", 0);
}

bool journal_note_is_valid(const struct journal_noted *n)
{
	return n->check == JOURNAL_NOTE_VOID ||
	       n->check == journal_note_check(&n->note) ||
	       n->check == journal_note_check_any_length(&n->note);
}
