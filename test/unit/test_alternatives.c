/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "random.h"
#include "regex/alternatives.h"
#include "regex/pattern.h"
#include "regex/ruby_regex.h"

struct half_case {
	const char *regex, *first, *second;
};

/* Translate a regular expression of Ruby and halve it. */
static bool halve(const char *regex, struct buf halves[2], const char **why)
{
	struct ruby_regex ruby;
	struct err e;
	if (!ruby_regex_read(span_of(regex), false, &ruby, &e))
		fail_msg("%s: %s", regex, e.text);
	bool ok = alternatives_halve(buf_span(&ruby.text), halves, why);
	buf_fini(&ruby.text);
	buf_fini(&ruby.names);
	return ok;
}

static void an_expression_is_halved_at_its_middle_bar(void **state)
{
	(void)state;
	static const struct half_case cases[] = {
		{"a|b", "a", "b"},
		{"a|b|c|d", "a|b", "c|d"},
		{"^(?:a|b|c|d)$", "^(?:a|b)$", "^(?:c|d)$"},
		{"^(a|b)$", "^(a)$", "^(b)$"},
		{"(?<x>a|b)", "(?<n0>a)", "(?<n0>b)"},
		{"((a|b)c|d)", "((a|b)c)", "(d)"},
		{"(x|((a|b|cc|dd)))", "(x|((a|b)))", "(x|((cc|dd)))"},
		{"(|a)", "()", "(a)"},
		{"(?i)a|b", "(?i-s:a)", "(?i-s:b)"},
		{"/a|b/i", "(?i-s:a)", "(?i-s:b)"},
		{"x(?i)a|b", "x(?i-s:a)", "x(?i-s:b)"},
		{"(?x) a # |\n | b", "(?-is:a)", "(?-is:b)"},
		{"(?#a|b)c|d", "c", "d"},
		{"[|(]\\|\\(|b", "[\\x{28}\\x{7c}]\\|\\(", "b"},
		{"[[|]\\]]\\[|[^|]", "[\\x{5d}\\x{7c}]\\[", "[^\\x{7c}]"},
		{"\\u3042[[:alpha:]|(]|b", "\\x{3042}[[:alpha:]\\x{7c}\\x{28}]",
		 "b"},
		{"(a|b)+|c", "(a|b)+", "c"},
		{"(a|b)\\+", "(a)\\+", "(b)\\+"},
		{"(?=a|b)(?!c|d)(?>e|f)(?<=g|h)(?<!i|j)(k|l)",
		 "(?=a|b)(?!c|d)(?>e|f)(?<=g|h)(?<!i|j)(k)",
		 "(?=a|b)(?!c|d)(?>e|f)(?<=g|h)(?<!i|j)(l)"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf halves[2] = {{0}};
		const char *why;
		if (!halve(cases[i].regex, halves, &why))
			fail_msg("%s: it %s", cases[i].regex, why);
		assert_string_equal(buf_text(&halves[0]), cases[i].first);
		assert_string_equal(buf_text(&halves[1]), cases[i].second);
		buf_fini(&halves[0]);
		buf_fini(&halves[1]);
	}
}

static void an_expression_whose_meaning_would_change_is_not_halved(void **state)
{
	(void)state;
	static const char none[] = "has no alternatives outside of repeated "
				   "groups, lookarounds and atomic groups";
	static const char refers[] = "refers to its groups";
	static const char *const cases[][2] = {
		{"abc", none},
		{"(a|b)+", none},
		{"(a|b)*c", none},
		{"(a|b)?", none},
		{"(a|b){2}", none},
		{"(a|b){,2}", none},
		{"((a|b)c)+?", none},
		{"((?:(a|b))c)++", none},
		{"(?=a|b)", none},
		{"(?!x(a|b))", none},
		{"(?<=a|b)", none},
		{"(?<!a|b)", none},
		{"(?>(?i:a|b))", none},
		{"(a|b)\\1", refers},
		{"(?<x>a)\\k<x>|b", refers},
		{"(?<x>a\\g<x>?b)|b", refers},
		{"(a)?(?(1)b|c)", refers},
		{"a\\g<0>?b|c", refers},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf halves[2] = {{0}};
		const char *why = "";
		if (halve(cases[i][0], halves, &why))
			fail_msg("%s: %s and %s", cases[i][0],
				 buf_text(&halves[0]), buf_text(&halves[1]));
		assert_string_equal(why, cases[i][1]);
	}
}

/* Alternatives that no text of a, b, c, | and newline matches; together they
 * are larger than PCRE2's limit. */
static void put_many(struct buf *out)
{
	for (unsigned i = 0; i < 1200; i++)
		buf_printf(out, "|zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz%u", i);
}

static void put_alternation(struct random *, struct buf *, unsigned depth);

static void put_atom(struct random *r, struct buf *out, unsigned depth)
{
	static const char *const plain[] = {
		"a", "b",    "c",    "[|(b]", "[^b\\]|]", "\\|", "\\b", "^",
		".", "(?i)", "\\Ac", "$",     "(?#|()",	  "\\w", "b+?", "c*+"};
	static const char *const groups[] = {
		"(?:", "(",	      "(?:",  "(?i:",  "(?>", "(?=",
		"(?!", "(?x: # |(\n", "(?m:", "(?-i:", "(?:", "("};
	static const char *const repeats[] = {"*", "+", "?", "{2}", "+?", "*+"};
	if (depth == 0 || random_below(r, 3) > 0) {
		buf_put_text(out, plain[random_below(r, COUNT(plain))]);
		return;
	}
	buf_put_text(out, groups[random_below(r, COUNT(groups))]);
	put_alternation(r, out, depth - 1);
	buf_put_char(out, ')');
	if (random_below(r, 4) == 0)
		buf_put_text(out, repeats[random_below(r, COUNT(repeats))]);
}

static void put_alternation(struct random *r, struct buf *out, unsigned depth)
{
	unsigned count = 1 + random_below(r, 3);
	for (unsigned i = 0; i < count; i++) {
		buf_put_text(out, i > 0 ? "|" : "");
		for (unsigned atoms = random_below(r, 4); atoms > 0; atoms--)
			put_atom(r, out, depth);
	}
}

static void put_text(struct random *r, struct buf *out)
{
	static const char *const atoms[] = {"a", "b", "c",	  "A",	"B",
					    "C", "|", "\xc3\xa4", "\n", "\xe4"};
	for (unsigned n = random_below(r, 9); n > 0; n--)
		buf_put_text(out, atoms[random_below(r, COUNT(atoms))]);
}

static bool translated_matches(struct span regex, struct span text)
{
	int error;
	PCRE2_SIZE error_at;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)regex.ptr, regex.len, PCRE2_MULTILINE,
			      &error, &error_at, NULL);
	pcre2_match_data *match = pcre2_match_data_create(1, NULL);
	assert_non_null(code);
	int rc = pcre2_match(code, (PCRE2_SPTR)text.ptr, text.len, 0, 0, match,
			     NULL);
	pcre2_match_data_free(match);
	pcre2_code_free(code);
	assert_true(rc >= 0 || rc == PCRE2_ERROR_NOMATCH);
	return rc >= 0;
}

/* Halve the regex as long as possible, at most 2^depth times.  Returns whether
 * one of the parts matches. */
static bool a_part_matches(struct span regex, struct span text, unsigned depth,
			   unsigned *parts)
{
	struct buf halves[2] = {{0}};
	const char *why;
	bool found = false;
	if (depth == 0 || !alternatives_halve(regex, halves, &why)) {
		++*parts;
		return translated_matches(regex, text);
	}
	for (size_t i = 0; i < 2; i++) {
		buf_text(&halves[i]);
		found = a_part_matches(buf_span(&halves[i]), text, depth - 1,
				       parts) ||
			found;
		buf_fini(&halves[i]);
	}
	return found;
}

static void an_expression_matches_if_one_of_its_parts_does(void **state)
{
	(void)state;
	struct random r = random_seed("parts", 12);
	unsigned parts = 0, matches = 0;
	for (unsigned i = 0; i < 4000; i++) {
		struct buf regex = {0}, text = {0};
		struct ruby_regex ruby;
		struct err e;
		put_alternation(&r, &regex, 3);
		put_text(&r, &text);
		buf_text(&text);
		bool ok = ruby_regex_read(buf_span(&regex), false, &ruby, &e);
		assert_true(ok);
		buf_text(&ruby.text);
		bool expected = translated_matches(buf_span(&ruby.text),
						   buf_span(&text));
		if (a_part_matches(buf_span(&ruby.text), buf_span(&text), 6,
				   &parts) != expected)
			fail_msg("%s on \"%s\": expected %d", buf_text(&regex),
				 buf_text(&text), expected);
		matches += expected;
		buf_fini(&ruby.text);
		buf_fini(&ruby.names);
		buf_fini(&regex);
		buf_fini(&text);
	}
	/* If nearly all or no texts matched, the test would prove nothing. */
	assert_in_range(matches, 1000, 3900);
	assert_true(parts > 8000);
}

static void check_pair(struct random *r, const char *small, const char *large)
{
	struct err e = {0};
	struct pattern *one = pattern_new(span_of(small), "", &e);
	assert_null(pattern_new(span_of(large), "", &e));
	assert_non_null(strstr(e.text, "64 KiB"));
	struct pattern *split = pattern_new_groupless(span_of(large), "", &e);
	if (one == NULL || split == NULL)
		fail_msg("%s: %s", small, e.text);
	for (unsigned i = 0; i < 300; i++) {
		struct buf text = {0};
		put_text(r, &text);
		bool expected = pattern_matches(one, buf_span(&text), NULL);
		if (pattern_matches(split, buf_span(&text), NULL) != expected)
			fail_msg("%s on \"%s\": expected %d", small,
				 buf_text(&text), expected);
		assert_false(pattern_hit_limit(split));
		buf_fini(&text);
	}
	pattern_free(one);
	pattern_free(split);
}

/* Compare a random expression with the same expression plus alternatives that
 * match nothing and make it so large that it must be split. */
static void a_split_expression_matches_the_same_as_the_whole_one(void **state)
{
	(void)state;
	struct random r = random_seed("alternatives", 12);
	for (unsigned i = 0; i < 60; i++) {
		struct buf before = {0}, inner = {0}, after = {0};
		struct buf small = {0}, large = {0};
		put_atom(&r, &before, 2);
		put_alternation(&r, &inner, 2);
		put_atom(&r, &after, 2);
		buf_printf(&small, "%s(?:%s)%s", buf_text(&before),
			   buf_text(&inner), buf_text(&after));
		buf_printf(&large, "%s(?:%s", buf_text(&before),
			   buf_text(&inner));
		put_many(&large);
		buf_printf(&large, ")%s", buf_text(&after));
		check_pair(&r, buf_text(&small), buf_text(&large));
		buf_fini(&before);
		buf_fini(&inner);
		buf_fini(&after);
		buf_fini(&small);
		buf_fini(&large);
	}
}

/* "HEAD(host0|host1|...)TAIL" */
static struct span hosts(struct buf *out, unsigned count, const char *head,
			 const char *tail)
{
	buf_put_text(out, head);
	for (unsigned i = 0; i < count; i++)
		buf_printf(out, "%shost%u\\.example\\.com", i > 0 ? "|" : "",
			   i);
	buf_put_text(out, tail);
	return buf_span(out);
}

/* Some of them, from each part: a part has more than 997. */
static void each_of_20_000_alternatives_matches(void **state)
{
	(void)state;
	static const char *const around[][2] = {
		{"^(?:", ")$"},		{"^(", ")$"},	 {"", ""},
		{"(?i)^((?:(", ")))$"}, {"(?<x>", "$)"}, {"^.*(?:", ")"},
	};
	for (size_t i = 0; i < COUNT(around); i++) {
		struct buf regex = {0};
		struct err e;
		struct pattern *p = pattern_new_groupless(
			hosts(&regex, 20000, around[i][0], around[i][1]), "",
			&e);
		if (p == NULL)
			fail_msg("%s: %s", around[i][0], e.text);
		for (unsigned host = 0; host < 20000; host += 997) {
			struct buf text = {0};
			buf_printf(&text, "host%u.example.com", host);
			assert_true(pattern_matches(p, buf_span(&text), NULL));
			text.ptr[text.len - 1] = 'n';
			assert_false(pattern_matches(p, buf_span(&text), NULL));
			assert_false(pattern_hit_limit(p));
			buf_fini(&text);
		}
		pattern_free(p);
		buf_fini(&regex);
	}
}

/* This expression would need 2^30 parts. */
static void an_expression_that_needs_too_many_parts_is_refused(void **state)
{
	(void)state;
	struct buf regex = {0};
	struct err e = {0};
	for (unsigned i = 0; i < 4000; i++)
		buf_put_text(&regex, "(?:aaaaaaaaaaaa|bbbbbbbbbbbb)");
	assert_null(pattern_new_groupless(buf_span(&regex), "write it so", &e));
	assert_string_equal(e.text,
			    "regular expression: larger than 64 KiB when "
			    "compiled, and sluiced cannot split it: it needs "
			    "too many parts; write it so");
	buf_fini(&regex);
}

/* The steps of this text double with each a; 2^16 are fewer than the limit. */
static void the_parts_share_the_limit_of_steps(void **state)
{
	(void)state;
	static const unsigned counts[] = {10, 20000};
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct buf regex = {0};
		struct err e;
		struct pattern *p = pattern_new_groupless(
			hosts(&regex, counts[i], "^(?:a|a)*(?:", ")"), "", &e);
		assert_non_null(p);
		assert_false(
			pattern_matches(p, SPAN("aaaaaaaaaaaaaaa!m"), NULL));
		assert_int_equal(pattern_hit_limit(p), counts[i] > 10);
		assert_true(
			pattern_matches(p, SPAN("ahost7.example.com"), NULL));
		assert_false(pattern_hit_limit(p));
		pattern_free(p);
		buf_fini(&regex);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_expression_is_halved_at_its_middle_bar),
		cmocka_unit_test(
			an_expression_whose_meaning_would_change_is_not_halved),
		cmocka_unit_test(
			an_expression_matches_if_one_of_its_parts_does),
		cmocka_unit_test(
			a_split_expression_matches_the_same_as_the_whole_one),
		cmocka_unit_test(each_of_20_000_alternatives_matches),
		cmocka_unit_test(
			an_expression_that_needs_too_many_parts_is_refused),
		cmocka_unit_test(the_parts_share_the_limit_of_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
