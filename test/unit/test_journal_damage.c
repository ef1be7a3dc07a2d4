/* SPDX-License-Identifier: Apache-2.0 */
/* A journal with a few messages, some committed, and notes, which is then
 * damaged in every way.  Opening it never crashes.  Either every message that
 * comes out was appended, in that order, or the file is renamed unchanged to
 * PATH.damaged.N. */
#include "journal_dir.h"
#include "random.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal/journal_check.h"
#include "journal/journal_format.h"

enum { FIRST = 3, MESSAGES = 9 };

static int set_up_good(void **state)
{
	/* The tests create many files: in memory, if possible. */
	if (journal_dir_set_up_in("/dev/shm", state) != 0 &&
	    journal_dir_set_up(state) != 0)
		return -1;
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	append_texts(j, 0, MESSAGES);
	assert_texts(j, 0, FIRST);
	commit_counter(j, FIRST);
	assert_texts(j, FIRST, 2);
	for (uint64_t i = 0; i < 3; i++)
		journal_note(j, &(struct append_note){.inode = i}, 0);
	journal_close(j);
	return 0;
}

static char *read_file(const char *path, size_t *bytes)
{
	struct buf content = {0};
	assert_true(file_read(path, &content));
	*bytes = content.len;
	return content.ptr;
}

struct seen {
	uint64_t next;
	unsigned count;
	bool may_skip; /* damaged messages */
};

static void check_entry(void *data, const struct journal_entry *entry,
			const struct journal_input *input)
{
	(void)input;
	struct seen *seen = data;
	char room[SLOT_BYTES];
	assert_true(entry->seq >= FIRST && entry->seq < MESSAGES);
	assert_true(entry->seq == seen->next ||
		    (seen->may_skip && entry->seq > seen->next));
	unsigned n = (unsigned)entry->seq;
	assert_true(span_equals(entry->bytes,
				numbered_text(n, n * 31 % 100, room)));
	seen->next = entry->seq + 1;
	seen->count++;
}

/* True if the journal is undamaged; then assert that it is complete. */
static bool inspect(const char *path)
{
	struct seen seen = {.next = FIRST, .may_skip = true};
	struct journal_summary summary;
	struct err e = {0};
	if (journal_inspect(path, &summary, check_entry, &seen, &e)) {
		assert_int_equal(seen.count, MESSAGES - FIRST);
		assert_int_equal(summary.appended_total, MESSAGES);
		assert_false(summary.is_owned);
		return true;
	}
	assert_non_null(strstr(e.text, path));
	return false;
}

/* Open the file as it is now.  True if it is accepted; otherwise assert that it
 * was renamed, byte for byte. */
static bool open_damaged(struct journal_dir *d, const char *content,
			 size_t bytes)
{
	struct journal_found found;
	struct journal *j = journal_dir_open(d, &found);
	bool is_good = found.why[0] == '\0';
	struct seen seen = {.next = FIRST};
	struct journal_entry entry;
	while (journal_take(j, &entry))
		check_entry(&seen, &entry, NULL);
	if (is_good) {
		commit_taken(j); /* the first batch ends here */
		while (journal_take(j, &entry))
			check_entry(&seen, &entry, NULL);
		assert_int_equal(seen.count, MESSAGES - FIRST);
		assert_int_equal(found.messages, MESSAGES - FIRST);
	} else {
		size_t kept_bytes;
		assert_int_equal(seen.count, 0);
		assert_int_equal(found.messages, 0);
		assert_string_equal(found.damaged,
				    journal_dir_beside(d, ".damaged.1"));
		char *kept = read_file(d->other, &kept_bytes);
		assert_int_equal(kept_bytes, bytes);
		assert_memory_equal(kept, content, bytes);
		free(kept);
		assert_int_equal(unlink(d->other), 0);
	}
	append_texts(j, 1, 1); /* the new journal works */
	assert_texts(j, 1, 1);
	journal_close(j);
	return is_good;
}

static void an_undamaged_file_is_accepted(void **state)
{
	struct journal_dir *d = *state;
	size_t bytes;
	char *content = read_file(d->path, &bytes);
	assert_true(inspect(d->path));
	char *after = read_file(d->path, &bytes);
	assert_memory_equal(after, content,
			    bytes); /* the renamed file is unchanged */
	free(after);
	assert_true(open_damaged(d, content, bytes));
	free(content);
}

static void a_truncated_file_is_renamed_to_damaged(void **state)
{
	struct journal_dir *d = *state;
	size_t bytes;
	char *content = read_file(d->path, &bytes);
	for (size_t cut = bytes; cut > 0;) {
		bool is_every = cut > bytes - 1000 || cut < 10000;
		cut -= is_every ? 1 : 101;
		assert_int_equal(truncate(d->path, (off_t)cut), 0);
		assert_false(inspect(d->path));
	}
	for (size_t cut = 0; cut < bytes; cut += 1 + cut / 10) {
		file_write(d->path, span_make(content, cut));
		assert_false(open_damaged(d, content, cut));
	}
	free(content);
}

static void bytes_behind_the_end_do_no_harm(void **state)
{
	struct journal_dir *d = *state;
	size_t bytes;
	char *content = read_file(d->path, &bytes);
	assert_int_equal(truncate(d->path, (off_t)bytes + 1), 0);
	assert_true(inspect(d->path));
	assert_true(open_damaged(d, content, bytes));
	free(content);
}

static char *map_file(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDWR);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	*bytes = (size_t)st.st_size;
	char *map =
		mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd);
	return map;
}

/* After a power cut, a file holds the part that the file system wrote back, and
 * zeros. */
static void a_file_with_a_missing_part_is_renamed_to_damaged(void **state)
{
	struct journal_dir *d = *state;
	size_t bytes;
	char *content = read_file(d->path, &bytes);
	char *map = map_file(d->path, &bytes);
	size_t last = bytes; /* the rest is zero anyway */
	while (content[last - 1] == '\0')
		last--;
	for (size_t from = 0; from < last;) {
		memset(map + from, 0, last - from);
		assert_false(inspect(d->path));
		memcpy(map + from, content + from, last - from);
		bool is_every = from > last - 1000 || from < 5000;
		from += is_every ? 1 : 101;
	}
	assert_true(inspect(d->path));
	memset(map, 0, JOURNAL_PAGE_BYTES);
	memset(content, 0, JOURNAL_PAGE_BYTES);
	assert_false(open_damaged(d, content, bytes));
	munmap(map, bytes);
	free(content);
}

/* Change each byte of the range in three ways; is_caught tells whether the
 * journal must notice. */
static void flip(struct journal_dir *d, char *map, size_t from, size_t bytes,
		 bool is_caught)
{
	static const unsigned char masks[] = {0x01, 0x80, 0xff};
	for (size_t i = 0; i < 3 * bytes; i++) {
		char *byte = &map[from + i / 3];
		char was = *byte;
		*byte = (char)((unsigned char)was ^ masks[i % 3]);
		if (inspect(d->path) && is_caught)
			fail_msg("changing byte %zu is not noticed",
				 from + i / 3);
		*byte = was;
	}
}

static void a_changed_byte_never_invents_a_message(void **state)
{
	struct journal_dir *d = *state;
	int fd = open(d->path, O_RDWR);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	size_t bytes = (size_t)st.st_size;
	char *map =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	struct journal_view v;
	struct journal_state s;
	char why[JOURNAL_WHY_BYTES];
	assert_true(journal_view_read(&v, map, bytes, why));
	assert_true(journal_state_read(&v, &s, why));

	size_t head = offsetof(struct journal_header, head);
	size_t check = offsetof(struct journal_header, check);
	flip(d, map, 0, check + 8, true);
	flip(d, map, check + 8, JOURNAL_PAGE_BYTES - check - 8, false);
	flip(d, map, head, 8, true);
	flip(d, map, offsetof(struct journal_header, tail), 8, true);
	flip(d, map, v.at.tails, 2 * v.at.tail_stride, false);
	flip(d, map, v.at.headers, v.at.notes - v.at.headers, false);
	flip(d, map, v.at.notes, 3 * sizeof(struct journal_noted), true);
	flip(d, map, v.at.ring, s.begin, false);
	for (uint64_t at = s.begin; at < s.end;) {
		size_t length = journal_item_at(&v, at)->length;
		/* The padding is not covered by the checksum. */
		flip(d, map, v.at.ring + at, ITEM_HEAD_BYTES + length, true);
		at += journal_item_bytes(length);
	}
	flip(d, map, v.at.ring + s.end, 64, false);
	assert_true(inspect(d->path));
	munmap(map, bytes);
}

/* Make the checksums right again, so that the test reaches the code that they
 * protect. */
static void mend(struct journal_view *v)
{
	struct journal_header *h = v->header;
	h->check = journal_header_check(h);
	for (unsigned i = 0; i < 2; i++) {
		struct journal_tail_block *b = journal_tail_at(v, i);
		h->heads[i].check = journal_head_check(&h->heads[i]);
		if (b->counters_bytes <= v->geometry.counters_bytes)
			b->check = journal_tail_check(
				b, journal_counters_at(v, i));
	}
	h->heads[h->head & 1].word = h->head;
	h->heads[h->head & 1].check =
		journal_head_check(&h->heads[h->head & 1]);
}

static void a_corrupt_header_is_survived(void **state)
{
	struct journal_dir *d = *state;
	struct random random = random_seed("journal_damage", 7);
	size_t bytes;
	char *good = read_file(d->path, &bytes);
	char *content = mem_copy(good, bytes);
	size_t set_aside = 0;
	for (unsigned round = 0; round < 1000; round++) {
		memcpy(content, good, bytes);
		struct journal_view v;
		char why[JOURNAL_WHY_BYTES];
		assert_true(journal_view_read(&v, content, bytes, why));
		for (unsigned n = random_below(&random, 4) + 1; n > 0; n--) {
			/* With another magic, it would not be a journal. */
			size_t at =
				8 +
				random_below(&random,
					     sizeof(struct journal_header) - 8);
			if (random_below(&random, 2) == 0)
				at = v.at.tails +
				     random_below(
					     &random,
					     (uint32_t)(2 * v.at.tail_stride));
			content[at] = (char)random_next(&random);
		}
		mend(&v);
		file_write(d->path, span_make(content, bytes));
		struct journal_opts opts = journal_dir_opts(d);
		struct journal_found found;
		struct journal *j = must_open_journal(&opts, &found);
		struct journal_entry entry;
		while (journal_take(j, &entry))
			assert_true(entry.bytes.len <= SMALL_RING_BYTES);
		append_texts(j, 0, 1);
		journal_close(j);
		if (found.damaged[0] != '\0') {
			set_aside++;
			assert_int_equal(unlink(found.damaged), 0);
		}
	}
	assert_true(set_aside > 100);
	free(content);
	free(good);
}

static void a_damaged_beginning_is_renamed_to_damaged(void **state)
{
	struct journal_dir *d = *state;
	size_t bytes;
	char *content = read_file(d->path, &bytes);
	struct journal_header *h = (void *)content;
	struct journal_found found;

	h->version = 99;
	file_write(d->path, span_make(content, bytes));
	journal_close(journal_dir_open(d, &found));
	assert_string_equal(found.why,
			    "its version is 99; this sluiced reads 1 to 2");
	assert_string_equal(found.damaged, journal_dir_beside(d, ".damaged.1"));

	h->version = JOURNAL_VERSION;
	h->magic[0] = 'S';
	file_write(d->path, span_make(content, bytes));
	journal_close(journal_dir_open(d, &found));
	assert_string_equal(found.why, "not a journal of sluiced");
	assert_string_equal(found.damaged, journal_dir_beside(d, ".damaged.2"));

	memset(content, 0, JOURNAL_PAGE_BYTES);
	file_write(d->path, span_make(content, bytes));
	journal_close(journal_dir_open(d, &found));
	assert_string_equal(found.damaged, journal_dir_beside(d, ".damaged.3"));

	file_write_text(d->path, "");
	journal_close(journal_dir_open(d, &found));
	assert_string_equal(found.why, "empty");
	free(content);
}

static void a_file_that_sluiced_did_not_make_is_not_renamed(void **state)
{
	struct journal_dir *d = *state;
	static const char *const contents[] = {"x", "my letters to her",
					       "sluicedK and more",
					       "sluice\0\0and more than zeros"};
	static const size_t lengths[] = {1, 17, 17, 27};
	struct journal_opts opts = journal_dir_opts(d);
	struct journal_found found;
	for (size_t i = 0; i < 4; i++) {
		struct span content = span_make(contents[i], lengths[i]);
		struct err e = {0};
		size_t bytes;
		file_write(d->path, content);
		assert_false(journal_try_content(d->path, &e));
		assert_int_equal(journal_try(&opts, false, &e),
				 JOURNAL_TRY_BAD_FILE);
		assert_null(journal_open(&opts, &found, &e));
		assert_non_null(strstr(e.text, "exists and is not a journal of "
					       "sluiced; move it away"));
		assert_string_equal(found.damaged, "");
		char *now = read_file(d->path, &bytes);
		assert_true(span_equals(span_make(now, bytes), content));
		free(now);
	}
	/* Nor is it emptied under the name that a new journal has at first. */
	struct err e = {0};
	unlink(d->path);
	file_write_text(journal_dir_beside(d, ".new"), "my letters");
	assert_false(journal_try_content(d->path, &e));
	assert_null(journal_open(&opts, &found, &e));
	assert_non_null(strstr(e.text, ".new exists and is not a journal"));
	size_t bytes;
	char *now = read_file(journal_dir_beside(d, ".new"), &bytes);
	assert_int_equal(bytes, 10);
	free(now);
	unlink(d->other);
	file_write_text(d->path, "x");
	/* Somebody has replaced the journal that this sluiced uses. */
	opts.is_known = true;
	journal_close(must_open_journal(&opts, &found));
	assert_string_equal(found.why, "not a journal of sluiced");
	assert_string_equal(found.damaged, journal_dir_beside(d, ".damaged.1"));
}

static void a_journal_can_be_inspected_while_it_is_in_use(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	struct seen seen = {.next = FIRST};
	struct journal_summary summary;
	struct err e = {0};
	assert_true(journal_inspect(d->path, &summary, check_entry, &seen, &e));
	assert_true(summary.is_owned);
	assert_int_equal(seen.count, MESSAGES - FIRST);
	assert_int_equal(summary.version, JOURNAL_VERSION);
	assert_int_equal(summary.ring_bytes, SMALL_RING_BYTES);
	assert_int_equal(summary.slot_bytes, SLOT_BYTES);
	assert_int_equal(summary.head - summary.tail, journal_pending_bytes(j));
	/* Datagrams that were received but not appended are listed only for a
	 * dead process. */
	slot_receive(j, 0, SPAN("x"));
	seen = (struct seen){.next = FIRST};
	assert_true(journal_inspect(d->path, &summary, check_entry, &seen, &e));
	journal_close(j);
	seen = (struct seen){.next = FIRST};
	assert_false(
		journal_inspect("/nowhere", &summary, check_entry, &seen, &e));
	/* A FIFO without a writer is refused at once. */
	char fifo[sizeof d->path + 8];
	snprintf(fifo, sizeof fifo, "%s.fifo", d->path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_false(journal_inspect(fifo, &summary, check_entry, &seen, &e));
	assert_non_null(strstr(e.text, "not a regular file"));
	unlink(fifo);
}

static void count_entry(void *data, const struct journal_entry *entry,
			const struct journal_input *input)
{
	(void)input;
	unsigned *count = data;
	assert_int_equal(entry->seq, FIRST + (*count)++);
}

static void the_last_datagrams_of_a_dead_process_are_listed(void **state)
{
	const struct journal_dir *d = *state;
	struct journal *j = journal_dir_open_good(d);
	slot_receive(j, 0, SPAN("x"));
	slot_receive(j, 1, SPAN(""));
	journal_close(j);
	unsigned count = 0;
	struct journal_summary summary;
	struct err e = {0};
	assert_true(
		journal_inspect(d->path, &summary, count_entry, &count, &e));
	assert_int_equal(count, MESSAGES - FIRST + 2);
	assert_int_equal(summary.notes, 3);
	assert_false(summary.is_owned);
}

int main(void)
{
#define TEST(name)                                         \
	cmocka_unit_test_setup_teardown(name, set_up_good, \
					journal_dir_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_undamaged_file_is_accepted),
		TEST(a_truncated_file_is_renamed_to_damaged),
		TEST(bytes_behind_the_end_do_no_harm),
		TEST(a_file_with_a_missing_part_is_renamed_to_damaged),
		TEST(a_changed_byte_never_invents_a_message),
		TEST(a_corrupt_header_is_survived),
		TEST(a_damaged_beginning_is_renamed_to_damaged),
		TEST(a_file_that_sluiced_did_not_make_is_not_renamed),
		TEST(a_journal_can_be_inspected_while_it_is_in_use),
		TEST(the_last_datagrams_of_a_dead_process_are_listed),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
