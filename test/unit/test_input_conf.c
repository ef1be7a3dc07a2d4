/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "conf_unit.h"
#include "record/parser.h"
#include "run/assemble.h"
#include "run/decoder.h"
#include "run/input_conf.h"

/* The caller frees the configuration, to which the input's texts belong. */
static struct decoder *read_input(const char *keys, struct conf **c,
				  struct input *in, struct err *e)
{
	char text[1024];
	snprintf(text, sizeof text, "[INPUT]\n%s", keys);
	struct parser_set *none = parser_set_new();
	*c = read_text(text);
	struct decoder *d =
		input_conf_read(conf_section(*c, 0), 3, none, in, e);
	parser_set_free(none);
	return d;
}

static void what_is_not_set_has_its_default(void **state)
{
	(void)state;
	struct conf *c;
	struct input in;
	struct err e = {0};
	struct decoder *d = read_input("    Name Syslog\n    Path /a/b.sock\n",
				       &c, &in, &e);
	assert_string_equal(e.text, "");
	assert_string_equal(in.name, "syslog.3");
	assert_string_equal(in.socket.path, "/a/b.sock");
	assert_int_equal(in.socket.mode, 0666);
	assert_int_equal(in.socket.queue_length, 4096);
	assert_int_equal(in.message_bytes_max, 212992);
	decoder_free(d);
	conf_free(c);
}

static void keys_of_fluent_bit_without_meaning_are_accepted(void **state)
{
	struct conf *c;
	struct input in;
	struct err e = {0};
	struct decoder *d = read_input(
		"    Name syslog\n    Path /a\n    Alias x\n"
		"    Mem_Buf_Limit 5M\n    Listen 0.0.0.0\n    Port 514\n"
		"    net.keepalive on\n    tls off\n    tls.verify off\n"
		"    Interval_Sec 1\n",
		&c, &in, &e);
	assert_string_equal(e.text, "");
	assert_string_equal(in.name, "x");
	assert_int_equal(times_said(state, "has no meaning here"), 7);
	decoder_free(d);
	conf_free(c);
}

#define LONG_49 "/234567890123456789012345678901234567890123456789"

static void a_mistake_is_told_at_its_key(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *says;
	} cases[] = {
		{"    Path /a\n", "x.conf:1: [INPUT] Name is missing: "},
		{"    Name tail\n    Path /a\n",
		 "x.conf:2: [INPUT] unknown input \"tail\"; known: syslog"},
		{"    Name syslog\n", "x.conf:1: [INPUT] Path is missing: "},
		{"    Name syslog\n    Pth /a\n",
		 "x.conf:3: [INPUT] unknown key \"Pth\"; did you mean "
		 "\"Path\"?"},
		{"    Name syslog\n    Path " LONG_49 LONG_49 "/123456789\n",
		 "x.conf:3: [INPUT] Path: socket "},
		{"    Name syslog\n    Path /a\n    Mode tcp\n",
		 "x.conf:4: [INPUT] Mode tcp"},
		{"    Name syslog\n    Path /a\n    Unix_Perm 1777\n",
		 "x.conf:4: [INPUT] Unix_Perm"},
		{"    Name syslog\n    Path /a\n    Parser json\n",
		 "x.conf:4: [INPUT] unknown parser \"json\""},
		{"    Name syslog\n    Path /a\n    Tga x\n",
		 "x.conf:4: [INPUT] unknown key \"Tga\"; did you mean "
		 "\"Tag\"?"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct conf *c;
		struct input in;
		struct err e = {0};
		assert_null(read_input(cases[i].keys, &c, &in, &e));
		if (strstr(e.text, cases[i].says) != e.text)
			fail_msg("case %zu: %s", i, e.text);
		assert_int_equal(e.exit_code, EXIT_CODE_CONFIG);
		conf_free(c);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	const struct CMUnitTest tests[] = {
		T(what_is_not_set_has_its_default),
		T(keys_of_fluent_bit_without_meaning_are_accepted),
		T(a_mistake_is_told_at_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
