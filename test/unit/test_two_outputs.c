/* SPDX-License-Identifier: Apache-2.0 */
/* Two outputs that can write one file, and the lines that they have spilled. */
#include "sink_dir.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/kinds.h"
#include "output/router.h"
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

struct outputs {
	struct sink_dir f; /* its sink is not used */
	struct conf *conf;
	struct router *router;
};

static void put_section(struct outputs *o, struct buf *text,
			const char *section)
{
	for (; *section != '\0'; section++)
		if (*section == '@')
			buf_put_text(text, o->f.dir);
		else
			buf_put_char(text, *section);
}

static void open_outputs(struct outputs *o, const char *first,
			 const char *second)
{
	static const struct sink_ops *const kinds[] = {&file_sink_ops, NULL};
	const struct sink_env env = {.kinds = kinds,
				     .conf_dir = ".",
				     .spill_dir = o->f.spills,
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
}

static void close_outputs(struct outputs *o)
{
	router_free(o->router);
	conf_free(o->conf);
}

static void init(struct outputs *o)
{
	*o = (struct outputs){0};
	sink_dir_init(&o->f);
	sink_dir_use_spills(&o->f, 1024 * 1024);
	assert_int_equal(mkdir(sink_dir_path(&o->f, "out"), 0755), 0);
	assert_int_equal(mkdir(sink_dir_path(&o->f, "out/x"), 0755), 0);
}

static void fini(struct outputs *o)
{
	close_outputs(o);
	sink_dir_fini(&o->f);
}

static void put(struct outputs *o, const char *tag, const char *line)
{
	struct message message = {.reason = DROP_none};
	struct record *r = record_new(o->f.arena, &message, span_of(tag), 1);
	record_add(r, SPAN("message"), value_string(span_of(line)));
	router_put(o->router, r);
	router_end(o->router);
}

static void flush(struct outputs *o)
{
	sink_dir_wait_s(&o->f, 10);
	assert_int_equal(router_flush(o->router, o->f.now_ns), SINK_FLUSHED);
	router_committed(o->router);
}

static void unblock(struct outputs *o)
{
	assert_int_equal(rmdir(sink_dir_path(&o->f, "out/x")), 0);
}

static void an_unchanged_output_keeps_its_spill(void **state)
{
	(void)state;
	for (int is_second = 0; is_second < 2; is_second++) {
		struct outputs o;
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
	struct outputs o;
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
	struct outputs o;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unchanged_output_keeps_its_spill),
		cmocka_unit_test(
			an_unchanged_output_with_another_name_keeps_its_spill),
		cmocka_unit_test(a_spill_of_an_older_version_is_drained_first),
	};
	return cmocka_run_group_tests(tests, turn_log_off, NULL);
}
