/* SPDX-License-Identifier: Apache-2.0 */
/* Each test has a directory of its own, with the dead letters in `letters` and
 * the log in `log`. */
#include "bad_disk.h"
#include "files.h"
#include "random.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "file/dead_letter.h"
#include "journal/append_note.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

static const int64_t T = 1795229400 * NS_PER_S + 123456789;
#define HEAD                                                        \
	"{\"time\":\"2026-11-21T02:50:00.123456789Z\",\"input\":\"" \
	"syslog.0\",\"reason\":\"unparsed\","

struct fixture {
	char dir[TEMP_DIR_BYTES];
	char path[96];
	struct dead_letter *letters;
	int64_t now_ns;
	struct arena *arena;
	struct json_reader *json;
	struct buf text;
};

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct err e;
	char log[96];
	if (!temp_dir_make(f->dir, "/tmp", "dead_letter"))
		return -1;
	snprintf(f->path, sizeof f->path, "%s/letters", f->dir);
	snprintf(log, sizeof log, "%s/log", f->dir);
	f->now_ns = 1000 * NS_PER_S;
	f->arena = arena_new(4096);
	f->json = json_reader_new();
	*state = f;
	return log_open(log, LOG_INFO, &e) ? 0 : -1;
}

static int stop(void **state)
{
	struct fixture *f = *state;
	struct err e;
	dead_letter_close(f->letters);
	json_reader_free(f->json);
	arena_free(f->arena);
	int rc = temp_dir_remove(f->dir);
	buf_fini(&f->text);
	free(f);
	return log_open("/dev/stderr", LOG_OFF, &e) ? rc : -1;
}

static void open_at(struct fixture *f, const char *path,
		    const struct append_notes *notes)
{
	struct err e = {0};
	f->letters = dead_letter_open(path, notes, 7, &e);
	if (f->letters == NULL)
		fail_msg("%s", e.text);
}

static const struct sink_stats *stats(const struct fixture *f)
{
	const struct sink_stats *s = dead_letter_stats(f->letters);
	uint64_t lines = s->lines_written_total + s->lines_queued;
	uint64_t messages = s->messages_written_total + s->messages_queued;
	for (size_t i = 0; i < DROP_REASON_COUNT; i++) {
		lines += s->lines_dropped_total[i];
		messages += s->messages_dropped_total[i];
	}
	assert_int_equal(s->lines_total, lines);
	assert_int_equal(s->messages_total, messages);
	return s;
}

static bool put(struct fixture *f, struct span bytes)
{
	struct message m = {.bytes = bytes, .arrival_ns = T};
	bool taken = dead_letter_put(f->letters, &m, "syslog.0", "unparsed");
	stats(f);
	return taken;
}

static void put_all(struct fixture *f, const char *const *texts)
{
	for (; *texts != NULL; texts++)
		assert_true(put(f, span_of(*texts)));
}

static enum sink_flush flush(struct fixture *f)
{
	enum sink_flush answer = dead_letter_flush(f->letters, f->now_ns);
	stats(f);
	return answer;
}

static struct span content(struct fixture *f, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	wait_for_log();
	if (!file_read(path, &f->text))
		return SPAN("(no file)");
	buf_text(&f->text);
	return buf_span(&f->text);
}

static void assert_content(struct fixture *f, const char *want)
{
	struct span got = content(f, "letters");
	if (!span_equals(got, span_of(want)))
		fail_msg("want: %s\n got: %.*s", want, (int)got.len, got.ptr);
}

static const char *read_line(struct fixture *f, struct span line,
			     struct letter *letter)
{
	arena_reset(f->arena);
	struct record *room = record_new(f->arena, NULL, SPAN(""), 0);
	return dead_letter_read(f->json, line, room, letter);
}

/* --- the line of a dead letter */

static void a_dead_letter_holds_time_input_reason_and_message(void **state)
{
	struct fixture *f = *state;
	open_at(f, f->path, NULL);
	assert_true(put(f, SPAN("<190>Nov 21 02:50:00 nginx: {\"a\":1}")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_content(f, HEAD "\"raw\":\"<190>Nov 21 02:50:00 nginx: "
			       "{\\\"a\\\":1}\"}\n");
	assert_int_equal(stats(f)->messages_written_total, 1);
}

static void bytes_that_are_not_text_are_encoded_in_base64(void **state)
{
	struct fixture *f = *state;
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

static void assert_comes_back(struct fixture *f, struct span bytes)
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
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
	struct fixture *f = *state;
	struct err e = {0};
	char path[128];
	assert_null(dead_letter_open("", NULL, 0, &e));
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
	snprintf(path, sizeof path, "%s/d/", f->dir);
	assert_null(dead_letter_open(path, NULL, 0, &e));
	assert_non_null(strstr(e.text, path));
	assert_false(dead_letter_try(path, &e));
	assert_false(dead_letter_try(f->dir, &e));
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	assert_true(dead_letter_try(f->path, &e));
	assert_int_equal(access(f->path, F_OK), -1);
}

static void dead_letters_wait_in_order_until_their_file_opens(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	assert_non_null(strstr(content(f, "log").ptr, "cannot be written"));
	put_all(f, (const char *const[]){"one", "two", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	dead_letter_committed(f->letters);
	put_all(f, (const char *const[]){"three", NULL});
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->messages_queued, 3);
	assert_int_equal(rmdir(f->path), 0);
	f->now_ns += 60 * NS_PER_S;
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_content(f,
		       HEAD "\"raw\":\"one\"}\n" HEAD "\"raw\":\"two\"}\n" HEAD
			    "\"raw\":\"three\"}\n");
	assert_int_equal(stats(f)->messages_written_total, 3);
	assert_int_equal(stats(f)->messages_queued, 0);
}

static void waiting_dead_letters_are_bounded(void **state)
{
	struct fixture *f = *state;
	static char big[1024 * 1024];
	memset(big, 'x', sizeof big);
	memcpy(big, "s3cret", 6);
	assert_int_equal(mkdir(f->path, 0755), 0);
	open_at(f, f->path, NULL);
	assert_true(put(f, SPAN("first")));
	flush(f);
	uint64_t taken = 1;
	while (put(f, span_make(big, sizeof big)))
		taken++;
	assert_in_range(taken, 7, 8);
	assert_int_equal(stats(f)->messages_queued, taken);
	assert_int_equal(stats(f)->messages_total, taken);
	assert_int_equal(stats(f)->lines_dropped_total[DROP_write_failed], 1);
	assert_true(put(f, SPAN("there is room for a small one")));
	struct span log = content(f, "log");
	assert_non_null(strstr(log.ptr, "mod=dead_letter"));
	assert_null(strstr(log.ptr, "s3cret"));
}

static void a_full_disk_blocks_the_batch_only_for_a_limited_time(void **state)
{
	struct fixture *f = *state;
	open_at(f, f->path, NULL);
	bad_disk_begin(f->path, ENOSPC);
	for (int outage = 0; outage < 2; outage++) {
		assert_int_equal(flush(f), SINK_FLUSHED);
		assert_true(put(f, SPAN("x")));
		assert_int_equal(flush(f), SINK_BLOCKED);
		f->now_ns += DEAD_LETTER_HOLD_S * NS_PER_S - 1;
		assert_int_equal(flush(f), SINK_BLOCKED);
		f->now_ns += 1;
		assert_int_equal(flush(f), SINK_FLUSHED);
		assert_true(put(f, SPAN("y")));
		assert_int_equal(flush(f), SINK_FLUSHED);
		assert_int_equal(stats(f)->messages_queued, 2);
		dead_letter_drop_buffered(f->letters);
		assert_int_equal(stats(f)->messages_queued, 0);
	}
	assert_int_equal(stats(f)->messages_dropped_total[DROP_write_failed],
			 4);
	bad_disk_end();
}

static void after_reopen_letters_go_to_a_new_file(void **state)
{
	struct fixture *f = *state;
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

static void on_note(void *data, const struct append_note *note)
{
	struct noted *noted = data;
	noted->note = *note;
	noted->count++;
}

static const struct append_note *find_none(void *data, uint32_t sink,
					   uint64_t device, uint64_t inode,
					   size_t nth)
{
	(void)data, (void)sink, (void)device, (void)inode, (void)nth;
	return NULL;
}

static bool may_find_none(void *data)
{
	(void)data;
	return false;
}

static void every_append_is_noted_first(void **state)
{
	struct fixture *f = *state;
	struct noted noted = {0};
	const struct append_notes notes = {&noted, on_note, find_none,
					   may_find_none};
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

static void counting_continues_from_the_restored_counters(void **state)
{
	struct fixture *f = *state;
	const struct sink_stats before = {
		.lines_total = 10,
		.lines_written_total = 7,
		.lines_queued = 2,
		.lines_dropped_total[DROP_write_failed] = 1,
		.messages_total = 9,
		.messages_written_total = 7,
		.messages_queued = 2,
		.files_open = 1,
	};
	open_at(f, f->path, NULL);
	dead_letter_restore(f->letters, &before);
	const struct sink_stats *s = stats(f);
	assert_int_equal(s->messages_total, 9);
	assert_int_equal(s->messages_written_total, 7);
	assert_int_equal(s->messages_queued, 0);
	assert_int_equal(s->messages_dropped_total[DROP_write_failed], 2);
	assert_int_equal(s->lines_dropped_total[DROP_write_failed], 3);
	assert_int_equal(s->files_open, 0);
	assert_true(put(f, SPAN("x")));
	assert_int_equal(flush(f), SINK_FLUSHED);
	assert_int_equal(stats(f)->messages_written_total, 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_dead_letter_holds_time_input_reason_and_message),
		TEST(bytes_that_are_not_text_are_encoded_in_base64),
		TEST(a_dead_letter_gives_back_the_exact_bytes),
		TEST(a_line_that_is_not_a_dead_letter_is_refused_with_a_reason),
		TEST(the_first_dead_letter_creates_the_file),
		TEST(an_unusable_path_is_refused),
		TEST(dead_letters_wait_in_order_until_their_file_opens),
		TEST(waiting_dead_letters_are_bounded),
		TEST(a_full_disk_blocks_the_batch_only_for_a_limited_time),
		TEST(after_reopen_letters_go_to_a_new_file),
		TEST(every_append_is_noted_first),
		TEST(counting_continues_from_the_restored_counters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
