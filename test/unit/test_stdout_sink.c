/* SPDX-License-Identifier: Apache-2.0 */
/* During a flush, standard output is a pipe; afterwards it is restored for
 * cmocka. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "output/kinds.h"
#include "record/json.h"
#include "record/record.h"

#define TIME_NS (INT64_C(1448403340) * NS_PER_S + 500 * NS_PER_MS)

struct fixture {
	struct conf *conf;
	struct sink *sink;
	struct arena *arena;
	struct json_reader *reader;
	struct buf text;
	int pipe[2];
};

static bool open_in(struct fixture *f, const char *keys, struct err *e)
{
	const struct sink_env env = {.conf_dir = "."};
	struct buf text = {0};
	*f = (struct fixture){.arena = arena_new(4096),
			      .reader = json_reader_new()};
	assert_int_equal(pipe(f->pipe), 0);
	buf_printf(&text, "[OUTPUT]\n%s", keys);
	f->conf = conf_read_text("t.conf", text.ptr, text.len, e);
	buf_fini(&text);
	assert_non_null(f->conf);
	struct conf_section *s = conf_section(f->conf, 0);
	conf_declare(s, stdout_sink_ops.keys);
	f->sink = stdout_sink_ops.open(s, &env, e);
	if (f->sink != NULL)
		f->sink->ops = &stdout_sink_ops;
	return f->sink != NULL && conf_section_end(s, e);
}

static void open_with(struct fixture *f, const char *keys)
{
	struct err e;
	assert_true(open_in(f, keys, &e));
}

static void close_all(struct fixture *f)
{
	if (f->sink != NULL)
		f->sink->ops->close(f->sink);
	close(f->pipe[0]);
	close(f->pipe[1]);
	conf_free(f->conf);
	json_reader_free(f->reader);
	arena_free(f->arena);
	buf_fini(&f->text);
}

static void put(struct fixture *f, const char *tag, const char *json)
{
	enum drop_reason reason;
	arena_reset(f->arena);
	struct record *r = record_new(f->arena, NULL, span_of(tag), TIME_NS);
	assert_int_equal(json_read(f->reader, span_of(json), r), JSON_READ);
	assert_true(f->sink->ops->put(f->sink, r, true, &reason));
}

static enum sink_flush flush(struct fixture *f)
{
	fflush(stdout);
	int out = dup(STDOUT_FILENO);
	dup2(f->pipe[1], STDOUT_FILENO);
	enum sink_flush answer = f->sink->ops->flush(f->sink, 1);
	dup2(out, STDOUT_FILENO);
	close(out);
	return answer;
}

/* The content of the pipe. */
static const char *printed(struct fixture *f)
{
	char piece[4096];
	ssize_t n;
	buf_clear(&f->text);
	fcntl(f->pipe[0], F_SETFL, O_NONBLOCK);
	while ((n = read(f->pipe[0], piece, sizeof piece)) > 0)
		buf_put(&f->text, piece, (size_t)n);
	return buf_text(&f->text);
}

static const struct style_case {
	const char *keys;
	const char *text;
} style_cases[] = {
	/* As Fluent Bit 1.8 prints it. */
	{"", "[0] t: [1448403340.500000000, {\"a\"=>\"x\"}]\n"
	     "[1] t: [1448403340.500000000, {\"a\"=>1, \"b\"=>nil}]\n"},
	{"    Format json\n", "[{\"date\":1448403340.5,\"a\":\"x\"},"
			      "{\"date\":1448403340.5,\"a\":1,\"b\":null}]\n"},
	{"    Format json_stream\n    json_date_key off\n",
	 "{\"a\":\"x\"}{\"a\":1,\"b\":null}\n"},
	{"    Format JSON_lines\n    json_date_format iso8601\n",
	 "{\"date\":\"2015-11-24T22:15:40.500000Z\",\"a\":\"x\"}\n"
	 "{\"date\":\"2015-11-24T22:15:40.500000Z\",\"a\":1,\"b\":null}\n"},
	{"    Format json_lines\n    json_date_format java_sql_timestamp\n"
	 "    json_date_key t\n",
	 "{\"t\":\"2015-11-24 22:15:40.500000\",\"a\":\"x\"}\n"
	 "{\"t\":\"2015-11-24 22:15:40.500000\",\"a\":1,\"b\":null}\n"},
	{"    Format json_lines\n    json_date_format epoch\n",
	 "{\"date\":1448403340,\"a\":\"x\"}\n"
	 "{\"date\":1448403340,\"a\":1,\"b\":null}\n"},
	{"    Format json_lines\n    json_date_format epoch_millis\n",
	 "{\"date\":1448403340500,\"a\":\"x\"}\n"
	 "{\"date\":1448403340500,\"a\":1,\"b\":null}\n"},
	{"    Format json_lines\n    json_date_key a\n",
	 "{\"a\":\"x\"}\n{\"a\":1,\"b\":null}\n"},
};

static void records_are_printed_in_each_style(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof style_cases / sizeof *style_cases; i++) {
		struct fixture f;
		open_with(&f, style_cases[i].keys);
		for (int round = 0; round < 2; round++) {
			put(&f, "t", "{\"a\":\"x\"}");
			put(&f, "t", "{\"a\":1,\"b\":null}");
			assert_int_equal(f.sink->stats.messages_queued, 2);
			assert_int_equal(flush(&f), SINK_FLUSHED);
			assert_string_equal(printed(&f), style_cases[i].text);
		}
		assert_int_equal(flush(&f), SINK_FLUSHED);
		assert_string_equal(printed(&f), "");
		assert_int_equal(f.sink->stats.lines_written_total, 4);
		assert_int_equal(f.sink->stats.messages_written_total, 4);
		assert_int_equal(f.sink->stats.lines_queued, 0);
		close_all(&f);
	}
}

static void the_records_of_each_tag_are_numbered(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "");
	put(&f, "t", "{}");
	put(&f, "t", "{}");
	put(&f, "u\n", "{}");
	flush(&f);
	assert_string_equal(printed(&f), "[0] t: [1448403340.500000000, {}]\n"
					 "[1] t: [1448403340.500000000, {}]\n"
					 "[0] u\\n: [1448403340.500000000, "
					 "{}]\n");
	close_all(&f);
}

static void a_full_pipe_blocks_and_later_continues(void **state)
{
	(void)state;
	struct fixture f;
	open_with(&f, "    Format json\n    json_date_key off\n");
	for (int i = 0; i < 20000; i++)
		put(&f, "t", "{\"key\":\"value\"}");
	assert_int_equal(flush(&f), SINK_BLOCKED);
	assert_int_equal(flush(&f), SINK_BLOCKED);
	assert_int_equal(f.sink->stats.lines_queued, 20000);
	size_t bytes = strlen(printed(&f));
	while (flush(&f) == SINK_BLOCKED)
		bytes += strlen(printed(&f));
	const char *end = printed(&f);
	bytes += strlen(end);
	assert_int_equal(bytes, 20000 * strlen("{\"key\":\"value\"},") + 2);
	assert_string_equal(end + strlen(end) - 3, "}]\n");
	assert_int_equal(f.sink->stats.lines_written_total, 20000);
	close_all(&f);
}

static void a_closed_pipe_drops_and_counts(void **state)
{
	(void)state;
	struct fixture f;
	struct err e;
	assert_true(log_open(NULL, LOG_OFF, &e));
	open_with(&f, "");
	put(&f, "t", "{}");
	close(f.pipe[0]);
	assert_int_equal(flush(&f), SINK_FLUSHED);
	assert_int_equal(f.sink->stats.lines_dropped_total[DROP_write_failed],
			 1);
	assert_int_equal(
		f.sink->stats.messages_dropped_total[DROP_write_failed], 1);
	assert_int_equal(f.sink->stats.lines_queued, 0);
	f.pipe[0] = open("/dev/null", O_RDONLY);
	close_all(&f);
}

static void a_mistake_is_reported(void **state)
{
	(void)state;
	static const char *const mistakes[][2] = {
		{"    Format jsno\n", "json"},
		{"    Format json\n    json_date_format iso\n", "iso8601"},
		{"    json_date_kye x\n", "json_date_key"},
	};
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct fixture f;
		struct err e;
		assert_false(open_in(&f, mistakes[i][0], &e));
		if (strstr(e.text, mistakes[i][1]) == NULL)
			fail_msg("no '%s' in: %s", mistakes[i][1], e.text);
		close_all(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_printed_in_each_style),
		cmocka_unit_test(the_records_of_each_tag_are_numbered),
		cmocka_unit_test(a_full_pipe_blocks_and_later_continues),
		cmocka_unit_test(a_closed_pipe_drops_and_counts),
		cmocka_unit_test(a_mistake_is_reported),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
