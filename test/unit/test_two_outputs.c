/* SPDX-License-Identifier: Apache-2.0 */
/* Two outputs that can write one file, and the lines that they have spilled. */
#include "bad_calls.h"
#include "sink_dir.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/spill_owners.h"
#include "output/kinds.h"
#include "output/router.h"
#include "pipeline/outputs.h"
#include "pipeline/pipeline.h"
#include "record/record.h"
#include "setup/plugins.h"

/* The first output takes the name of the file from the tag x.  The second one
 * writes only that file. */
static const char tag_output[] = "[OUTPUT]\n"
				 "    Name file\n"
				 "    Match x\n"
				 "    Path @/out\n"
				 "    Format template\n"
				 "    Template {message}\n";
static const char file_output[] = "[OUTPUT]\n"
				  "    Name file\n"
				  "    Match y\n"
				  "    Path @/out\n"
				  "    File x\n"
				  "    Format template\n"
				  "    Template {message}\n";

enum { OUTPUTS = 2 };

struct fixture {
	struct sink_dir f; /* its sink is not used */
	struct conf *conf;
	struct spill_owners *spill_owners;
	struct router *router;
	struct outputs outputs;
	struct pipeline_totals totals;
	struct sink_stats committed[OUTPUTS];
	uint64_t received; /* messages */
};

static void put_section(struct fixture *o, struct buf *text,
			const char *section)
{
	for (; *section != '\0'; section++)
		if (*section == '@')
			buf_put_text(text, o->f.dir);
		else
			buf_put_char(text, *section);
}

static const struct sink_stats *stats_of(const struct fixture *o, size_t i)
{
	const char *name;
	const struct sink *sink;
	assert_true(router_sink(o->router, i, &name, &sink));
	return &sink->stats;
}

/* received = written + dropped + queued */
static void assert_equation(const struct fixture *o)
{
	uint64_t messages = o->totals.queued;
	for (size_t i = 0; i < OUTPUTS; i++) {
		const struct sink_stats *s = stats_of(o, i);
		assert_stats_add_up(s);
		messages += s->messages_written_total + s->messages_queued +
			    s->messages_dropped_total[DROP_write_failed];
	}
	assert_int_equal(messages, o->received + o->totals.found);
}

static void open_outputs(struct fixture *o, const char *first,
			 const char *second)
{
	static const struct sink_ops *const kinds[] = {&file_sink_ops, NULL};
	o->spill_owners = spill_owners_new();
	const struct sink_env env = {.kinds = kinds,
				     .conf_dir = ".",
				     .spill_dir = o->f.spills,
				     .spill_owners = o->spill_owners,
				     .spill_bytes_max = 1024 * 1024,
				     .has_others = true};
	struct err e;
	struct buf text = {0};
	put_section(o, &text, first);
	put_section(o, &text, second);
	o->conf = conf_read_text("t.conf", text.ptr, text.len, &e);
	assert_non_null(o->conf);
	buf_fini(&text);
	o->router = router_new();
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(o->conf, i)) != NULL; i++)
		assert_true(router_add(o->router, s, &env, &e));
	for (size_t i = 0; i < OUTPUTS; i++)
		router_restore(o->router, i, &o->committed[i]);
	o->outputs =
		(struct outputs){.router = o->router, .totals = &o->totals};
	outputs_settle(&o->outputs);
	assert_equation(o);
}

static void close_outputs(struct fixture *o)
{
	router_free(o->router);
	spill_owners_free(o->spill_owners);
	conf_free(o->conf);
}

static void init(struct fixture *o)
{
	*o = (struct fixture){0};
	sink_dir_init(&o->f);
	sink_dir_use_spills(&o->f, 1024 * 1024);
	assert_int_equal(mkdir(sink_dir_path(&o->f, "out"), 0755), 0);
	assert_int_equal(mkdir(sink_dir_path(&o->f, "out/x"), 0755), 0);
}

static void fini(struct fixture *o)
{
	close_outputs(o);
	sink_dir_fini(&o->f);
}

static void put(struct fixture *o, const char *tag, const char *line)
{
	struct message message = {.reason = DROP_none};
	struct record *r = record_new(o->f.arena, &message, span_of(tag), 1);
	record_add(r, SPAN("message"), value_string(span_of(line)));
	router_put(o->router, r);
	router_end(o->router);
	o->received++;
}

static void flush(struct fixture *o)
{
	sink_dir_wait_s(&o->f, 10);
	assert_int_equal(router_flush(o->router, o->f.now_ns), SINK_FLUSHED);
	outputs_settle(&o->outputs);
	router_committed(o->router);
	assert_equation(o);
	for (size_t i = 0; i < OUTPUTS; i++)
		o->committed[i] = *stats_of(o, i);
}

static void unblock(struct fixture *o)
{
	assert_int_equal(rmdir(sink_dir_path(&o->f, "out/x")), 0);
}

static void an_unchanged_output_keeps_its_spill(void **state)
{
	(void)state;
	for (int is_second = 0; is_second < 2; is_second++) {
		struct fixture o;
		const char *tag = is_second ? "y" : "x";
		init(&o);
		open_outputs(&o, tag_output, file_output);
		put(&o, tag, "1 old");
		flush(&o);
		close_outputs(&o);
		open_outputs(&o, tag_output, file_output);
		put(&o, tag, "2 new");
		flush(&o);
		unblock(&o);
		flush(&o);
		assert_string_equal(sink_dir_content(&o.f, "out/x"),
				    "1 old\n2 new\n");
		fini(&o);
	}
}

/* Its name is file.1 first, and then file.0. */
static void an_unchanged_output_with_another_name_keeps_its_spill(void **state)
{
	(void)state;
	struct fixture o;
	init(&o);
	open_outputs(&o, file_output, tag_output);
	put(&o, "x", "1 old");
	flush(&o);
	close_outputs(&o);
	open_outputs(&o, tag_output, file_output);
	put(&o, "x", "2 new");
	flush(&o);
	unblock(&o);
	flush(&o);
	assert_string_equal(sink_dir_content(&o.f, "out/x"), "1 old\n2 new\n");
	fini(&o);
}

/* Such a spill, like that of a sink without a router, has no id.  The output
 * that writes only its file takes it over. */
static void a_spill_of_an_older_version_is_drained_first(void **state)
{
	(void)state;
	struct fixture o;
	struct err e;
	init(&o);
	assert_true(sink_dir_try_open(&o.f, "    Path @/out\n", false, &e));
	sink_dir_put(&o.f, "x", "1 old");
	assert_int_equal(sink_dir_flush(&o.f), SINK_FLUSHED);
	sink_dir_close(&o.f);
	open_outputs(&o, tag_output, file_output);
	put(&o, "y", "2 new");
	flush(&o);
	unblock(&o);
	flush(&o);
	assert_string_equal(sink_dir_content(&o.f, "out/x"), "1 old\n2 new\n");
	fini(&o);
}

/* --- spills that can be read only later */

static const char all_output[] = "[OUTPUT]\n"
				 "    Name file\n"
				 "    Match_Regex [xz]\n"
				 "    Path @/out\n"
				 "    Format template\n"
				 "    Template {message}\n";
static const char changed_output[] = "[OUTPUT]\n"
				     "    Name file\n"
				     "    Match z\n"
				     "    Path @/out\n"
				     "    Format template\n"
				     "    Template {message}\n";

static void assert_written_once(const struct fixture *o, uint64_t lines)
{
	uint64_t written = 0, dropped = 0, queued = 0;
	for (size_t i = 0; i < OUTPUTS; i++) {
		const struct sink_stats *s = stats_of(o, i);
		written += s->lines_written_total;
		dropped += s->lines_dropped_total[DROP_write_failed];
		queued += s->lines_queued;
	}
	assert_int_equal(written, lines);
	assert_int_equal(dropped, 0);
	assert_int_equal(queued, 0);
	assert_int_equal(o->totals.found, 0);
}

/* The first output has spilled lines for two files.  Then it changes, and the
 * second output takes over one of the spills.  `count` reads of spills fail. */
static void move_spill_with_bad_reads(struct fixture *o, unsigned count)
{
	init(o);
	assert_int_equal(mkdir(sink_dir_path(&o->f, "out/z"), 0755), 0);
	open_outputs(o, all_output, file_output);
	put(o, "x", "1");
	put(o, "z", "2");
	flush(o);
	close_outputs(o);
	bad_calls_begin(BAD_PREAD, ".spill", EIO, count);
	open_outputs(o, changed_output, file_output);
	assert_int_equal(bad_calls_end(), count);
}

/* Reads 1 and 2 are of the first output, 3 and 4 of the second one. */
static void lines_of_a_spill_that_is_moved_late_count_once(void **state)
{
	(void)state;
	for (unsigned count = 0; count <= 4; count++) {
		struct fixture o;
		move_spill_with_bad_reads(&o, count);
		flush(&o);
		unblock(&o);
		assert_int_equal(rmdir(sink_dir_path(&o.f, "out/z")), 0);
		flush(&o);
		flush(&o);
		assert_string_equal(sink_dir_content(&o.f, "out/x"), "1\n");
		assert_string_equal(sink_dir_content(&o.f, "out/z"), "2\n");
		assert_written_once(&o, 2);
		fini(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unchanged_output_keeps_its_spill),
		cmocka_unit_test(
			an_unchanged_output_with_another_name_keeps_its_spill),
		cmocka_unit_test(a_spill_of_an_older_version_is_drained_first),
		cmocka_unit_test(
			lines_of_a_spill_that_is_moved_late_count_once),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
