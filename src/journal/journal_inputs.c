/* SPDX-License-Identifier: Apache-2.0 */
/* When the journal is opened, each row of its table of inputs is in one of
 * these states:
 *  - used: a waiting message came from that input.  The row is not changed.
 *    Its messages get the number of the input with the same address.  If there
 *    is none, that input was removed, and they get a number after all others;
 *  - described, but not used: an input with exactly this description takes the
 *    row; if there is none, another new input may overwrite it;
 *  - empty.
 * A process that is killed while it overwrites a row leaves it empty, because
 * the check is cleared first and stored last. */
#include <stdatomic.h>
#include <string.h>

#include "journal/journal_check.h"
#include "journal/journal_ring.h"

enum { NO_ROW = -1 };

static bool is_in(uint64_t rows, size_t row)
{
	return (rows >> row & 1) != 0;
}

static int find_same(const struct journal *j, const struct journal_input *input)
{
	for (int row = 0; row < JOURNAL_INPUTS_MAX; row++) {
		const struct journal_input *other =
			journal_input_at(&j->view, (size_t)row);
		if (other != NULL && memcmp(other, input, sizeof *input) == 0)
			return row;
	}
	return NO_ROW;
}

static int find_free(uint64_t taken)
{
	for (int row = 0; row < JOURNAL_INPUTS_MAX; row++)
		if (!is_in(taken, (size_t)row))
			return row;
	return NO_ROW;
}

static void describe(struct journal_input_row *row,
		     const struct journal_input *input)
{
	row->check = 0;
	atomic_signal_fence(memory_order_seq_cst);
	row->input = *input;
	atomic_signal_fence(memory_order_seq_cst);
	row->check = journal_input_check(input);
}

/* The number of the input that the row describes; if that input was removed, a
 * number after those of all others. */
static size_t number_of(struct journal *j, size_t row,
			const struct journal_opts *opts)
{
	const struct journal_input *input = journal_input_at(&j->view, row);
	if (input == NULL && row < opts->input_count)
		return row; /* version 1: the row is the input's number */
	for (size_t i = 0; input != NULL && i < opts->input_count; i++)
		if (strcmp(opts->inputs[i].address, input->address) == 0)
			return i;
	j->removed[j->removed_count] = (uint8_t)row;
	return opts->input_count + j->removed_count++;
}

static void keep_numbers(struct journal *j)
{
	for (size_t i = 0; i < JOURNAL_INPUTS_MAX; i++) {
		j->producer.row_of[i] = (uint8_t)i;
		j->consumer.number_of[i] = (uint8_t)i;
	}
}

bool journal_map_inputs(struct journal *j, const struct journal_opts *opts)
{
	uint64_t taken = j->used_rows;
	int rows[JOURNAL_INPUTS_MAX];
	if (opts->input_count == 0) {
		keep_numbers(j);
		return true;
	}
	j->removed_count = 0;
	for (size_t row = 0; row < JOURNAL_INPUTS_MAX; row++)
		if (is_in(j->used_rows, row))
			j->consumer.number_of[row] =
				(uint8_t)number_of(j, row, opts);
	for (size_t i = 0; i < opts->input_count; i++) {
		rows[i] = find_same(j, &opts->inputs[i]);
		if (rows[i] != NO_ROW)
			taken |= UINT64_C(1) << rows[i];
	}
	for (size_t i = 0; i < opts->input_count; i++) {
		if (rows[i] == NO_ROW) {
			rows[i] = find_free(taken);
			if (rows[i] == NO_ROW)
				return false;
			taken |= UINT64_C(1) << rows[i];
			describe(journal_row_at(&j->view, (size_t)rows[i]),
				 &opts->inputs[i]);
		}
		j->producer.row_of[i] = (uint8_t)rows[i];
		j->consumer.number_of[rows[i]] = (uint8_t)i;
	}
	return true;
}

bool journal_removed_input(const struct journal *j, size_t nth,
			   const struct journal_input **input)
{
	if (nth >= j->removed_count)
		return false;
	*input = journal_input_at(&j->view, j->removed[nth]);
	return true;
}
