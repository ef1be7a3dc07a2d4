/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "record/accessor.h"
#include "record/record.h"
#include "regex/pattern.h"

static struct field labels[] = {
	{{"app", 3}, {.type = VALUE_STRING, .string = {"old", 3}}},
	{{"p.q", 3}, {.type = VALUE_INT, .integer = 7}},
	{{"app", 3}, {.type = VALUE_STRING, .string = {"web", 3}}},
};

static struct value items[] = {
	{.type = VALUE_STRING, .string = {"first", 5}},
	{.type = VALUE_MAP, .count = 3, .fields = labels},
};

static struct record *make_record(struct arena *arena)
{
	struct record *r = record_new(arena, NULL, SPAN("kube.*"), 0);
	struct value map = {.type = VALUE_MAP, .count = 3, .fields = labels};
	struct value list = {.type = VALUE_ARRAY, .count = 2, .items = items};
	record_add(r, SPAN("a"), value_string(SPAN("hidden")));
	record_add(r, SPAN("a"), value_string(SPAN("v1")));
	record_add(r, SPAN("n"), value_int(5));
	record_add(r, SPAN("big"), value_int(INT64_MIN));
	record_add(r, SPAN("f"), value_float(1.5));
	record_add(r, SPAN("b"), value_bool(true));
	record_add(r, SPAN("nul"), value_null());
	record_add(r, SPAN("m"), map);
	record_add(r, SPAN("l"), list);
	record_add(r, SPAN("a.b"), value_string(SPAN("dotted")));
	record_add(r, SPAN("user-agent"), value_string(SPAN("curl")));
	record_add(r, SPAN("odd key[0]"), value_string(SPAN("odd")));
	return r;
}

static void an_accessor_finds_the_value_that_it_names(void **state)
{
	(void)state;
	static const struct {
		const char *text, *value; /* NULL: refused */
	} cases[] = {
		{"a", "v1"},
		{"$a", "v1"},
		{"a.b", "dotted"},
		/* A separator ends the key, as in Fluent Bit. */
		{"$a.b", "v1"},
		{"$a b", "v1"},
		{"$a,b", "v1"},
		{"$m['app'].x", "web"},
		{"odd key[0]", "odd"},
		{"$user-agent", "curl"},
		{"$m['app']", "web"},
		{"$m[\"app\"]", "web"},
		{"$l[0]", "first"},
		{"$l[1]['app']", "web"},
		{"$l[2]", NULL},
		{"$l['app']", NULL},
		{"$m[0]", NULL},
		{"$m['none']", NULL},
		/* A subkey of a scalar yields the scalar itself. */
		{"$a['app']", "v1"},
		{"$a[0]['app']", "v1"},
		{"none", NULL},
		{"$none['app'][0]", NULL},
		{"m['app']", NULL},
	};
	struct arena *arena = arena_new(4096);
	struct record *r = make_record(arena);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = {0};
		struct accessor *a = accessor_new(span_of(cases[i].text), &e);
		if (a == NULL)
			fail_msg("%s: %s", cases[i].text, e.text);
		const struct value *v = accessor_find(a, r);
		bool is_there = cases[i].value != NULL;
		if ((v != NULL) != is_there)
			fail_msg("%s", cases[i].text);
		if (v != NULL)
			assert_true(span_equals(v->string,
						span_of(cases[i].value)));
		accessor_free(a);
	}
	arena_free(arena);
}

static void a_key_with_a_dot_is_one_key(void **state)
{
	(void)state;
	struct arena *arena = arena_new(4096);
	struct err e;
	struct accessor *a = accessor_new(SPAN("$m['p.q']"), &e);
	assert_non_null(a);
	assert_int_equal(accessor_find(a, make_record(arena))->integer, 7);
	accessor_free(a);
	arena_free(arena);
}

/* As in Fluent Bit, this accessor is not an error.  A warning explains that it
 * names the field TAG. */
static void the_accessor_tag_finds_a_field_of_that_name(void **state)
{
	struct arena *arena = arena_new(1024);
	struct record *r = record_new(arena, NULL, SPAN("tag"), 0);
	struct err e = {0};
	(void)state;
	struct accessor *a = accessor_new(SPAN("$TAG"), &e);
	struct accessor_warning w;
	assert_non_null(a);
	assert_true(accessor_warning(a, &w));
	assert_non_null(strstr(w.action, "TAG"));
	assert_null(accessor_find(a, r));
	record_add(r, SPAN("TAG"), value_int(3));
	assert_int_equal(accessor_find(a, r)->integer, 3);
	accessor_free(a);
	arena_free(arena);
}

static void an_accessor_finds_its_key_in_records_of_any_order(void **state)
{
	static const char *const keys[][3] = {
		{"a", "b", "c"}, {"b", "c", "a"}, {"b", "c", "d"},
		{"a", "b", "a"}, {"a", "b", "c"}, {"a", "b", "a"},
	};
	static const int at[] = {0, 2, -1, 2, 0, 2};
	struct arena *arena = arena_new(1024);
	struct err e = {0};
	(void)state;
	struct accessor *a = accessor_new(SPAN("$a"), &e);
	assert_non_null(a);
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		struct record *r = record_new(arena, NULL, SPAN("tag"), 0);
		for (int k = 0; k < 3; k++)
			record_add(r, span_of(keys[i][k]), value_int(k));
		r->has_unique_keys = strcmp(keys[i][2], keys[i][0]) != 0;
		const struct value *v = accessor_find(a, r);
		assert_int_equal(v != NULL ? v->integer : -1, at[i]);
	}
	accessor_free(a);
	arena_free(arena);
}

static void a_malformed_accessor_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"$",
		"$1",
		"$['a']",
		"$m['k'",
		"$m['k]",
		"$m[k]",
		"$m[]",
		"$m[0",
		"$m[-1]",
		"$m[0]x",
		"$m['k']b",
		"$m[0][",
		"$m['",
		"$m[",
		"$m['k'x]",
		"$m[9999999999]",
		"a$b",
		"$.a",
		"$ a",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = {0};
		struct accessor *a = accessor_new(span_of(cases[i]), &e);
		if (a != NULL)
			fail_msg("%s was taken", cases[i]);
		assert_true(e.text[0] != '\0');
	}
}

static void check_composed(const char *text, const char *regex,
			   const char *expected)
{
	struct err e = {0};
	struct arena *arena = arena_new(4096);
	struct buf out = {0};
	struct pattern *p = NULL;
	if (regex != NULL) {
		p = pattern_new(span_of(regex), "", &e);
		assert_non_null(p);
		assert_true(pattern_matches(p, SPAN("v1"), NULL));
	}
	struct composer *c = composer_new(span_of(text), &e);
	if (c == NULL)
		fail_msg("%s: %s", text, e.text);
	composer_put(c, make_record(arena), p, &out);
	if (strcmp(buf_text(&out), expected) != 0)
		fail_msg("%s: %s, expected %s", text, buf_text(&out), expected);
	composer_free(c);
	pattern_free(p);
	buf_fini(&out);
	arena_free(arena);
}

static void a_template_inserts_fields_tag_and_groups(void **state)
{
	(void)state;
	static const struct {
		const char *text, *regex, *expected;
	} cases[] = {
		{"updated", NULL, "updated"},
		{"T.$0.$1.$2", "^v(.)$", "T.v1.1."},
		{"T.[$0]", "^v", "T.[]"},
		{"T.[$0]", NULL, "T.[]"},
		/* $10 is group 1, followed by the character 0. */
		{"T.$0$1x$10", "^(?<x>v)(?<y>z)?", "T.vvx0"},
		{"<$2>", "^(?<x>v)(?<y>z)?", "<>"},
		{"$TAG[0]-$TAG[1]_$TAG[5].end", NULL, "kube-*_.end"},
		{"n$n.f$f.b$b.nul$nul.x$miss.", NULL,
		 "n5.f1.500000.btrue.nulnull.x"},
		/* After a key, one separator at the end is lost. */
		{"x.$a.", NULL, "x.v1"},
		{"x.$a..", NULL, "x.v1.."},
		{"x.$a:", NULL, "x.v1:"},
		{"$a.$1.", "^v(.)$", "v1.1."},
		{"$big", NULL, "-9223372036854775808"},
		/* A $ that follows the tag is plain text. */
		{"$TAG$a", NULL, "kube.*$a"},
		{"$TAG[0]$a.$a", NULL, "kube$a.v1"},
		{"$TAG_copy", NULL, "kube.*_copy"},
		{"$TAGGED", NULL, "kube.*GED"},
		{"/log/$a/x.log", NULL, "/log/v1/x.log"},
		{"/log/$a", NULL, "/log/v1"},
		{"$a $a,$a:$a'$a\"$a", NULL, "v1 v1,v1:v1'v1\"v1"},
		{"$user-agent.log", NULL, "curl.log"},
		{"<$m><$l>", NULL, "<><>"},
		{"$m['app'].$l[1]['p.q']/$l[0]x", NULL, "web.7/firstx"},
		/* A $ at the end is lost. */
		{"$", NULL, ""},
		{"a$", NULL, "a"},
		{"$a.$", NULL, "v1."},
		{"", NULL, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_composed(cases[i].text, cases[i].regex,
			       cases[i].expected);
}

static void a_text_with_a_broken_variable_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"$a[x]",     "$a[", "$a['k'", "x.$a[]", "$TAG[x]", "$TAG[",
		"$TAG['a']", "$$a", "a.$.b",  "$-",	"$ a"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e = {0};
		assert_null(composer_new(span_of(cases[i]), &e));
		assert_true(e.text[0] != '\0');
	}
}

int main(void)
{
	struct err e;
	if (!log_open(NULL, LOG_OFF, &e))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_accessor_finds_the_value_that_it_names),
		cmocka_unit_test(a_key_with_a_dot_is_one_key),
		cmocka_unit_test(the_accessor_tag_finds_a_field_of_that_name),
		cmocka_unit_test(
			an_accessor_finds_its_key_in_records_of_any_order),
		cmocka_unit_test(a_malformed_accessor_is_refused),
		cmocka_unit_test(a_template_inserts_fields_tag_and_groups),
		cmocka_unit_test(a_text_with_a_broken_variable_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
