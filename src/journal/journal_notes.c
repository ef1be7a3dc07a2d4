/* SPDX-License-Identifier: Apache-2.0 */
/* The notes that the previous process left: the first `found_notes` ones. */
#include "journal/journal.h"
#include "journal/journal_check.h"
#include "journal/journal_ring.h"

const struct append_note *journal_noted(const struct journal *j,
					const struct append_note *note)
{
	const struct journal_noted *noted = journal_notes_at(&j->view);
	const struct journal_noted *end = noted + j->consumer.found_notes;
	if (note != NULL) /* the first member of its struct */
		noted = (const struct journal_noted *)(const void *)note + 1;
	while (noted < end && noted->check == JOURNAL_NOTE_VOID)
		noted++;
	return noted < end ? &noted->note : NULL;
}

void journal_claim(struct journal *j, const struct append_note *note)
{
	struct journal_consumer *c = &j->consumer;
	const struct journal_noted *noted = journal_notes_at(&j->view);
	for (size_t i = 0; i < c->found_notes; i++)
		if (noted[i].note.path_hash == note->path_hash)
			c->is_claimed[i] = true;
}

size_t journal_unclaimed(const struct journal *j)
{
	const struct journal_consumer *c = &j->consumer;
	const struct journal_noted *noted = journal_notes_at(&j->view);
	size_t count = 0;
	for (size_t i = 0; i < c->found_notes; i++)
		count += noted[i].check != JOURNAL_NOTE_VOID &&
			 noted[i].note.kind == APPEND_LINES &&
			 noted[i].note.length_bytes > 0 && !c->is_claimed[i];
	return count;
}
