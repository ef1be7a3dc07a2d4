/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_sink.h"
#include "unit.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "output/kinds.h"
#include "output/router.h"
#include "record/record.h"

/* The router opens fake sinks in the place of the file sink. */
static const struct sink_ops fake_file_ops = FAKE_SINK_OPS("file");

static const struct sink_ops *const kinds[] = {&fake_file_ops, &null_sink_ops,
					       NULL};

/* --- a router from a configuration */

struct fixture {
	struct conf *conf;
	struct router *router;
	struct arena *arena;
	struct message message;
	bool is_only_route;
};

static bool open_with(struct fixture *f, const char *text, struct err *e)
{
	const struct sink_env env = {.kinds = kinds,
				     .conf_dir = ".",
				     .is_only_route = f->is_only_route};
	*f = (struct fixture){.router = router_new(),
			      .arena = arena_new(4096),
			      .message.reason = DROP_none};
	f->conf = conf_read_text("t.conf", text, strlen(text), e);
	assert_non_null(f->conf);
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(f->conf, i)) != NULL; i++)
		if (!router_add(f->router, s, &env, e))
			return false;
	return true;
}

static void close_all(struct fixture *f)
{
	router_free(f->router);
	conf_free(f->conf);
	arena_free(f->arena);
}

static void put(struct fixture *f, const char *tag)
{
	router_put(f->router,
		   record_new(f->arena, &f->message, span_of(tag), 1));
}

static const struct sink *sink_at(const struct fixture *f, size_t index)
{
	const char *name;
	const struct sink *sink;
	assert_true(router_sink(f->router, index, &name, &sink));
	return sink;
}

static const struct fake_sink *fake_at(const struct fixture *f, size_t index)
{
	return (const struct fake_sink *)sink_at(f, index);
}

static void every_output_that_matches_gets_the_record(void **state)
{
	(void)state;
	struct err e;
	struct fixture f = {0};
	assert_true(open_with(&f,
			      "[OUTPUT]\n    Name file\n    Match *\n"
			      "[OUTPUT]\n    Name FILE\n    Match a.*\n"
			      "[OUTPUT]\n    name File\n    match b\n",
			      &e));
	put(&f, "a.x");
	put(&f, "b");
	put(&f, "b.x");
	put(&f, "");
	router_end(f.router);
	assert_int_equal(sink_at(&f, 0)->stats.lines_total, 4);
	assert_int_equal(sink_at(&f, 1)->stats.lines_total, 1);
	assert_int_equal(sink_at(&f, 2)->stats.lines_total, 1);
	close_all(&f);
}

static void a_match_regex_selects_tags(void **state)
{
	(void)state;
	struct err e;
	struct fixture f = {0};
	assert_true(open_with(
		&f,
		"[OUTPUT]\n    Name file\n    Match_Regex ^a\\.[0-9]+\n"
		"[OUTPUT]\n    Name file\n    Match b\n    Match_Regex a\n",
		&e));
	put(&f, "a.1x");
	put(&f, "a.x");
	put(&f, "b");
	router_end(f.router);
	assert_int_equal(sink_at(&f, 0)->stats.lines_total, 1);
	assert_int_equal(sink_at(&f, 1)->stats.lines_total, 3);
	close_all(&f);
}

static void without_match_a_single_route_gets_all_records(void **state)
{
	(void)state;
	for (int is_only = 0; is_only < 2; is_only++) {
		struct err e;
		struct fixture f = {0};
		f.is_only_route = is_only == 1;
		assert_true(open_with(&f, "[OUTPUT]\n    Name file\n", &e));
		put(&f, "a");
		router_end(f.router);
		assert_int_equal(sink_at(&f, 0)->stats.lines_total, is_only);
		assert_int_equal(f.message.is_answered, is_only);
		close_all(&f);
	}
}

#define FILE_OUTPUT(match) "[OUTPUT]\n Name file\n Match " match "\n"
#define REFUSES(match) FILE_OUTPUT(match) " Refuses on\n"
#define NULL_OUTPUT(match) "[OUTPUT]\n Name null\n Match " match "\n"

/* Two records of one message, first with tag a, then with tag b. */
static void one_sink_counts_the_message_unless_a_record_is_lost(void **state)
{
	(void)state;
	enum { NOBODY = -1 };
	static const struct {
		const char *conf;
		int counts; /* the index of the sink that counts it */
		enum drop_reason reason;
	} cases[] = {
		{FILE_OUTPUT("*") FILE_OUTPUT("*"), 0, DROP_none},
		{FILE_OUTPUT("b") FILE_OUTPUT("a"), 1, DROP_none},
		{NULL_OUTPUT("a") FILE_OUTPUT("b"), 1, DROP_none},
		/* null has no spills: nothing can go wrong there any more */
		{NULL_OUTPUT("*") FILE_OUTPUT("*"), 1, DROP_none},
		{FILE_OUTPUT("*") NULL_OUTPUT("*"), 0, DROP_none},
		{FILE_OUTPUT("a") NULL_OUTPUT("b"), 0, DROP_none},
		{NULL_OUTPUT("*"), 0, DROP_none},
		/* configured like that */
		{FILE_OUTPUT("a"), 0, DROP_unrouted},
		{FILE_OUTPUT("b"), 0, DROP_unrouted},
		{FILE_OUTPUT("a.*"), NOBODY, DROP_unrouted},
		/* lost first, last, and in both */
		{REFUSES("*") FILE_OUTPUT("*"), NOBODY, DROP_path_refused},
		{FILE_OUTPUT("*") REFUSES("*"), NOBODY, DROP_path_refused},
		{REFUSES("a") FILE_OUTPUT("b"), NOBODY, DROP_path_refused},
		{FILE_OUTPUT("a") REFUSES("b"), NOBODY, DROP_path_refused},
		{NULL_OUTPUT("*") REFUSES("b"), NOBODY, DROP_path_refused},
		{REFUSES("b") NULL_OUTPUT("*"), NOBODY, DROP_path_refused},
		{REFUSES("a"), NOBODY, DROP_path_refused},
		{REFUSES("b"), NOBODY, DROP_path_refused},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e;
		struct fixture f = {0};
		assert_true(open_with(&f, cases[i].conf, &e));
		put(&f, "a");
		put(&f, "b");
		router_end(f.router);
		const char *name;
		const struct sink *sink;
		int counts = NOBODY;
		uint64_t messages = 0;
		for (int n = 0; router_sink(f.router, (size_t)n, &name, &sink);
		     n++) {
			if (sink->stats.messages_total > 0)
				counts = n;
			messages += sink->stats.messages_total;
		}
		if (counts != cases[i].counts ||
		    messages != (counts != NOBODY) ||
		    f.message.is_answered != (counts != NOBODY) ||
		    f.message.reason != cases[i].reason)
			fail_msg("sink %d, reason %d: %s", counts,
				 (int)f.message.reason, cases[i].conf);
		close_all(&f);
	}
}

static void a_message_with_an_undecided_record_is_not_counted(void **state)
{
	(void)state;
	struct err e;
	struct fixture f = {0};
	assert_true(open_with(&f, FILE_OUTPUT("*"), &e));
	put(&f, "a");
	message_lose(&f.message, DROP_undecided);
	put(&f, "b");
	router_end(f.router);
	assert_int_equal(sink_at(&f, 0)->stats.lines_total, 2);
	assert_int_equal(sink_at(&f, 0)->stats.messages_total, 0);
	assert_false(f.message.is_answered);
	close_all(&f);
}

/* The line that counts is put last. */
static void the_first_line_counts_unless_a_file_would_lose_its_order(
	void **state)
{
	(void)state;
	static const struct {
		const char *conf, *second_tag;
		bool first_counts;
	} cases[] = {
		{FILE_OUTPUT("*") " File_Per_Tag on\n", "b", true},
		{FILE_OUTPUT("*") " File_Per_Tag on\n", "a", false},
		{FILE_OUTPUT("*"), "b", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e;
		struct fixture f = {0};
		assert_true(open_with(&f, cases[i].conf, &e));
		struct record *first =
			record_new(f.arena, &f.message, SPAN("a"), 1);
		struct record *second = record_new(
			f.arena, &f.message, span_of(cases[i].second_tag), 1);
		router_put(f.router, first);
		router_put(f.router, second);
		router_end(f.router);
		assert_ptr_equal(fake_at(&f, 0)->last,
				 cases[i].first_counts ? first : second);
		assert_int_equal(sink_at(&f, 0)->stats.lines_total, 2);
		assert_int_equal(sink_at(&f, 0)->stats.messages_total, 1);
		close_all(&f);
	}
}

static void an_unrouted_record_over_the_limit_is_a_loss(void **state)
{
	(void)state;
	struct err e;
	struct fixture f = {0};
	assert_true(open_with(&f, FILE_OUTPUT("a"), &e));
	struct record *r = record_new(f.arena, &f.message, SPAN("b"), 1);
	r->is_over_limit = true;
	router_put(f.router, r);
	put(&f, "a");
	router_end(f.router);
	assert_false(f.message.is_answered);
	assert_int_equal(f.message.reason, DROP_rewrite_loop);
	close_all(&f);
}

static void one_blocked_sink_blocks_and_the_others_are_flushed(void **state)
{
	(void)state;
	struct err e;
	struct fixture f = {0};
	assert_true(open_with(
		&f,
		"[OUTPUT]\n    Name file\n    Match *\n    Blocks on\n"
		"[OUTPUT]\n    Name file\n    Match *\n",
		&e));
	assert_int_equal(router_flush(f.router, 1), SINK_BLOCKED);
	assert_int_equal(fake_at(&f, 1)->flushed, 1);
	router_drop_buffered(f.router);
	router_reopen(f.router);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fake_at(&f, i)->dropped, 1);
		assert_int_equal(fake_at(&f, i)->reopened, 1);
	}
	close_all(&f);
}

static void sinks_are_named_by_kind_and_number_or_alias(void **state)
{
	(void)state;
	static const char *const names[] = {"file.0", "errors", "null.2",
					    "file.3"};
	struct err e;
	struct fixture f = {0};
	assert_true(open_with(
		&f,
		"[OUTPUT]\n    Name file\n    Match *\n"
		"[OUTPUT]\n    Name file\n    Match *\n    Alias errors\n"
		"[OUTPUT]\n    Name null\n    Match *\n"
		"[OUTPUT]\n    Name file\n    Match *\n    Alias errors\n",
		&e)); /* the name is taken */
	const char *name;
	const struct sink *sink;
	for (size_t i = 0; i < 4; i++) {
		assert_true(router_sink(f.router, i, &name, &sink));
		assert_string_equal(name, names[i]);
		assert_ptr_equal(sink->ops,
				 i == 2 ? &null_sink_ops : &fake_file_ops);
	}
	assert_false(router_sink(f.router, 4, &name, &sink));
	close_all(&f);
}

static void an_output_keeps_its_id_when_others_change(void **state)
{
	(void)state;
	static const char before[] =
		"[OUTPUT]\n    Name file\n    Match a\n"
		"[OUTPUT]\n    Name file\n    Match b\n"
		"[OUTPUT]\n    Name file\n    Match b\n    Alias second\n";
	static const char after[] =
		"[OUTPUT]\n    Name file\n    Alias b\n    Match b\n"
		"[OUTPUT]\n    Name file\n    Match new\n"
		"[OUTPUT]\n    Name file\n    Match b\n"
		"[OUTPUT]\n    Name file\n    Match a\n";
	struct err e;
	struct fixture f[2] = {0};
	assert_true(open_with(&f[0], before, &e));
	assert_true(open_with(&f[1], after, &e));
	uint32_t a = fake_at(&f[0], 0)->id, b = fake_at(&f[0], 1)->id,
		 second = fake_at(&f[0], 2)->id;
	assert_true(a >= SINK_ID_FIRST && a != b && b != second);
	assert_int_equal(fake_at(&f[1], 0)->id, b);
	assert_int_not_equal(fake_at(&f[1], 1)->id, a);
	assert_int_equal(fake_at(&f[1], 2)->id, second);
	assert_int_equal(fake_at(&f[1], 3)->id, a);
	close_all(&f[0]);
	close_all(&f[1]);
}

static const struct mistake {
	const char *text;
	const char *message[3];
} mistakes[] = {
	{"[OUTPUT]\n    Match *\n", {"t.conf:1", "Name file"}},
	{"[OUTPUT]\n    Name fil\n    Match *\n", {"t.conf:2", "\"file\""}},
	{"[OUTPUT]\n    Name elasticsearch\n    Match *\n",
	 {"t.conf:2", "elasticsearch", "known: file"}},
	{"[OUTPUT]\n    Nmae file\n    Match *\n", {"t.conf:2", "\"Name\""}},
	{"[OUTPUT]\n    Name file\n    Macth *\n", {"t.conf:3", "\"Match\""}},
	{"[OUTPUT]\n    Name file\n    Match *\n    Alias file.1\n"
	 "[OUTPUT]\n    Name file\n    Match *\n",
	 {"t.conf:5", "another output is called \"file.1\"", "Alias"}},
	{"[OUTPUT]\n    Name file\n    Match *\n    Refuse on\n",
	 {"t.conf:4", "Refuses"}},
	{"[OUTPUT]\n    Name file\n    Match *\n    Fails on\n", {"as asked"}},
};

static void a_mistake_is_reported_with_place_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		struct err e = {0};
		struct fixture f = {0};
		assert_false(open_with(&f, mistakes[i].text, &e));
		for (size_t j = 0; j < 3 && mistakes[i].message[j]; j++)
			if (strstr(e.text, mistakes[i].message[j]) == NULL)
				fail_msg("no '%s' in: %s",
					 mistakes[i].message[j], e.text);
		close_all(&f);
	}
}

static void ignored_keys_of_fluent_bit_change_nothing(void **state)
{
	(void)state;
	struct err e;
	struct fixture f = {0};
	assert_true(open_with(&f,
			      "[OUTPUT]\n    Name file\n    Match *\n"
			      "    Workers 1\n    Retry_Limit no_limits\n"
			      "    storage.total_limit_size 1G\n"
			      "    net.keepalive off\n    tls.verify on\n"
			      "    log_suppress_interval 10\n",
			      &e));
	put(&f, "a");
	router_end(f.router);
	assert_int_equal(sink_at(&f, 0)->stats.lines_total, 1);
	close_all(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_output_that_matches_gets_the_record),
		cmocka_unit_test(a_match_regex_selects_tags),
		cmocka_unit_test(
			the_first_line_counts_unless_a_file_would_lose_its_order),
		cmocka_unit_test(without_match_a_single_route_gets_all_records),
		cmocka_unit_test(
			one_sink_counts_the_message_unless_a_record_is_lost),
		cmocka_unit_test(
			a_message_with_an_undecided_record_is_not_counted),
		cmocka_unit_test(an_unrouted_record_over_the_limit_is_a_loss),
		cmocka_unit_test(
			one_blocked_sink_blocks_and_the_others_are_flushed),
		cmocka_unit_test(sinks_are_named_by_kind_and_number_or_alias),
		cmocka_unit_test(an_output_keeps_its_id_when_others_change),
		cmocka_unit_test(a_mistake_is_reported_with_place_and_remedy),
		cmocka_unit_test(ignored_keys_of_fluent_bit_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
