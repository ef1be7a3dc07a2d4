/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal_inputs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "journal/peer_address.h"

static uint64_t check_of(const struct journal_input_row *row)
{
	return journal_check(&row->identity, sizeof row->identity, row->tag,
			     sizeof row->tag);
}

static bool is_valid(const struct journal_input_row *row)
{
	return row->identity != 0 && row->check == check_of(row);
}

/* One bit for each row that an uncommitted entry names. */
static uint32_t rows_in_use(const struct journal_view *v)
{
	struct journal_state state;
	struct journal_entry entry;
	char why[JOURNAL_WHY_BYTES];
	uint32_t in_use = 0;
	CHECK(journal_state_read(v, &state, why));
	struct journal_walk walk = journal_walk_of(&state);
	while (journal_walk_next(v, &walk, &entry) == JOURNAL_FOUND)
		in_use |= UINT32_C(1) << (entry.source % JOURNAL_INPUT_ROWS);
	return in_use;
}

/* SIGKILL may come between any two stores: the check is the last. */
static void write_row(struct journal_input_row *row,
		      const struct journal_input *input)
{
	row->check = 0;
	atomic_signal_fence(memory_order_seq_cst);
	row->identity = input->identity;
	memset(row->tag, 0, sizeof row->tag);
	snprintf(row->tag, sizeof row->tag, "%s", input->tag);
	atomic_signal_fence(memory_order_seq_cst);
	row->check = check_of(row);
}

static bool has_rows(const struct journal_input_row *rows)
{
	for (size_t i = 0; i < JOURNAL_INPUT_ROWS; i++)
		if (is_valid(&rows[i]))
			return true;
	return false;
}

/* JOURNAL_INPUT_ROWS if there is none. */
static size_t find_row(const struct journal_input_row *rows, uint64_t identity)
{
	size_t i = 0;
	while (i < JOURNAL_INPUT_ROWS &&
	       !(is_valid(&rows[i]) && rows[i].identity == identity))
		i++;
	return i;
}

static void take_row(struct journal_inputs *inputs, size_t number, size_t row)
{
	inputs->row_of[number] = (uint8_t)row;
	inputs->number_of[row] = (uint8_t)number;
}

/* Inputs that have a row keep it.  In a journal without rows, entries hold
 * numbers, so number N gets row N. */
static uint32_t bind_known(struct journal_inputs *inputs,
			   struct journal_input_row *rows,
			   const struct journal_opts *opts)
{
	bool is_old = !has_rows(rows);
	uint32_t bound = 0;
	for (size_t i = 0; i < opts->input_count; i++) {
		const struct journal_input *input = &opts->inputs[i];
		size_t row = is_old ? i : find_row(rows, input->identity);
		if (is_old)
			write_row(&rows[row], input);
		if (row == JOURNAL_INPUT_ROWS)
			continue;
		take_row(inputs, i, row);
		bound |= UINT32_C(1) << i;
	}
	return bound;
}

bool journal_inputs_bind(struct journal_inputs *inputs, struct journal_view *v,
			 const struct journal_opts *opts, struct err *e)
{
	struct journal_input_row *rows = journal_input_rows_at(v);
	*inputs = (struct journal_inputs){.count = opts->input_count};
	memset(inputs->number_of, JOURNAL_NO_INPUT, sizeof inputs->number_of);
	if (opts->input_count == 0)
		return true;
	uint32_t in_use = rows_in_use(v);
	uint32_t bound = bind_known(inputs, rows, opts);
	size_t row = 0;
	for (size_t i = 0; i < opts->input_count; i++) {
		if ((bound >> i & 1) != 0)
			continue;
		while (row < JOURNAL_INPUT_ROWS &&
		       ((in_use >> row & 1) != 0 ||
			inputs->number_of[row] != JOURNAL_NO_INPUT))
			row++;
		if (row == JOURNAL_INPUT_ROWS)
			return err_set(e,
				       "the journal still has messages of %d "
				       "removed inputs; try again when they "
				       "are written",
				       JOURNAL_INPUT_ROWS - (int)i);
		write_row(&rows[row], &opts->inputs[i]);
		take_row(inputs, i, row);
	}
	return true;
}

void journal_inputs_copy(struct journal_view *to,
			 const struct journal_view *from)
{
	memcpy(journal_input_rows_at(to), journal_input_rows_at(from),
	       JOURNAL_INPUT_ROWS * sizeof(struct journal_input_row));
}

uint16_t journal_inputs_row(const struct journal_inputs *inputs,
			    uint16_t source)
{
	if (inputs->count == 0)
		return source;
	uint16_t mark = source & PEER_ADDRESS_MARK;
	return inputs->row_of[source & ~PEER_ADDRESS_MARK] | mark;
}

void journal_inputs_translate(const struct journal_inputs *inputs,
			      const struct journal_view *v,
			      struct journal_entry *entry)
{
	if (inputs->count == 0)
		return;
	uint16_t mark = entry->source & PEER_ADDRESS_MARK;
	size_t row = entry->source % JOURNAL_INPUT_ROWS;
	if (inputs->number_of[row] != JOURNAL_NO_INPUT) {
		entry->source = inputs->number_of[row] | mark;
		return;
	}
	const struct journal_input_row *r = &journal_input_rows_at(v)[row];
	entry->source = JOURNAL_SOURCE_REMOVED | mark;
	entry->removed_tag = is_valid(r) ? r->tag : "";
}

uint64_t journal_inputs_identity(const struct journal_view *v, uint16_t source)
{
	const struct journal_input_row *row =
		&journal_input_rows_at(v)[source % JOURNAL_INPUT_ROWS];
	return is_valid(row) ? row->identity : 0;
}
