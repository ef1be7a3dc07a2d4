/* SPDX-License-Identifier: Apache-2.0 */
#include "output/line_limit.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "files.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "output/router.h"
#include "record/record.h"
#include "setup/plugins.h"
#include "sink_dir.h"
#include "unit.h"

enum { QUARTER = MESSAGE_LINES_BYTES_MAX / 4, OUTPUTS = 2 };

/* --- the buffer */

static void a_buffer_over_its_limit_does_not_grow(void **state)
{
	(void)state;
	struct buf b = {0};
	buf_put_text(&b, "abc");
	buf_limit(&b, 1000);
	for (int i = 0; i < 997; i++)
		buf_put_char(&b, 'x');
	assert_false(buf_is_over(&b));
	for (int i = 0; i < 100000; i++)
		buf_put_text(&b, "x");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "%d", i);
	assert_true(buf_is_over(&b));
	assert_true(b.cap <= 2048);
	assert_memory_equal(b.ptr, "abcxxx", 6);
	buf_limit(&b, 0);
	assert_false(buf_is_over(&b));
	buf_fini(&b);
}

/* Each number has 308 bytes and takes 8 us. */
static void a_rendering_of_large_numbers_ends_at_the_limit(void **state)
{
	(void)state;
	enum { NUMBERS = 10000, LIMIT = 100000 };
	struct buf b = {0};
	struct value *items = mem_new(NUMBERS, sizeof *items);
	for (size_t i = 0; i < NUMBERS; i++)
		items[i] = value_float(1e300);
	const struct value array = {
		.type = VALUE_ARRAY, .count = NUMBERS, .items = items};
	buf_limit(&b, LIMIT);
	format_put_value(&b, &array, FORMAT_LINE);
	assert_true(buf_is_over(&b));
	assert_true(b.cap <= 2 * LIMIT);
	buf_fini(&b);
	free(items);
}

/* --- two outputs, to the files a and b */

struct fixture {
	char dir[TEMP_DIR_BYTES];
	struct conf *conf;
	struct router *router;
	struct arena *arena;
	struct message message;
	char *bytes; /* for values */
};

static int make(void **state)
{
	static const char section[] =
		"[OUTPUT]\n    Name file\n    Match *\n    Path %s\n"
		"    File %s\n    Format template\n    Template {m}\n";
	static const struct sink_ops *const kinds[] = {&file_sink_ops, NULL};
	const struct sink_env env = {.kinds = kinds, .conf_dir = "."};
	struct fixture *f = mem_new(1, sizeof *f);
	struct buf text = {0};
	struct err e;
	assert_true(temp_dir_make(f->dir, "/tmp", "line_limit"));
	for (size_t i = 0; i < OUTPUTS; i++)
		buf_printf(&text, section, f->dir, i == 0 ? "a" : "b");
	f->conf = conf_read_text("t.conf", text.ptr, text.len, &e);
	buf_fini(&text);
	f->router = router_new();
	for (size_t i = 0; i < OUTPUTS; i++)
		assert_true(router_add(f->router, conf_section(f->conf, i),
				       &env, &e));
	f->arena = arena_new(4096);
	f->bytes = mem_new(MESSAGE_LINES_BYTES_MAX, 1);
	memset(f->bytes, 'x', MESSAGE_LINES_BYTES_MAX);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;
	router_free(f->router);
	conf_free(f->conf);
	arena_free(f->arena);
	assert_int_equal(temp_dir_remove(f->dir), 0);
	free(f->bytes);
	free(f);
	return 0;
}

static void begin_message(struct fixture *f)
{
	f->message = (struct message){.reason = DROP_none};
}

/* A record whose line has that many bytes, in each output. */
static void put(struct fixture *f, size_t line_bytes)
{
	struct record *r = record_new(f->arena, &f->message, SPAN("tag"), 1);
	record_add(r, SPAN("m"),
		   value_string(span_make(f->bytes, line_bytes - 1)));
	router_put(f->router, r);
}

static const struct sink *sink_at(const struct fixture *f, size_t index)
{
	const char *name;
	const struct sink *sink;
	assert_true(router_sink(f->router, index, &name, &sink));
	assert_sink_adds_up(sink);
	return sink;
}

/* Write, and compare the number of lines and bytes of both files. */
static void assert_written(struct fixture *f, uint64_t lines, uint64_t bytes)
{
	uint64_t all_lines = 0, all_bytes = 0;
	assert_int_equal(router_flush(f->router, START_NS), SINK_FLUSHED);
	router_committed(f->router);
	for (size_t i = 0; i < OUTPUTS; i++) {
		all_lines += sink_at(f, i)->stats.lines_written_total;
		all_bytes += sink_at(f, i)->stats.bytes_written_total;
	}
	assert_int_equal(all_lines, lines);
	assert_int_equal(all_bytes, bytes);
}

static uint64_t refused(const struct fixture *f)
{
	uint64_t lines = 0;
	for (size_t i = 0; i < OUTPUTS; i++)
		lines += sink_at(f, i)
				 ->stats.lines_dropped_total[DROP_too_large];
	return lines;
}

static void lines_up_to_the_limit_are_written(void **state)
{
	struct fixture *f = *state;
	begin_message(f);
	put(f, QUARTER);
	put(f, QUARTER);
	router_end(f->router);
	assert_true(f->message.is_answered);
	assert_int_equal(f->message.reason, DROP_none);
	assert_int_equal(refused(f), 0);
	assert_written(f, 4, MESSAGE_LINES_BYTES_MAX);
}

/* The second record is one byte longer, so its line fits only once.  The line
 * that the router holds back to the end is the first one. */
static void the_line_that_exceeds_the_limit_is_refused(void **state)
{
	struct fixture *f = *state;
	begin_message(f);
	put(f, QUARTER);
	put(f, QUARTER + 1);
	router_end(f->router);
	assert_false(f->message.is_answered);
	assert_int_equal(f->message.reason, DROP_too_large);
	assert_true(message_has_loss(&f->message));
	assert_int_equal(refused(f), 1);
	assert_written(f, 3, 3 * QUARTER + 1);
}

/* A shorter line must not fill the gap: a sender could make any number of
 * lines that are rendered in vain. */
static void later_lines_are_refused_too(void **state)
{
	struct fixture *f = *state;
	begin_message(f);
	put(f, 10);
	put(f, MESSAGE_LINES_BYTES_MAX - 30);
	put(f, 10);
	router_end(f->router);
	assert_int_equal(f->message.reason, DROP_too_large);
	assert_true(refused(f) >= 3);
	assert_int_equal(sink_at(f, 0)->stats.lines_total +
				 sink_at(f, 1)->stats.lines_total,
			 6);
	assert_written(f, 6 - refused(f),
		       sink_at(f, 0)->batch_bytes + sink_at(f, 1)->batch_bytes);
}

static void the_next_message_has_the_whole_limit(void **state)
{
	struct fixture *f = *state;
	begin_message(f);
	put(f, MESSAGE_LINES_BYTES_MAX);
	router_end(f->router);
	assert_int_equal(f->message.reason, DROP_too_large);
	begin_message(f);
	put(f, 2 * QUARTER);
	router_end(f->router);
	assert_true(f->message.is_answered);
	assert_int_equal(f->message.reason, DROP_none);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_over_its_limit_does_not_grow),
		cmocka_unit_test(
			a_rendering_of_large_numbers_ends_at_the_limit),
		TEST(lines_up_to_the_limit_are_written),
		TEST(the_line_that_exceeds_the_limit_is_refused),
		TEST(later_lines_are_refused_too),
		TEST(the_next_message_has_the_whole_limit),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
