/* SPDX-License-Identifier: Apache-2.0 */
/* The limit on all searches of one message.  For the limit on one search, see
 * test_pattern.c and the tests of each filter. */
#include "filter_unit.h"

#include <stdint.h>
#include <string.h>

#include "parse/parser.h"
#include "record/message.h"
#include "record/tag_match.h"
#include "regex/pattern.h"
#include "regex/search_cost.h"

/* An expression and a text that it does not match, after fewer steps than the
 * limit of one search but too many for a cheap one. */
#define DEAR_REGEX "(x+x+)+$"
#define DEAR_TEXT "xxxxxxxxxxxxxy"

static const struct search_cost used_up = {.cpu_ns = SEARCH_CPU_NS_MAX};

static struct pattern *make(const char *regex)
{
	struct err e;
	struct pattern *p = pattern_new(span_of(regex), "", &e);
	if (p == NULL)
		fail_msg("%s: %s", regex, e.text);
	return p;
}

static void only_a_cheap_search_is_answered_at_the_limit(void **state)
{
	(void)state;
	struct pattern *p = make(DEAR_REGEX);
	struct search_cost cost = {.steps = SEARCH_STEPS_UNTIMED,
				   .cpu_ns = SEARCH_CPU_NS_MAX - 1};
	assert_false(pattern_matches(p, SPAN(DEAR_TEXT), &cost));
	assert_false(pattern_hit_limit(p));
	assert_true(cost.cpu_ns >= SEARCH_CPU_NS_MAX);

	cost = used_up;
	assert_false(pattern_matches(p, SPAN(DEAR_TEXT), &cost));
	assert_true(pattern_hit_limit(p));
	assert_true(pattern_matches(p, SPAN("axx"), &cost));
	assert_false(pattern_matches(p, SPAN("axxb"), &cost));
	assert_false(pattern_hit_limit(p));

	cost = (struct search_cost){0}; /* the next message */
	assert_false(pattern_matches(p, SPAN(DEAR_TEXT), &cost));
	assert_false(pattern_hit_limit(p));
	pattern_free(p);
}

/* The clock is read only after many expensive searches. */
static void a_few_expensive_searches_are_not_timed(void **state)
{
	(void)state;
	struct pattern *p = make(DEAR_REGEX);
	struct search_cost cost = {0};
	assert_false(pattern_matches(p, SPAN(DEAR_TEXT), &cost));
	assert_true(cost.steps > 0);
	assert_int_equal(cost.cpu_ns, 0);
	pattern_free(p);
}

/* An expression cannot make the limit useless by matching at last. */
static void searches_of_one_message_reach_the_limit(void **state)
{
	(void)state;
	static const char *const texts[] = {DEAR_TEXT, DEAR_TEXT "\nxx"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct pattern *p = make(DEAR_REGEX);
		struct search_cost cost = {0};
		size_t left = 10000000;
		do {
			bool found =
				pattern_matches(p, span_of(texts[i]), &cost);
			assert_true(!found || i == 1);
			left--;
		} while (!pattern_hit_limit(p) && left > 0);
		assert_true(left > 0);
		pattern_free(p);
	}
}

/* The sum of the steps that the attempts of an expensive search may take. */
static uint64_t steps_allowed(const char *regex, struct span text,
			      bool *hits_limit)
{
	struct pattern *p = make(regex);
	struct search_cost cost = {0};
	assert_false(pattern_matches(p, text, &cost));
	*hits_limit = pattern_hit_limit(p);
	pattern_free(p);
	return cost.steps;
}

#define REQUEST                                                    \
	"\"(?<method>\\S+)(?: +(?<path>[^\"]*?)(?: +\\S*)?)?\" "   \
	"(?<code>[^ ]*) (?<size>[^ ]*)(?: \"(?<referer>[^\"]*)\" " \
	"\"(?<agent>[^\"]*)\")"
#define NGINX                                              \
	"^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) " \
	"\\[(?<time>[^\\]]*)\\] " REQUEST

/* Short texts took as long as long ones: 12 to 30 ms for 700 B, so that a few
 * per second used up a CPU limit of 150m. */
static void a_short_text_may_take_fewer_steps(void **state)
{
	(void)state;
	static const struct {
		const char *regex, *start, *end;
		char fill;
		bool starts_anywhere;
	} cases[] = {
		{NGINX, "a b c [t] \"GET", "x", ' ', false},
		{"^(a+)+$", "", "b", 'a', false},
		{"(a+)+b", "", "cb", 'a', true},
	};
	static const size_t lengths[] = {200, 700, 1500, 4000};
	struct buf text = {0};
	for (size_t i = 0; i < COUNT(cases) * COUNT(lengths); i++) {
		size_t k = i / COUNT(lengths),
		       len = lengths[i % COUNT(lengths)];
		bool hits_limit;
		buf_clear(&text);
		buf_put_text(&text, cases[k].start);
		while (text.len < len)
			buf_put_char(&text, cases[k].fill);
		buf_put_text(&text, cases[k].end);
		uint64_t max = 65536 + 256 * text.len;
		if (cases[k].starts_anywhere)
			max = max / 4 * (text.len + 1);
		uint64_t steps = steps_allowed(cases[k].regex, buf_span(&text),
					       &hits_limit);
		if (steps > max + max / 4)
			fail_msg("%zu %zu: %llu", k, len,
				 (unsigned long long)steps);
		assert_true(hits_limit || k == 0);
	}
	buf_fini(&text);
}

/* Requests of usual lengths and of 32 kB, and the same without their end, even
 * if the expression has several `.*`. */
static void an_ordinary_text_does_not_reach_the_limit(void **state)
{
	(void)state;
	static const struct {
		const char *regex;
		size_t len_max; /* below the limit */
	} cases[] = {
		{NGINX, 32000},
		{"^(?<h>.*) \"(?<request>.*)\" (?<code>\\d+) (?<rest>.*)$",
		 32000},
		{"^(?<a>[^ ]+) (?<b>.*) (?<c>.*) (?<d>.*)x$", 1000},
		{"level=(?:warn|error).*request=.*timed out", 8000},
	};
	static const size_t lengths[] = {200, 1000, 8000, 32000};
	struct buf text = {0};
	for (size_t i = 0; i < COUNT(cases) * COUNT(lengths); i++) {
		size_t k = i / COUNT(lengths),
		       len = lengths[i % COUNT(lengths)];
		if (len > cases[k].len_max)
			continue;
		struct pattern *p = make(cases[k].regex);
		buf_clear(&text);
		buf_put_text(&text,
			     "10.0.0.1 e.com alice [t] \"GET /?level=warn");
		while (text.len < len)
			buf_put_text(&text, "&q=some+text%20and&sort=7");
		buf_put_text(&text, " HTTP/1.1\" 200 512 \"-\" \"curl/8.5.0\"");
		for (size_t cut = 0; cut < 2; cut++) {
			struct span s = span_make(text.ptr, text.len - cut);
			struct search_cost cost = {0};
			bool found = pattern_matches(p, s, &cost);
			assert_true(!found || k < 2);
			if (pattern_hit_limit(p))
				fail_msg("%zu: %zu bytes", k, s.len);
		}
		pattern_free(p);
	}
	buf_fini(&text);
}

/* A step may read the whole run of blanks, and PCRE2 counts one for it: these
 * texts took 1 and 7 s of CPU. */
static void a_long_run_of_one_character_is_limited(void **state)
{
	(void)state;
	static const size_t lengths[] = {60000, 190000};
	struct pattern *p = make(NGINX);
	struct buf text = {0};
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct search_cost cost = {0};
		buf_clear(&text);
		buf_put_text(&text, "a b c [t] \"GET /");
		while (text.len < lengths[i])
			buf_put_char(&text, ' ');
		buf_put_char(&text, 'x');
		assert_false(pattern_matches(p, buf_span(&text), &cost));
		assert_true(pattern_hit_limit(p));
		if (cost.cpu_ns > 10 * (int64_t)SEARCH_CPU_NS_MAX)
			fail_msg("%zu bytes: %lld ns", text.len,
				 (long long)cost.cpu_ns);
	}
	pattern_free(p);
	buf_fini(&text);
}

/* A hundred rules for a line of 32 kB. */
static void cheap_searches_are_not_counted(void **state)
{
	(void)state;
	static const char *const regexes[] = {
		"\"level\":\"(?:error|warn)\"",
		"^\\{\"a\":\"(?:[^\"\\\\]|\\\\.)*\"",
		"(?i)user(?:name|_id)=[^ ]+ failed",
		"[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+",
		"^(?<host>[^ ]*) [^ ]* (?<user>[^ ]*) \\[(?<at>[^\\]]*)\\]",
		"[^ ]+@[a-z]+\\.example",
	};
	static const char line[] =
		"{\"a\":\"b c\",\"level\":\"info\",\"t\":\"1.2 user_id=7\"} ";
	struct buf text = {0};
	while (text.len < 32000)
		buf_put_text(&text, line);
	struct search_cost cost = {0};
	for (size_t i = 0; i < 100; i++) {
		struct pattern *p = make(regexes[i % COUNT(regexes)]);
		bool found = pattern_matches(p, buf_span(&text), &cost);
		(void)found;
		assert_false(pattern_hit_limit(p));
		pattern_free(p);
	}
	assert_int_equal(cost.steps, 0);
	assert_int_equal(cost.cpu_ns, 0);
	buf_fini(&text);
}

static const char *run(struct filter_unit *u, const char *json,
		       struct message *m)
{
	struct record *r = filter_unit_read(u, json);
	r->message = m;
	return filter_unit_give(u, r);
}

/* Each filter behaves as if this search had reached its own limit. */
static void each_filter_counts_a_search_beyond_the_limit(void **state)
{
	(void)state;
#define VALUE "{\"k\":\"" DEAR_TEXT "\"}"
#define KEY "{\"" DEAR_TEXT "\":1}"
#define IF(condition) " Condition " condition DEAR_REGEX "\n Set s t\n"
	static const char *const cases[][3] = {
		{"modify", " Remove_regex " DEAR_REGEX "\n", KEY},
		{"modify", IF("A_key_matches "), KEY},
		{"modify", IF("No_key_matches "), KEY},
		{"modify", IF("Key_value_matches k "), VALUE},
		{"modify", IF("Key_value_does_not_match k "), VALUE},
		{"modify", IF("Matching_keys_have_matching_values k "), VALUE},
		{"modify", IF("Matching_keys_do_not_have_matching_values k "),
		 VALUE},
		{"grep", " Regex k " DEAR_REGEX "\n", VALUE},
		{"grep", " Exclude k " DEAR_REGEX "\n", VALUE},
		{"rewrite_tag", " Rule $k " DEAR_REGEX " t false\n", VALUE},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter_unit u;
		struct err e;
		struct message first = {.search_cost = used_up}, next = {0};
		if (!filter_unit_init(&u, cases[i][0], cases[i][1], &e))
			fail_msg("%s", e.text);
		const struct filter_stats *stats = filter_unit_stats(&u);
		uint64_t total = 0;
		assert_string_equal(run(&u, cases[i][2], &first), cases[i][2]);
		for (size_t k = 0; k < FILTER_FAILURES_MAX; k++)
			total += stats->failures[k];
		assert_int_equal(total, 1);
		run(&u, cases[i][2], &next);
		for (size_t k = 0; k < FILTER_FAILURES_MAX; k++)
			total -= stats->failures[k];
		assert_int_equal(total, 0);
		filter_unit_fini(&u);
	}
}

static void a_parser_has_an_answer_for_it(void **state)
{
	(void)state;
	static const struct parser_opts opts = {
		.name = "p", .regex = "(?<a>" DEAR_REGEX ")"};
	struct arena *a = arena_new(1024);
	struct parser_set *set = parser_set_new();
	struct message m = {.search_cost = used_up};
	struct record *r = record_new(a, &m, SPAN("t"), 1);
	const char *wrong;
	struct span bad_time;
	struct err e;
	struct parser *p = parser_new(&opts, &wrong, &e);
	assert_non_null(p);
	parser_set_give(set, p);
	assert_int_equal(parser_apply(p, SPAN(DEAR_TEXT), 1, r, &bad_time),
			 PARSER_match_limit);
	m.search_cost = (struct search_cost){0};
	assert_int_equal(parser_apply(p, SPAN(DEAR_TEXT), 1, r, &bad_time),
			 PARSER_no_match);
	parser_set_free(set);
	arena_free(a);
}

/* Keys that a client chose must not change where the message goes, so a cheap
 * Match_Regex still decides. */
static void a_cheap_match_regex_takes_its_tag_at_the_limit(void **state)
{
	(void)state;
	struct tag_match m;
	struct err e;
	struct search_cost cost = used_up;
	assert_true(tag_match_init(&m, NULL, "^kube\\.", &e));
	assert_true(tag_match_takes(&m, SPAN("kube.a"), &cost));
	tag_match_fini(&m);
	assert_true(tag_match_init(&m, NULL, "(x+x+)+(?!.)|x", &e));
	assert_false(tag_match_takes(&m, SPAN(DEAR_TEXT), &cost));
	assert_true(tag_match_takes(&m, SPAN(DEAR_TEXT), NULL));
	tag_match_fini(&m);
}

/* Without the limit, these searches would take a second of CPU or more. */
static void a_message_with_thousands_of_expensive_keys_is_limited(void **state)
{
	(void)state;
	struct filter_unit u;
	struct err e;
	struct message m = {0};
	struct buf json = {0}, expected = {0};
	assert_true(filter_unit_init(&u, "modify",
				     " Remove_regex " DEAR_REGEX "\n", &e));
	buf_put_text(&json, "{\"xx\":0");
	buf_put_text(&expected, "{");
	for (size_t i = 0; i < 20000; i++) {
		buf_put_text(&json, ",\"" DEAR_TEXT "\":1");
		buf_printf(&expected, "%s\"" DEAR_TEXT "\":1",
			   i > 0 ? "," : "");
	}
	buf_put_text(&json, ",\"xxx\":2}");
	buf_put_text(&expected, "}");
	const char *out = run(&u, buf_text(&json), &m);
	assert_true(strcmp(out, buf_text(&expected)) == 0);
	assert_true(filter_unit_stats(&u)->failures[0] > 0);
	buf_fini(&json);
	buf_fini(&expected);
	filter_unit_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_cheap_search_is_answered_at_the_limit),
		cmocka_unit_test(a_few_expensive_searches_are_not_timed),
		cmocka_unit_test(searches_of_one_message_reach_the_limit),
		cmocka_unit_test(a_long_run_of_one_character_is_limited),
		cmocka_unit_test(a_short_text_may_take_fewer_steps),
		cmocka_unit_test(an_ordinary_text_does_not_reach_the_limit),
		cmocka_unit_test(cheap_searches_are_not_counted),
		cmocka_unit_test(each_filter_counts_a_search_beyond_the_limit),
		cmocka_unit_test(a_parser_has_an_answer_for_it),
		cmocka_unit_test(
			a_cheap_match_regex_takes_its_tag_at_the_limit),
		cmocka_unit_test(
			a_message_with_thousands_of_expensive_keys_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
