/* SPDX-License-Identifier: Apache-2.0 */
/* The journal is opened with one list of inputs after another. */
#include "journal_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal/journal_check.h"
#include "journal/journal_format.h"

static struct journal_input input_of(const char *name)
{
	struct journal_input in = {0};
	snprintf(in.address, sizeof in.address, "unix_udp:/%s", name);
	snprintf(in.name, sizeof in.name, "%s", name);
	snprintf(in.tag, sizeof in.tag, "tag.%s", name);
	snprintf(in.parser, sizeof in.parser, "json");
	return in;
}

/* Open the journal with one input for each letter. */
static struct journal *open_with(const struct journal_dir *d,
				 const char *letters,
				 struct journal_found *found)
{
	struct journal_input inputs[JOURNAL_INPUTS_MAX];
	struct journal_opts opts = journal_dir_opts(d);
	opts.inputs = inputs;
	for (const char *c = letters; *c != '\0'; c++)
		inputs[opts.input_count++] = input_of((char[]){*c, '\0'});
	return must_open_journal(&opts, found);
}

static struct journal *open_for(const struct journal_dir *d,
				const char *letters)
{
	struct journal_found found;
	struct journal *j = open_with(d, letters, &found);
	assert_string_equal(found.why, "");
	return j;
}

/* One message for each digit, from the input of that number. */
static void offer(struct journal *j, const char *numbers)
{
	for (const char *c = numbers; *c != '\0'; c++) {
		struct journal_entry entry = {.bytes = span_make(c, 1),
					      .input = (uint16_t)(*c - '0')};
		assert_true(journal_offer(j, &entry));
	}
}

static void assert_numbers(struct journal *j, const char *numbers)
{
	struct journal_entry entry;
	for (const char *c = numbers; *c != '\0'; c++) {
		assert_true(journal_take(j, &entry));
		assert_int_equal(entry.input, *c - '0');
	}
	assert_takes_nothing(j);
}

static void messages_keep_their_inputs_when_these_get_other_numbers(
	void **state)
{
	const struct journal_dir *d = *state;
	const struct journal_input *input;
	struct journal *j = open_for(d, "ab");
	offer(j, "0011");
	journal_close(j);

	j = open_for(d, "cba");
	assert_false(journal_removed_input(j, 0, &input));
	offer(j, "012");
	assert_numbers(j, "2211012");
	journal_close(j);

	j = open_for(d, "ab");
	assert_true(journal_removed_input(j, 0, &input));
	assert_string_equal(input->name, "c");
	assert_numbers(j, "0011210");
	journal_close(j);
}

static void a_removed_input_is_described_until_its_messages_are_done(
	void **state)
{
	const struct journal_dir *d = *state;
	const struct journal_input *input;
	struct journal *j = open_for(d, "ab");
	offer(j, "01");
	journal_close(j);

	for (int again = 0; again < 3; again++) {
		j = open_for(d, "c");
		assert_true(journal_removed_input(j, 0, &input));
		assert_memory_equal(input,
				    &(struct journal_input[]){input_of("a")}[0],
				    sizeof *input);
		assert_true(journal_removed_input(j, 1, &input));
		assert_string_equal(input->tag, "tag.b");
		assert_false(journal_removed_input(j, 2, &input));
		assert_numbers(j, "12");
		if (again == 2)
			commit_taken(j);
		journal_close(j);
	}
	j = open_for(d, "c");
	assert_false(journal_removed_input(j, 0, &input));
	journal_close(j);
}

static void received_datagrams_keep_their_input(void **state)
{
	const struct journal_dir *d = *state;
	unsigned count;
	struct journal *j = open_for(d, "ab");
	struct mmsghdr *slots =
		journal_slots(j, 1 | JOURNAL_INPUT_MARK, &count);
	slots[0].msg_hdr.msg_controllen = 0;
	slots[0].msg_len = 1;
	journal_close(j);

	struct journal_found found;
	struct journal_entry entry;
	j = open_with(d, "cdb", &found);
	assert_int_equal(found.from_slots, 1);
	assert_true(journal_take(j, &entry));
	assert_int_equal(entry.input, 2 | JOURNAL_INPUT_MARK);
	journal_close(j);
}

static void changing_the_size_keeps_the_inputs(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = open_for(d, "ab");
	offer(j, "01");
	journal_close(j);

	struct journal_input inputs[] = {input_of("b"), input_of("a")};
	struct journal_found found;
	struct journal_opts opts = journal_dir_opts(d);
	opts.ring_bytes *= 2;
	opts.inputs = inputs;
	opts.input_count = 2;
	j = must_open_journal(&opts, &found);
	assert_string_equal(found.why, "");
	assert_numbers(j, "10");
	journal_close(j);
}

static void a_description_that_changes_is_used_for_new_messages(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = open_for(d, "a");
	offer(j, "0");
	journal_close(j);

	struct journal_input changed = input_of("a");
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	snprintf(changed.tag, sizeof changed.tag, "other");
	opts.inputs = &changed;
	opts.input_count = 1;
	j = must_open_journal(&opts, &found);
	offer(j, "0");
	assert_numbers(j, "00");
	journal_close(j);

	const struct journal_input *input;
	j = open_for(d, "b");
	assert_true(journal_removed_input(j, 0, &input));
	assert_string_equal(input->tag, "tag.a");
	assert_true(journal_removed_input(j, 1, &input));
	assert_string_equal(input->tag, "other");
	assert_numbers(j, "12");
	journal_close(j);
}

static void a_table_without_a_free_row_sets_the_file_aside(void **state)
{
	struct journal_dir *d = *state;
	struct journal_found found;
	char letters[JOURNAL_INPUTS_MAX + 1] = {0};
	for (size_t i = 0; i < JOURNAL_INPUTS_MAX; i++)
		letters[i] = (char)('0' + i);
	struct journal *j = open_for(d, letters);
	for (uint16_t i = 0; i < JOURNAL_INPUTS_MAX; i++)
		assert_true(journal_offer(
			j, &(struct journal_entry){.bytes = SPAN("x"),
						   .input = i}));
	journal_close(j);

	j = open_for(d, letters);
	journal_close(j);
	j = open_with(d, "~", &found);
	assert_string_equal(found.why,
			    "its messages and the configuration have more than "
			    "64 inputs");
	assert_string_equal(found.damaged, journal_dir_beside(d, ".damaged.1"));
	offer(j, "0");
	assert_numbers(j, "0");
	journal_close(j);
}

/* Version 1 had no table of inputs and is otherwise the same. */
static void make_version_1(const struct journal_dir *d)
{
	struct journal_geometry g;
	struct journal_opts opts = journal_dir_opts(d);
	struct journal *j =
		must_open_journal(&opts, &(struct journal_found){0});
	offer(j, "019");
	slot_receive(j, 0, SPAN("x"));
	journal_close(j);

	char *bytes = mem_new(1, 1 << 20);
	int fd = open(d->path, O_RDWR);
	size_t size = (size_t)read(fd, bytes, 1 << 20);
	struct journal_header *h = (void *)bytes;
	g = h->geometry;
	struct journal_layout at = journal_view_make(bytes, &g).at;
	h->version = JOURNAL_VERSION_NUMBERS;
	h->check = journal_header_check(h);
	size_t notes = journal_round_up(at.inputs, JOURNAL_PAGE_BYTES);
	assert_int_equal(pwrite(fd, bytes, notes, 0), notes);
	assert_int_equal(
		pwrite(fd, bytes + at.notes, size - at.notes, (off_t)notes),
		size - at.notes);
	assert_int_equal(ftruncate(fd, (off_t)(size - at.notes + notes)), 0);
	close(fd);
	free(bytes);
}

static void a_file_of_version_1_is_read_with_its_numbers(void **state)
{
	const struct journal_dir *d = *state;
	const struct journal_input *input;
	make_version_1(d);
	struct journal *j = open_for(d, "abcdefgh");
	assert_true(journal_removed_input(j, 0, &input));
	assert_null(input);
	assert_false(journal_removed_input(j, 1, &input));
	offer(j, "2");
	assert_numbers(j, "01872");
	commit_taken(j);
	journal_close(j);
}

int main(void)
{
#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, journal_dir_set_up, \
					journal_dir_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(messages_keep_their_inputs_when_these_get_other_numbers),
		TEST(a_removed_input_is_described_until_its_messages_are_done),
		TEST(received_datagrams_keep_their_input),
		TEST(changing_the_size_keeps_the_inputs),
		TEST(a_description_that_changes_is_used_for_new_messages),
		TEST(a_table_without_a_free_row_sets_the_file_aside),
		TEST(a_file_of_version_1_is_read_with_its_numbers),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
