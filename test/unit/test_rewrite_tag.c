/* SPDX-License-Identifier: Apache-2.0 */
#include "filter_unit.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "conf/conf.h"
#include "filter/chain.h"
#include "filter/kinds.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

struct fixture {
	struct conf *conf;
	struct chain *chain;
	struct arena *arena;
	struct json_reader *reader;
	struct message *message; /* of the records; NULL in most tests */
	struct buf tags;	 /* of the output, one a line */
	struct record *outs[CHAIN_RUN_RESTARTS_MAX + 1];
	size_t out_count;
};

static bool open_with(struct fixture *f, const char *conf, struct err *e)
{
	static const struct filter_env env = {.conf_dir = "."};
	*f = (struct fixture){
		.chain = chain_new(),
		.arena = arena_new(16384),
		.reader = json_reader_new(),
	};
	f->conf = conf_read_text("t.conf", conf, strlen(conf), e);
	if (f->conf == NULL)
		fail_msg("%s", e->text);
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(f->conf, i)) != NULL; i++)
		if (!chain_add(f->chain, s, &env, e))
			return false;
	return true;
}

static void open_chain(struct fixture *f, const char *conf)
{
	struct err e = {0};
	if (!open_with(f, conf, &e))
		fail_msg("%s", e.text);
}

static void fini(struct fixture *f)
{
	chain_free(f->chain);
	conf_free(f->conf);
	arena_free(f->arena);
	json_reader_free(f->reader);
	buf_fini(&f->tags);
}

static void on_out(void *data, struct record *r)
{
	struct fixture *f = data;
	buf_put_span(&f->tags, r->tag);
	buf_put_char(&f->tags, '\n');
	assert_true(f->out_count < sizeof f->outs / sizeof f->outs[0]);
	f->outs[f->out_count++] = r;
}

/* The tags of the records that come out, in order. */
static const char *run(struct fixture *f, const char *tag, const char *json)
{
	struct record *r = record_new(f->arena, f->message, span_of(tag), 1);
	assert_int_equal(json_read(f->reader, span_of(json), r), JSON_READ);
	buf_clear(&f->tags);
	f->out_count = 0;
	chain_run(f->chain, r, on_out, f);
	return buf_text(&f->tags);
}

static const struct filter_stats *stats(const struct fixture *f)
{
	const char *name;
	const struct filter *filter;
	assert_true(chain_filter(f->chain, 0, &name, &filter));
	return &filter->stats;
}

static uint64_t failures(const struct fixture *f, const char *reason)
{
	const char *const *reasons = filter_rewrite_tag.failures;
	for (size_t i = 0; reasons[i] != NULL; i++)
		if (strcmp(reasons[i], reason) == 0)
			return stats(f)->failures[i];
	fail_msg("no such reason: %s", reason);
	return 0;
}

#define HEAD "[FILTER]\n Name rewrite_tag\n Match "
#define KUBE HEAD "kube.*\n"
#define ALL HEAD "*\n"

struct tag_case {
	const char *conf, *json, *tags;
};

static void check(const struct tag_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct fixture f;
		open_chain(&f, cases[i].conf);
		const char *tags = run(&f, "kube.*", cases[i].json);
		if (strcmp(tags, cases[i].tags) != 0)
			fail_msg("%s%s: %s", cases[i].conf, cases[i].json,
				 tags);
		fini(&f);
	}
}

static void a_record_that_matches_gets_the_new_tag(void **state)
{
	(void)state;
	static const struct tag_case cases[] = {
		{KUBE " Rule $key ^(rewrite)$ updated false\n",
		 "{\"key\":\"rewrite\"}", "updated\n"},
		{KUBE " Rule $key ^(rewrite)$ updated false\n",
		 "{\"key\":\"other\"}", "kube.*\n"},
		{KUBE " Rule $key ^(rewrite)$ updated true\n",
		 "{\"key\":\"rewrite\"}", "updated\nkube.*\n"},
		{HEAD "other\n Rule $key ^ updated false\n",
		 "{\"key\":\"rewrite\"}", "kube.*\n"},
		{KUBE " Rule $a ^1$ one false\n Rule $a ^2$ two false\n"
		      " Rule $a . three false\n",
		 "{\"a\":\"2\"}", "two\n"},
		{KUBE " Rule vhost ^(.*)$ /log/$log_file_path true\n",
		 "{\"vhost\":\"ex.com\",\"log_file_path\":\"2026-1120/a.log\"}",
		 "/log/2026-1120/a.log\nkube.*\n"},
		{KUBE " Rule a ^v(.)$ $1 false\n", "{\"a\":\"v1\"}", "1\n"},
		{KUBE " Rule $m['k'] ^x$ nested false\n",
		 "{\"m\":{\"k\":\"x\"}}", "nested\n"},
	};
	check(cases, sizeof cases / sizeof cases[0]);
}

static void only_string_values_match_including_the_empty_one(void **state)
{
	(void)state;
	static const struct tag_case cases[] = {
		{KUBE " Rule $n ^5$ t false\n", "{\"n\":5}", "kube.*\n"},
		{KUBE " Rule $n ^ t false\n", "{\"n\":true}", "kube.*\n"},
		{KUBE " Rule $n ^ t false\n", "{\"n\":null}", "kube.*\n"},
		{KUBE " Rule $n ^ t false\n", "{\"n\":{\"k\":\"v\"}}",
		 "kube.*\n"},
		{KUBE " Rule $n ^ t false\n", "{\"m\":\"v\"}", "kube.*\n"},
		{KUBE " Rule $n ^(.*)$ t false\n", "{\"n\":\"\"}", "t\n"},
	};
	check(cases, sizeof cases / sizeof cases[0]);
}

static void the_new_tag_is_composed(void **state)
{
	(void)state;
	static const struct tag_case cases[] = {
		{KUBE " Rule $a ^v(.)$ T.$0.$1.$2 false\n", "{\"a\":\"v1\"}",
		 "T.v1.1.\n"},
		{KUBE " Rule $a ^v T.[$0] false\n", "{\"a\":\"v1\"}", "T.[]\n"},
		{KUBE " Rule $a ^v $TAG[0]-$TAG[1]_$TAG[5].end false\n",
		 "{\"a\":\"v1\"}", "kube-*_.end\n"},
		{KUBE " Rule $a ^v n$n.f$f.b$b.nul$nul.x$miss false\n",
		 "{\"a\":\"v\",\"n\":5,\"f\":1.5,\"b\":true,\"nul\":null}",
		 "n5.f1.500000.btrue.nulnull.x\n"},
		/* Of two equal keys the last counts, as when the syslog
		 * parser's keys follow those of JSON. */
		{KUBE " Rule $ident ^(.*)$ T.$ident false\n",
		 "{\"ident\":\"I\",\"pri\":\"1\",\"ident\":\"h\"}", "T.h\n"},
	};
	check(cases, sizeof cases / sizeof cases[0]);
}

static void an_argument_with_blanks_is_quoted(void **state)
{
	(void)state;
	static const struct tag_case cases[] = {
		{KUBE " Rule $a \"^x (y)$\" \"T $1\" false\n",
		 "{\"a\":\"x y\"}", "T y\n"},
		{KUBE " Rule \"$a\" \"x y\" t \"no\"\n", "{\"a\":\"x y\"}",
		 "t\n"},
		{KUBE " Rule $a 'x' t no\n", "{\"a\":\"'x'\"}", "t\n"},
		{KUBE " Rule $a \"x\"t no\n", "{\"a\":\"x\"}", "t\n"},
		{KUBE " Rule   $a   x   t   Off  \n", "{\"a\":\"x\"}", "t\n"},
		{KUBE " Rule $a \"^\\\"(\\d) $\" t YES\n", "{\"a\":\"\\\"7 \"}",
		 "t\nkube.*\n"},
		{KUBE " Rule $a \"^x\\\\ $\" t off\n", "{\"a\":\"x\\\\ \"}",
		 "t\n"},
		{KUBE " Rule $a x t off # and more\n", "{\"a\":\"x\"}", "t\n"},
		{KUBE " Rule $a x\"y t\"z on\n", "{\"a\":\"x\\\"y\"}",
		 "t\"z\nkube.*\n"},
	};
	check(cases, sizeof cases / sizeof cases[0]);
}

static void each_copy_keeps_its_own_tag(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, KUBE " Rule $a ^(.*)$ $1 true\n");
	run(&f, "kube.1", "{\"a\":\"one\"}");
	const struct record *one = f.outs[0];
	run(&f, "kube.2", "{\"a\":\"two\"}");
	assert_true(span_equals(one->tag, SPAN("one")));
	assert_true(span_equals(f.outs[0]->tag, SPAN("two")));
	assert_true(span_equals(f.outs[1]->tag, SPAN("kube.2")));
	assert_ptr_not_equal(f.outs[0]->fields, f.outs[1]->fields);
	assert_int_equal(stats(&f)->restarted_total, 2);
	assert_int_equal(stats(&f)->added_total, 0);
	assert_int_equal(stats(&f)->dropped_total, 0);
	fini(&f);
}

static void an_empty_new_tag_is_counted_and_changes_nothing(void **state)
{
	(void)state;
	static const char *const keeps[] = {
		KUBE " Rule $a . $missing true\n",
		KUBE " Rule $a . $missing false\n",
	};
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;
		open_chain(&f, keeps[i]);
		assert_string_equal(run(&f, "kube.*", "{\"a\":\"v\"}"),
				    "kube.*\n");
		assert_int_equal(failures(&f, "empty_tag"), 1);
		assert_int_equal(stats(&f)->restarted_total, 0);
		fini(&f);
	}
}

static void after_an_exceeded_limit_the_record_keeps_its_tag(void **state)
{
	(void)state;
	struct fixture f;
	static const char text[] = "{\"a\":\"" ENDLESS_TEXT "\"}";
	open_chain(&f, KUBE " Rule $a " ENDLESS_REGEX " never false\n"
			    " Rule $a b$ t false\n");
	assert_string_equal(run(&f, "kube.*", text), "kube.*\n");
	assert_int_equal(failures(&f, "match_limit"), 1);
	fini(&f);
}

static void a_rule_that_matches_its_own_tag_loses_nothing(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, ALL " Rule $a . again false\n");
	assert_string_equal(run(&f, "kube.*", "{\"a\":\"v\"}"), "again\n");
	assert_int_equal(stats(&f)->restarted_total, 1);
	assert_int_equal(stats(&f)->refused_total, 1);
	fini(&f);

	open_chain(&f, ALL " Rule $a . again true\n");
	assert_string_equal(run(&f, "kube.*", "{\"a\":\"v\"}"),
			    "again\nkube.*\n");
	assert_int_equal(stats(&f)->restarted_total, 1);
	assert_int_equal(stats(&f)->refused_total, 1);
	fini(&f);
}

static void a_refused_restart_leaves_the_record_its_tag(void **state)
{
	(void)state;
	static const struct tag_case cases[] = {
		{ALL " Rule $a . $TAG.x false\n", "{\"a\":\"v\"}",
		 "kube.*.x\n"},
		{ALL " Rule $a . $TAG.x true\n", "{\"a\":\"v\"}",
		 "kube.*.x\nkube.*\n"},
	};
	check(cases, sizeof cases / sizeof cases[0]);
}

static void two_rules_that_match_each_others_tags_stop_too(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, ALL " Rule $a . $TAG.x false\n" ALL
			   " Rule $a . $TAG.y false\n");
	run(&f, "t", "{\"a\":\"v\"}");
	assert_int_equal(f.out_count, 1);
	/* "t", then ".x" or ".y" for each restart, then a newline */
	assert_int_equal(f.tags.len, 1 + 2 * CHAIN_RESTARTS_MAX + 1);
	fini(&f);
}

/* Without a limit, 16 restarts made a tag of 6 GB. */
static void a_tag_that_grows_is_limited(void **state)
{
	(void)state;
	static const char *const tags[] = {"$TAG.$TAG.$a", "$TAG.$a"};
	struct buf json = {0}, conf = {0};
	buf_put_text(&json, "{\"a\":\"");
	for (size_t i = 0; i < 100000; i++)
		buf_put_char(&json, 'a');
	buf_put_text(&json, "\"}");
	for (size_t i = 0; i < 2 * COUNT(tags); i++) {
		struct fixture f;
		struct message m = {.reason = DROP_none};
		buf_clear(&conf);
		for (int k = 0; k < 3; k++)
			buf_printf(&conf, ALL " Rule $a . %s %s\n", tags[i / 2],
				   i % 2 == 0 ? "false" : "true");
		open_chain(&f, buf_text(&conf));
		f.message = &m;
		run(&f, "t", buf_text(&json));
		assert_int_equal(m.reason, i == 2 ? DROP_none : DROP_too_large);
		assert_true(arena_used_bytes(f.arena) <=
			    CHAIN_RESTARTS_BYTES_MAX + json.len * 3);
		fini(&f);
	}
	buf_fini(&json);
	buf_fini(&conf);
}

/* --- set-up */

static void a_mistake_is_reported_with_the_correct_form(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *place, *says;
	} cases[] = {
		{"", "t.conf:1", "Rule $level"},
		{" Rules $a ^v$ t false\n", "t.conf:4", "\"Rule\""},
		{" Rule $a ^v$ t\n", "t.conf:4", "Rule $level"},
		{" Rule $a \"^v$ t false\n", "t.conf:4", "quotes"},
		{" Rule $a ^v$ t maybe\n", "t.conf:4", "true or false"},
		{" Rule $a ^(v$ t false\n", "t.conf:4", "^(v$"},
		{" Rule $a[ ^v$ t false\n", "t.conf:4", "KEY"},
		{" Rule $a ^v$ $$a false\n", "t.conf:4", "NEW_TAG"},
		{" Rule $a ^v$ t false\n Emitter_Name e\n" ALL
		 " Rule $a ^v$ t false\n Emitter_Name e\n",
		 "t.conf:10", "already has an emitter"},
		{" Rule $a ^v$ t false\n Ruel $a ^v$ t false\n", "t.conf:5",
		 "Rule"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf conf = {0};
		buf_put_text(&conf, KUBE);
		buf_put_text(&conf, cases[i].keys);
		struct fixture f;
		struct err e = {0};
		assert_false(open_with(&f, buf_text(&conf), &e));
		if (strstr(e.text, cases[i].place) == NULL ||
		    strstr(e.text, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, e.text);
		buf_fini(&conf);
		fini(&f);
	}
}

static void keys_of_the_emitter_change_nothing(void **state)
{
	(void)state;
	struct fixture f;
	open_chain(&f, KUBE " Rule $a . t false\n Emitter_Name e\n"
			    " Emitter_Storage.type memory\n"
			    " Emitter_Mem_Buf_Limit 10M\n");
	assert_string_equal(run(&f, "kube.*", "{\"a\":\"x\"}"), "t\n");
	assert_string_equal(run(&f, "kube.*", "{\"b\":\"x\"}"), "kube.*\n");
	fini(&f);
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_matches_gets_the_new_tag),
		cmocka_unit_test(
			only_string_values_match_including_the_empty_one),
		cmocka_unit_test(the_new_tag_is_composed),
		cmocka_unit_test(an_argument_with_blanks_is_quoted),
		cmocka_unit_test(each_copy_keeps_its_own_tag),
		cmocka_unit_test(
			an_empty_new_tag_is_counted_and_changes_nothing),
		cmocka_unit_test(
			after_an_exceeded_limit_the_record_keeps_its_tag),
		cmocka_unit_test(a_rule_that_matches_its_own_tag_loses_nothing),
		cmocka_unit_test(a_refused_restart_leaves_the_record_its_tag),
		cmocka_unit_test(
			two_rules_that_match_each_others_tags_stop_too),
		cmocka_unit_test(a_tag_that_grows_is_limited),
		cmocka_unit_test(a_mistake_is_reported_with_the_correct_form),
		cmocka_unit_test(keys_of_the_emitter_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
