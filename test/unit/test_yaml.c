/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static struct conf *read_yaml(const char *text)
{
	file_write_text("x.yaml", text);
	return conf_from_file("x.yaml");
}

static void yaml_sections_equal_those_of_the_classic_format(void **state)
{
	(void)state;
	struct conf *c = read_yaml("service:\n"
				   "  flush: 0.2\n"
				   "parsers:\n"
				   "  - name: p\n"
				   "    format: json\n"
				   "pipeline:\n"
				   "  inputs:\n"
				   "    - {Name: syslog, tag: a}\n"
				   "    - name: syslog\n"
				   "  filters:\n"
				   "    - name: grep\n"
				   "  outputs: [{name: file}]\n");
	static const struct {
		const char *name, *key, *value;
	} expected[] = {
		{"SERVICE", "Flush", "0.2"}, {"PARSER", "Name", "p"},
		{"INPUT", "Tag", "a"},	     {"INPUT", "Name", "syslog"},
		{"FILTER", "Name", "grep"},  {"OUTPUT", "Name", "file"}};
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_true(conf_is(conf_section(c, i), expected[i].name));
		assert_string_equal(conf_value(c, i, expected[i].key),
				    expected[i].value);
	}
	assert_null(conf_section(c, COUNT(expected)));
	struct err e = {0};
	conf_err_key(conf_section(c, 1), "Format", &e, "x");
	assert_string_equal(e.text, "x.yaml:5: [PARSER] x");
	conf_err(conf_section(c, 3), &e, "x");
	assert_string_equal(e.text, "x.yaml:9: [INPUT] x");
	conf_free(c);
}

static void a_value_is_its_text_whatever_its_type(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *value;
	} cases[] = {
		{"5", "5"},
		{"\"5\"", "5"},
		{"0x1F", "0x1F"},
		{"1.50", "1.50"},
		{"true", "true"},
		{"Off", "Off"},
		{"'a # b'", "a # b"},
		{"a # b", "a"},
		{"'  a b '", "a b"},
		{"\"a\\tb\"", "a\tb"},
		{"|\n          a\n          b\n", "a\nb"},
		{"'^(?<a>\\d+)$'", "^(?<a>\\d+)$"},
		{"\"\"", NULL},
		{"", NULL},
		{"null", "null"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		snprintf(text, sizeof text,
			 "pipeline:\n  inputs:\n    - key: %s\n",
			 cases[i].yaml);
		struct conf *c = read_yaml(text);
		const char *value = conf_value(c, 0, "Key");
		if (cases[i].value == NULL)
			assert_null(value);
		else
			assert_string_equal(value, cases[i].value);
		conf_free(c);
	}
}

static void a_list_means_the_key_is_given_several_times(void **state)
{
	(void)state;
	struct conf *c = read_yaml("pipeline:\n"
				   "  filters:\n"
				   "    - name: rewrite_tag\n"
				   "      rule:\n"
				   "        - $a ^b$ c true\n"
				   "        - $d ^e$ f false\n"
				   "      none: []\n");
	struct conf_section *s = conf_section(c, 0);
	struct err e = {0};
	assert_string_equal(conf_get_each(s, "Rule", 0), "$a ^b$ c true");
	assert_string_equal(conf_get_each(s, "Rule", 1), "$d ^e$ f false");
	assert_false(conf_err_key(s, "Rule", &e, "x"));
	assert_string_equal(e.text, "x.yaml:6: [FILTER] x");
	assert_null(conf_get_each(s, "Rule", 2));
	assert_null(conf_get_each(s, "None", 0));
	conf_free(c);
}

static void keys_may_be_in_camel_case(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *key;
	} cases[] = {
		{"memBufLimit", "Mem_Buf_Limit"},
		{"mem_buf_limit", "Mem_Buf_Limit"},
		{"Mem_Buf_Limit", "Mem_Buf_Limit"},
		{"MEM_BUF_LIMIT", "Mem_Buf_Limit"},
		{"mem_Buf_Limit", "Mem_Buf_Limit"},
		{"MemBufLimit", "MemBufLimit"},
		{"storage.maxChunksUp", "storage.max_chunks_up"},
		{"tag", "Tag"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		snprintf(text, sizeof text, "service:\n  %s: found\n",
			 cases[i].yaml);
		struct conf *c = read_yaml(text);
		if (conf_value(c, 0, cases[i].key) == NULL)
			fail_msg("%s", cases[i].yaml);
		conf_free(c);
	}
}

static void variables_are_set_as_a_map_or_a_list(void **state)
{
	(void)state;
	file_write_text("secret", "hidden\n");
	static const struct {
		const char *env, *value;
	} cases[] = {
		{"{A: b, C: d}", "b-d"},
		{"[{name: A, value: b}, {C: d}]", "b-d"},
		{"[{name: A, uri: 'file://secret', refresh_interval: 5s}, "
		 "{name: C, value: 1}]",
		 "hidden-1"},
		{"{A: 'file://secret', C: ''}", "hidden-"},
	};
	unsetenv("C");
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[256];
		snprintf(text, sizeof text,
			 "service: {key: '${A}-${C}'}\nenv: %s\n",
			 cases[i].env);
		struct conf *c = read_yaml(text);
		assert_string_equal(conf_value(c, 0, "Key"), cases[i].value);
		conf_free(c);
	}
}

static void included_sections_take_the_place_of_the_include(void **state)
{
	struct conf_dir *p = *state;
	char path[96];
	assert_int_equal(mkdir("conf", 0755), 0);
	assert_int_equal(mkdir("conf/more", 0755), 0);
	file_write_text("conf/main.yaml",
			"env: {A: 1}\n"
			"includes:\n"
			"  - more/*.yaml\n"
			"  - one.yml\n"
			"pipeline: {outputs: [{key: main}]}\n");
	file_write_text("conf/one.yml", "pipeline: {outputs: [{key: one}]}\n");
	file_write_text("conf/more/a.yaml",
			"includes: [deep.yaml]\n"
			"pipeline: {outputs: [{key: a}]}\n");
	file_write_text("conf/more/deep.yaml", "x: {}\n");
	assert_conf_refused(
		"conf/main.yaml",
		"conf/main.yaml:3: includes: conf/more/a.yaml:1: "
		"includes: conf/more/deep.yaml:1: unknown key \"x\"; "
		"known: env, includes, service, parsers, pipeline, "
		"multiline_parsers, customs, stream_processor, plugins, "
		"upstream_servers, extensions");
	file_write_text("conf/more/a.yaml",
			"pipeline: {outputs: [{key: a}]}\n");
	file_write_text("conf/more/deep.yaml",
			"---\n---\nservice: {key: '${A}'}\n");
	static const char *const expected[] = {"a", "1", "one", "main"};
	snprintf(path, sizeof path, "%s/conf/main.yaml", p->dir);
	const char *const names[] = {"conf/main.yaml", path};
	for (size_t n = 0; n < COUNT(names); n++) {
		struct conf *c = conf_from_file(names[n]);
		for (size_t i = 0; i < COUNT(expected); i++)
			assert_string_equal(conf_value(c, i, "Key"),
					    expected[i]);
		assert_null(conf_section(c, COUNT(expected)));
		conf_free(c);
	}
}

static void a_pattern_that_matches_nothing_is_reported(void **state)
{
	conf_free(read_yaml("\nincludes: [none/*.yaml]\n"));
	assert_logged(state, "at=x.yaml:2 key=includes err=\"no file matches\" "
			     "path=none/*.yaml action=\"including "
			     "nothing\"\n");
}

static void relative_names_are_searched_beside_the_real_file_too(void **state)
{
	(void)state;
	assert_int_equal(mkdir("data", 0755), 0);
	assert_int_equal(mkdir("etc", 0755), 0);
	file_write_text("data/main.yaml", "includes: [part.yaml]\n");
	file_write_text("data/part.yaml", "service: {key: real}\n");
	assert_int_equal(symlink("../data/main.yaml", "etc/main.yaml"), 0);
	struct conf *c = conf_from_file("etc/main.yaml");
	assert_string_equal(conf_value(c, 0, "Key"), "real");
	conf_free(c);
}

static void an_unsupported_section_is_read_without_keys(void **state)
{
	(void)state;
	struct conf *c = read_yaml("customs: [{name: x}]\n"
				   "multiline_parsers:\n"
				   "  - name: y\n"
				   "    rules: [{state: start}]\n");
	struct err e = {0};
	assert_true(conf_is(conf_section(c, 0), "CUSTOM"));
	assert_true(conf_is(conf_section(c, 1), "MULTILINE_PARSER"));
	assert_true(conf_section_end(conf_section(c, 1), &e));
	assert_null(conf_section(c, 2));
	conf_free(c);
}

static void an_empty_file_is_an_empty_configuration(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", "\n# x\n", "---\n", "service:", "pipeline:\n  inputs:\n"};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct conf *c = read_yaml(texts[i]);
		assert_true(conf_section(c, 0) == NULL ||
			    conf_section(c, 1) == NULL);
		conf_free(c);
	}
}

static void malformed_yaml_is_refused_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"service: {}\npipline: {}\n",
		 "x.yaml:2: unknown key \"pipline\"; did you mean "
		 "\"pipeline\"?"},
		{"pipeline:\n  input: []\n",
		 "x.yaml:2: unknown key \"input\"; did you mean \"inputs\"?"},
		{"pipeline:\n  inputs:\n    name: tail\n",
		 "x.yaml:3: inputs must be a list: `- ...`"},
		{"pipeline:\n  inputs:\n    - syslog\n",
		 "x.yaml:3: INPUT must have keys: `key: value`"},
		{"service:\n  flush:\n    a: b\n",
		 "x.yaml:3: \"flush\" must be one text or number"},
		{"service:\n  flush: [1, [2]]\n",
		 "x.yaml:2: \"flush\" must be one text or number"},
		{"service:\n  ? [a]\n  : b\n",
		 "x.yaml:2: a key must be one word"},
		{"service:\n  key: \"a\\0b\"\n",
		 "x.yaml:2: \"key\" has a NUL byte"},
		{"pipeline:\n  inputs:\n    - processors: {}\n",
		 "x.yaml:3: processors are not supported: use filters "
		 "under pipeline instead"},
		{"- a\n", "x.yaml:1: a configuration must have keys: `key: "
			  "value`"},
		{"a: b: c\n", "x.yaml:1: invalid YAML: mapping values are not "
			      "allowed in this context"},
		{"service:\n\tflush: 1\n",
		 "x.yaml:2: invalid YAML: found character "
		 "that cannot start any token"},
		{"service: \"\xff\"\n",
		 "x.yaml:1: invalid YAML: invalid leading "
		 "UTF-8 octet"},
		{"service: *none\n",
		 "x.yaml:1: invalid YAML: found undefined alias"},
		{"env: [{value: a}]\n",
		 "x.yaml:1: env: a name and a value are needed"},
		{"env: {A: [b]}\n",
		 "x.yaml:1: a variable must be one text or number"},
		{"env:\n  A: file:///none\n",
		 "x.yaml:2: env: /none: No such file or directory"},
		{"includes:\n  - none.yaml\n",
		 "x.yaml:2: includes: none.yaml: No such file or directory"},
		{"includes: none.yaml\n",
		 "x.yaml:1: includes must be a list: `- ...`"},
		{"includes: [x.yaml]\n",
		 "x.yaml:1: includes: ./x.yaml was read already: a file is "
		 "read only once"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		file_write_text("x.yaml", cases[i].text);
		assert_conf_refused("x.yaml", cases[i].message);
	}
}

static void nesting_has_a_limit(void **state)
{
	enum { DEEP = 65, VERY_DEEP = 200000 };
	static const struct {
		const char *open, *close;
		size_t count;
	} cases[] = {
		{"[", "]", DEEP},
		{"[", "", VERY_DEEP},
		{"{a: ", "", VERY_DEEP},
		{"- ", "", DEEP},
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf text = {0};
		for (size_t n = 0; n < cases[i].count; n++)
			buf_put_text(&text, cases[i].open);
		buf_put_text(&text, "x");
		for (size_t n = 0; n < cases[i].count; n++)
			buf_put_text(&text, cases[i].close);
		file_write_text("x.yaml", buf_text(&text));
		assert_conf_refused("x.yaml", "x.yaml:1: maps and lists are "
					      "nested deeper than 64");
		buf_fini(&text);
	}
}

static void text_that_came_from_no_file_cannot_include_files(void **state)
{
	(void)state;
	static const char text[] = "includes: [x.yaml]\n";
	struct err e = {0};
	assert_null(conf_read_text("t.yaml", text, strlen(text), &e));
	assert_string_equal(e.text, "t.yaml:1: includes are possible only in a "
				    "file");
}

static void a_long_chain_of_includes_stops_at_a_limit(void **state)
{
	(void)state;
	char name[32], text[64];
	for (int i = 0; i < 1100; i++) {
		snprintf(name, sizeof name, "%d.yaml", i);
		snprintf(text, sizeof text, "includes: [%d.yaml]\n", i + 1);
		file_write_text(name, text);
	}
	struct err e = {0};
	assert_null(conf_read("0.yaml", &e));
	assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
}

int main(void)
{
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(yaml_sections_equal_those_of_the_classic_format),
		T(a_value_is_its_text_whatever_its_type),
		T(a_list_means_the_key_is_given_several_times),
		T(keys_may_be_in_camel_case),
		T(variables_are_set_as_a_map_or_a_list),
		T(included_sections_take_the_place_of_the_include),
		T(a_pattern_that_matches_nothing_is_reported),
		T(relative_names_are_searched_beside_the_real_file_too),
		T(an_unsupported_section_is_read_without_keys),
		T(an_empty_file_is_an_empty_configuration),
		T(malformed_yaml_is_refused_with_its_line),
		T(nesting_has_a_limit),
		T(text_that_came_from_no_file_cannot_include_files),
		T(a_long_chain_of_includes_stops_at_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
