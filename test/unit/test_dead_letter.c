/* SPDX-License-Identifier: Apache-2.0 */
#include "letter_unit.h"
#include "random.h"
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/append_note.h"
#include "record/record.h"

static const char *read_line(struct letter_unit *f, struct span line,
			     struct letter *letter)
{
	arena_reset(f->arena);
	struct record *room = record_new(f->arena, NULL, SPAN(""), 0);
	return dead_letter_read(f->json, line, room, letter);
}

/* --- the line of a dead letter */

static void a_dead_letter_holds_time_input_reason_and_message(void **state)
{
	struct letter_unit *f = *state;
	open_at(f, f->path, NULL);
	assert_true(put(f, SPAN("<190>Nov 21 02:50:00 nginx: {\"a\":1}")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_content(f, HEAD "\"raw\":\"<190>Nov 21 02:50:00 nginx: "
			       "{\\\"a\\\":1}\"}\n");
	assert_int_equal(stats(f)->messages_written_total, 1);
}

static void bytes_that_are_not_text_are_encoded_in_base64(void **state)
{
	struct letter_unit *f = *state;
	const struct {
		struct span bytes;
		const char *raw;
	} cases[] = {
		{SPAN(""), "\"raw\":\"\"}\n"},
		{SPAN("a\nb\tc\r\n"), "\"raw\":\"a\\nb\\tc\\r\\n\"}\n"},
		{SPAN("\\u0001 \\ufffd"), "\"raw\":\"\\\\u0001 \\\\ufffd\"}\n"},
		{SPAN("\xe3\x83\xad \xef\xbf\xbd"),
		 "\"raw\":\"\xe3\x83\xad \xef\xbf\xbd\"}\n"},
		{SPAN("\xff"), "\"raw_base64\":\"/w==\"}\n"},
		{SPAN("ab\xe3\x83"), "\"raw_base64\":\"YWLjgw==\"}\n"},
		{SPAN("\xed\xa0\x80"), "\"raw_base64\":\"7aCA\"}\n"},
		{SPAN("a\0b"), "\"raw_base64\":\"YQBi\"}\n"},
		{SPAN("\x1b[31m"), "\"raw_base64\":\"G1szMW0=\"}\n"},
		{SPAN("\x7f"), "\"raw_base64\":\"fw==\"}\n"},
	};
	struct buf want = {0};
	open_at(f, f->path, NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(put(f, cases[i].bytes));
		buf_put_text(&want, HEAD);
		buf_put_text(&want, cases[i].raw);
	}
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_content(f, buf_text(&want));
	buf_fini(&want);
}

static void assert_comes_back(struct letter_unit *f, struct span bytes)
{
	unlink(f->path);
	assert_true(put(f, bytes));
	assert_int_equal(flush(f), SINK_FLUSHED);
	struct span line = content(f, "letters");
	struct letter letter;
	const char *wrong = read_line(f, line, &letter);
	if (wrong != NULL)
		fail_msg("%s: %.*s", wrong, (int)line.len, line.ptr);
	assert_true(span_equals(letter.input, SPAN("syslog.0")));
	if (!span_equals(letter.raw, bytes))
		fail_msg("changed: %.*s", (int)line.len, line.ptr);
}

static void a_dead_letter_gives_back_the_exact_bytes(void **state)
{
	struct letter_unit *f = *state;
	char bytes[300];
	open_at(f, f->path, NULL);
	for (int c = 0; c < 256; c++) {
		char around[] = {'a', (char)c, 'b'};
		assert_comes_back(f, span_make(around, sizeof around));
		assert_comes_back(f, span_make(around + 1, 1));
	}
	struct random random = random_seed("dead_letter", 1);
	for (size_t len = 0; len < sizeof bytes; len++) {
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)random_next(&random);
		assert_comes_back(f, span_make(bytes, len));
		for (size_t i = 0; i < len;
		     i++) /* text with characters that need escapes */
			bytes[i] = " \"\\/\n\tuf0d{}:,a"[random_below(&random,
								      16)];
		assert_comes_back(f, span_make(bytes, len));
	}
}

static void a_line_that_is_not_a_dead_letter_is_refused_with_a_reason(
	void **state)
{
	struct letter_unit *f = *state;
	const struct {
		struct span line;
		const char *why;
	} cases[] = {
		{SPAN(""), "one JSON object"},
		{SPAN("<190>Nov 21"), "not JSON"},
		{SPAN("[1]"), "one JSON object"},
		{SPAN("{\"raw\":\"a\"}{}"), "one JSON object"},
		{SPAN("{\"raw\":\"a"), "truncated"},
		{SPAN("{\"time\":\"x\"}"), "neither"},
		{SPAN("{\"raw\":1}"), "neither"},
		{SPAN("{\"raw_base64\":\"YQ\"}"), "not base64"},
		{SPAN("{\"raw_base64\":\"*\"}"), "not base64"},
		{SPAN("{\"raw_base64\":\"YQ==\\u0000\"}"), "not base64"},
		{SPAN("{\"raw\":\"a\"}"), NULL},
		{SPAN("{\"raw\":\"\",\"input\":7}"), NULL},
		{SPAN("{\"raw_base64\":\"\"}"), NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct letter letter;
		const char *why = read_line(f, cases[i].line, &letter);
		if (why == NULL && cases[i].why == NULL)
			assert_int_equal(letter.input.len, 0);
		else if (why == NULL || cases[i].why == NULL ||
			 strstr(why, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].line.ptr,
				 why ? why : "taken");
	}
}

/* --- the file */

static void the_first_dead_letter_creates_the_file(void **state)
{
	struct letter_unit *f = *state;
	char path[128];
	struct stat st;
	snprintf(path, sizeof path, "%s/a/b/letters", f->dir);
	open_at(f, path, NULL);
	assert_int_equal(flush(f), SINK_FLUSHED);
	snprintf(path, sizeof path, "%s/a", f->dir);
	assert_int_equal(stat(path, &st), -1);
	assert_true(put(f, SPAN("x")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_true(span_equals(content(f, "a/b/letters"),
				SPAN(HEAD "\"raw\":\"x\"}\n")));
}

static void an_unusable_path_is_refused(void **state)
{
	struct letter_unit *f = *state;
	struct err e = {0};
	char path[128];
	assert_null(
		dead_letter_open(&(struct dead_letter_opts){.path = ""}, &e));
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	snprintf(path, sizeof path, "%s/d/", f->dir);
	assert_null(
		dead_letter_open(&(struct dead_letter_opts){.path = path}, &e));
	assert_non_null(strstr(e.text, path));
	assert_false(dead_letter_try(path, &e));
	assert_false(dead_letter_try(f->dir, &e));
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	assert_true(dead_letter_try(f->path, &e));
	assert_int_equal(access(f->path, F_OK), -1);
}

static void after_reopen_letters_go_to_a_new_file(void **state)
{
	struct letter_unit *f = *state;
	open_at(f, f->path, NULL);
	assert_true(put(f, SPAN("x")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->files_open, 1);
	dead_letter_reopen(f->letters);
	assert_int_equal(stats(f)->files_open, 0);
}

struct noted {
	struct append_note note;
	size_t count;
};

static uint32_t on_note(void *data, const struct append_note *note,
			uint32_t replaced)
{
	struct noted *noted = data;
	assert_int_equal(replaced, 0);
	noted->note = *note;
	return (uint32_t)++noted->count;
}

static const struct append_note *find_none(void *data,
					   const struct append_note *note)
{
	(void)data, (void)note;
	return NULL;
}

static bool may_find_none(void *data)
{
	(void)data;
	return false;
}

static void every_append_is_noted_first(void **state)
{
	struct letter_unit *f = *state;
	struct noted noted = {0};
	const struct append_notes notes = {.data = &noted,
					   .note = on_note,
					   .next = find_none,
					   .may_find = may_find_none};
	struct stat st;
	open_at(f, f->path, &notes);
	assert_true(put(f, SPAN("x")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(noted.count, 1);
	assert_int_equal(noted.note.sink, 7);
	assert_int_equal(noted.note.inode, st.st_ino);
	assert_int_equal(noted.note.offset_bytes, 0);
	assert_int_equal(noted.note.length_bytes, st.st_size);
}

#define TEST(name)                                               \
	cmocka_unit_test_setup_teardown(name, letter_unit_start, \
					letter_unit_stop)

static void a_link_out_of_the_directory_is_not_followed(void **state)
{
	struct letter_unit *f = *state;
	struct err e = {0};
	assert_int_equal(symlink("/dev/null", f->path), 0);
	assert_false(dead_letter_try(f->path, &e));
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	open_at(f, f->path, NULL);
	assert_non_null(strstr(content(f, "log").ptr,
			       "a symbolic link leads out of the output"));
	assert_true(put(f, SPAN("text")));
	flush(f);
	assert_int_equal(stats(f)->lines_written_total, 0);
	assert_int_equal(unlink(f->path), 0);
	f->now_ns += 10 * NS_PER_S;
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->lines_written_total, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_dead_letter_holds_time_input_reason_and_message),
		TEST(bytes_that_are_not_text_are_encoded_in_base64),
		TEST(a_dead_letter_gives_back_the_exact_bytes),
		TEST(a_line_that_is_not_a_dead_letter_is_refused_with_a_reason),
		TEST(the_first_dead_letter_creates_the_file),
		TEST(an_unusable_path_is_refused),
		TEST(a_link_out_of_the_directory_is_not_followed),
		TEST(after_reopen_letters_go_to_a_new_file),
		TEST(every_append_is_noted_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
