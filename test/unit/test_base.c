/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "files.h"

/* --- err */

static void err_set_keeps_the_message_and_means_exit_code_config(void **state)
{
	(void)state;
	struct err e;
	assert_false(err_set(&e, "%s is %d", "it", 7));
	assert_string_equal(e.text, "it is 7");
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
}

static void err_sys_adds_the_errno_text_and_means_a_system_error(void **state)
{
	(void)state;
	struct err e;
	assert_false(err_sys(&e, ENOENT, "open %s", "/x"));
	assert_string_equal(e.text, "open /x: No such file or directory");
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
}

static void err_in_prepends_context_and_keeps_the_exit_code(void **state)
{
	(void)state;
	struct err e;
	err_sys(&e, EACCES, "open");
	assert_false(err_in(&e, "output %s", "app"));
	assert_string_equal(e.text, "output app: open: Permission denied");
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	err_set(&e, "bad");
	assert_false(err_in(&e, "%d", 1));
	assert_string_equal(e.text, "1: bad");
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
}

static void an_error_text_that_is_too_long_is_cut(void **state)
{
	(void)state;
	struct err e;
	char text[2 * sizeof e.text];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&e, "%s", text);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_sys(&e, ENOENT, "%s", text);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	err_in(&e, "in front");
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
	assert_memory_equal(e.text, "in front: xxx", 13);
}

/* --- arena */

static void allocations_are_aligned_and_do_not_overlap(void **state)
{
	(void)state;
	struct arena *a = arena_new(64);
	char *pieces[100];
	for (size_t i = 0; i < 100; i++) {
		pieces[i] = arena_take(a, i);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t),
				 0);
		memset(pieces[i], (int)i, i);
	}
	for (size_t i = 0; i < 100; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(pieces[i][k], (char)i);
	arena_free(a);
}

static void a_reset_arena_holds_the_same_amount_in_one_block(void **state)
{
	(void)state;
	struct arena *a = arena_new(64);
	for (int i = 0; i < 100; i++)
		arena_take(a, 64);
	arena_reset(a);
	char *first = arena_take(a, 64);
	for (int i = 1; i < 100; i++)
		assert_ptr_equal(arena_take(a, 64), first + 64 * i);
	arena_free(a);
}

static void memory_that_is_given_back_is_used_again(void **state)
{
	(void)state;
	struct arena *a = arena_new(64);
	char *kept = arena_take(a, 48);
	assert_int_equal(arena_used_bytes(a), 48);
	char *small = arena_take(a, 16);
	arena_give_back(a, small);
	assert_ptr_equal(arena_take(a, 16), small);
	/* The rest of a block does not count. */
	char *first = arena_take(a, 80);
	arena_take(a, 80);
	arena_take(a, 0);
	arena_take(a, 4096);
	assert_int_equal(arena_used_bytes(a), 64 + 2 * 80 + 4096);
	arena_give_back(a, first);
	assert_int_equal(arena_used_bytes(a), 64);
	assert_ptr_equal(arena_take(a, 80), first);
	arena_give_back(a, small);
	assert_int_equal(arena_used_bytes(a), 48);
	assert_ptr_equal(arena_take(a, 16), small);
	arena_give_back(a, kept);
	assert_int_equal(arena_used_bytes(a), 0);
	arena_take(a, 4096);
	arena_reset(a);
	assert_int_equal(arena_used_bytes(a), 0);
	arena_free(a);
}

static void the_memory_of_a_huge_message_is_released(void **state)
{
	(void)state;
	struct arena *a = arena_new(64);
	char *huge = arena_take(a, 2 * 1024 * 1024);
	memset(huge, 1, 2 * 1024 * 1024);
	arena_reset(a);
	/* The arena starts with a small block again, so the second allocation
	 * does not fit into it. */
	char *first = arena_take(a, 48);
	char *second = arena_take(a, 48);
	assert_ptr_not_equal(second, first + 48);
	arena_reset(a);
	assert_non_null(arena_take(a, 48));
	arena_free(a);
	arena_free(NULL);
}

static void a_copy_belongs_to_the_caller(void **state)
{
	(void)state;
	struct arena *a = arena_new(64);
	char text[] = "text";
	struct span copy = arena_copy(a, span_of(text));
	text[0] = 'n';
	assert_true(span_equals(copy, SPAN("text")));
	assert_int_equal(arena_copy(a, span_make(NULL, 0)).len, 0);
	arena_free(a);
}

/* --- buf */

static void a_buf_grows_and_keeps_its_content(void **state)
{
	(void)state;
	struct buf b = {0};
	assert_int_equal(buf_span(&b).len, 0);
	size_t growths = 0;
	for (int i = 0; i < 100000; i++) {
		size_t cap = b.cap;
		buf_put_char(&b, (char)('a' + i % 26));
		growths += b.cap != cap;
	}
	assert_int_equal(b.len, 100000);
	assert_in_range(growths, 1, 12);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.ptr[i], 'a' + i % 26);
	buf_fini(&b);
	assert_null(b.ptr);
	assert_int_equal(b.cap, 0);
}

static void a_reservation_may_be_larger_than_a_doubling(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_put_text(&b, "ab");
	char *place = buf_reserve(&b, 1000000);
	assert_ptr_equal(place, b.ptr + 2);
	assert_true(b.cap - b.len >= 1000000);
	assert_int_equal(b.len, 2);
	memset(place, 'c', 1000000);
	assert_memory_equal(b.ptr, "ab", 2);
	buf_fini(&b);
}

static void a_cleared_buf_keeps_its_memory(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_put(&b, "0123456789", 10);
	size_t cap = b.cap;
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.cap, cap);
	buf_put(&b, NULL, 0);
	assert_string_equal(buf_text(&b), "");
	buf_fini(&b);
}

static void printing_appends_texts_of_any_length(void **state)
{
	(void)state;
	struct buf b = {0};
	for (size_t len = 250; len < 260;
	     len++) { /* lengths around the initial capacity */
		buf_clear(&b);
		buf_put_text(&b, ">");
		buf_printf(&b, "%0*d", (int)len, 7);
		assert_int_equal(b.len, len + 1);
		assert_int_equal(strlen(buf_text(&b)), len + 1);
		assert_int_equal(b.ptr[len], '7');
	}
	buf_fini(&b);
}

static void the_terminating_nul_is_not_counted(void **state)
{
	(void)state;
	struct buf b = {0};
	while (b.len < 256) /* until the buffer is full to the last byte */
		buf_put_char(&b, 'x');
	assert_int_equal(strlen(buf_text(&b)), 256);
	buf_put_char(&b, 'y');
	assert_int_equal(b.len, 257);
	assert_int_equal(b.ptr[256], 'y');
	buf_fini(&b);
}

/* --- log */

static char log_path[] = "/tmp/test_base.XXXXXX";

static int open_log(void **state)
{
	(void)state;
	struct err e;
	int fd = mkstemp(log_path);
	if (fd < 0)
		return -1;
	close(fd);
	return log_open(log_path, LOG_INFO, &e) ? 0 : -1;
}

static int close_log(void **state)
{
	(void)state;
	return unlink(log_path);
}

/* The log lines since the last call; the caller frees the buffer. */
static struct buf logged(void)
{
	struct buf text = {0};
	wait_for_log();
	FILE *f = fopen(log_path, "r+");
	assert_non_null(f);
	text.len = fread(buf_reserve(&text, 65536), 1, 65536, f);
	buf_text(&text);
	assert_int_equal(ftruncate(fileno(f), 0), 0);
	fclose(f);
	return text;
}

static void assert_logged(const char *pattern_end)
{
	struct buf text = logged();
	const char *head = strstr(text.ptr, "Z level=");
	assert_non_null(head);
	assert_int_equal(head - text.ptr, strlen("2026-11-21T02:50:00.123"));
	assert_string_equal(head + 2, pattern_end);
	buf_fini(&text);
}

static void assert_silent(void)
{
	struct buf text = logged();
	assert_string_equal(text.ptr, "");
	buf_fini(&text);
}

static void a_log_line_has_time_level_and_module(void **state)
{
	(void)state;
	log_line(LOG_WARN, "journal", "size=%d", 5);
	assert_logged("level=warn mod=journal size=5\n");
}

static void a_line_below_the_level_is_not_logged(void **state)
{
	(void)state;
	struct err e;
	log_line(LOG_DEBUG, "m", "no");
	assert_silent();
	assert_true(log_open(log_path, LOG_ERROR, &e));
	assert_false(log_is_on(LOG_WARN));
	log_line(LOG_WARN, "m", "no");
	assert_silent();
	log_line(LOG_ERROR, "m", "yes");
	assert_logged("level=error mod=m yes\n");
	assert_true(log_open(log_path, LOG_OFF, &e));
	assert_false(log_is_on(LOG_OFF));
	log_line(LOG_ERROR, "m", "no");
	assert_silent();
	assert_true(log_open(log_path, LOG_INFO, &e));
}

static void a_long_log_line_is_cut_and_stays_one_line(void **state)
{
	(void)state;
	log_line(LOG_INFO, "m", "%05000d", 1);
	struct buf text = logged();
	assert_in_range(text.len, 1000, 4096);
	assert_ptr_equal(strchr(text.ptr, '\n'), text.ptr + text.len - 1);
	buf_fini(&text);
}

static void if_a_log_cannot_be_opened_the_previous_one_stays_open(void **state)
{
	(void)state;
	struct err e;
	assert_false(log_open("/nowhere/log", LOG_DEBUG, &e));
	assert_int_equal(e.exit_code, EXIT_CODE_SYSTEM);
	assert_non_null(strstr(e.text, "/nowhere/log"));
	log_line(LOG_DEBUG, "m", "no");
	log_line(LOG_INFO, "m", "yes");
	assert_logged("level=info mod=m yes\n");
}

static void repeated_log_lines_are_held_back_and_counted(void **state)
{
	(void)state;
	struct log_rate rate = {0}, other = {0};
	int64_t before_ns = clock_mono_ns();
	log_rated(&rate, LOG_WARN, "m", "n=%d", 1);
	assert_logged("level=warn mod=m n=1\n");
	assert_in_range(rate.next_ns, before_ns + 10 * NS_PER_S,
			clock_mono_ns() + 10 * NS_PER_S);
	/* Now the next line is held back even on a very slow machine. */
	rate.next_ns += 3600 * NS_PER_S;
	log_rated(&rate, LOG_WARN, "m", "n=%d", 2);
	log_rated(&rate, LOG_WARN, "m", "n=%d", 3);
	log_rated(&rate, LOG_DEBUG, "m", "not on: not counted");
	assert_silent();
	log_rated(&other, LOG_WARN, "m", "another place");
	assert_logged("level=warn mod=m another place\n");
	rate.next_ns = 0; /* as if ten seconds had passed */
	log_rated(&rate, LOG_WARN, "m", "n=%d", 4);
	assert_logged("level=warn mod=m n=4 repeated=2\n");
	rate.next_ns = 0;
	log_rated(&rate, LOG_WARN, "m", "n=%d", 5);
	assert_logged("level=warn mod=m n=5\n");
}

static void quoted_text_shows_unprintable_bytes_as_escapes(void **state)
{
	(void)state;
	const struct {
		struct span raw;
		const char *quoted;
	} cases[] = {
		{SPAN(""), "\"\""},
		{SPAN("plain text"), "\"plain text\""},
		{SPAN("a\"b\\c"), "\"a\\\"b\\\\c\""},
		{SPAN("\n\t\0\x1f\x7f"), "\"\\x0a\\x09\\x00\\x1f\\x7f\""},
		{SPAN("\xe3\x81\x82\xff\xe3\x81"),
		 "\"\xe3\x81\x82\\xff\\xe3\\x81\""},
		/* Viewers split or reorder lines at these, too. */
		{SPAN("\xc2\x85|\xc2\x9b|\xe2\x80\xa8|\xe2\x80\xae"),
		 "\"\\u0085|\\u009b|\\u2028|\\u202e\""},
	};
	char room[LOG_QUOTED_BYTES];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(log_quoted(cases[i].raw, room),
				    cases[i].quoted);
}

/* An escape that begins within the 200 bytes may end a little after them. */
static void quoted_text_is_cut_at_200_bytes(void **state)
{
	(void)state;
	static const struct {
		char byte;
		size_t least, most;
	} cases[] = {{'x', 200, 203}, {'"', 200, 203}, {'\n', 200, 206}};
	char raw[1000];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		memset(raw, cases[i].byte, sizeof raw);
		/* The sanitizers notice a byte written past the end of the
		 * room. */
		char *room = malloc(LOG_QUOTED_BYTES);
		assert_non_null(room);
		assert_ptr_equal(log_quoted(span_make(raw, sizeof raw), room),
				 room);
		size_t len = strlen(room);
		assert_in_range(len, cases[i].least, cases[i].most);
		assert_int_equal(room[len - 1], '"');
		free(room);
	}
	char room[LOG_QUOTED_BYTES];
	memset(raw, 'x', 199);
	assert_int_equal(strlen(log_quoted(span_make(raw, 199), room)), 201);
	assert_int_equal(strlen(log_quoted(span_make(raw, 150), room)), 152);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			err_set_keeps_the_message_and_means_exit_code_config),
		cmocka_unit_test(
			err_sys_adds_the_errno_text_and_means_a_system_error),
		cmocka_unit_test(
			err_in_prepends_context_and_keeps_the_exit_code),
		cmocka_unit_test(an_error_text_that_is_too_long_is_cut),
		cmocka_unit_test(allocations_are_aligned_and_do_not_overlap),
		cmocka_unit_test(
			a_reset_arena_holds_the_same_amount_in_one_block),
		cmocka_unit_test(memory_that_is_given_back_is_used_again),
		cmocka_unit_test(the_memory_of_a_huge_message_is_released),
		cmocka_unit_test(a_copy_belongs_to_the_caller),
		cmocka_unit_test(a_buf_grows_and_keeps_its_content),
		cmocka_unit_test(a_reservation_may_be_larger_than_a_doubling),
		cmocka_unit_test(a_cleared_buf_keeps_its_memory),
		cmocka_unit_test(printing_appends_texts_of_any_length),
		cmocka_unit_test(the_terminating_nul_is_not_counted),
		cmocka_unit_test(a_log_line_has_time_level_and_module),
		cmocka_unit_test(a_line_below_the_level_is_not_logged),
		cmocka_unit_test(a_long_log_line_is_cut_and_stays_one_line),
		cmocka_unit_test(
			if_a_log_cannot_be_opened_the_previous_one_stays_open),
		cmocka_unit_test(repeated_log_lines_are_held_back_and_counted),
		cmocka_unit_test(
			quoted_text_shows_unprintable_bytes_as_escapes),
		cmocka_unit_test(quoted_text_is_cut_at_200_bytes),
	};
	return cmocka_run_group_tests(tests, open_log, close_log);
}
