/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_dir.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "parse/parser.h"
#include "pipeline/decoder.h"
#include "setup/assemble.h"
#include "setup/input_conf.h"

/* Read the section of the fourth input.  The caller frees the configuration,
 * which owns the texts of the input. */
static struct decoder *read_input(const char *keys, struct conf **c,
				  struct input *in, struct err *e)
{
	char text[1024];
	snprintf(text, sizeof text, "[INPUT]\n%s", keys);
	struct parser_set *none = parser_set_new();
	const struct input earlier[] = {
		{.name = "one"}, {.name = "two"}, {.name = "three"}};
	struct input_env env = {.parsers = none, .inputs = earlier};
	*c = conf_from_text(text);
	struct decoder *d =
		input_conf_read(conf_section(*c, 0), 3, &env, in, e);
	parser_set_free(none);
	return d;
}

static void a_key_that_is_not_set_has_its_default(void **state)
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
	assert_int_equal(in.socket.kind, SOCKET_UNIX_UDP);
	assert_int_equal(in.message_bytes_max, 212992);
	assert_false(in.keeps_peer_address);
	decoder_free(d);
	conf_free(c);
}

static void each_mode_has_its_keys(void **state)
{
	(void)state;
	static const struct {
		const char *keys;
		struct input is;
	} cases[] = {
		{"    Mode UNIX_TCP\n    Path /a\n    Unix_Perm 0600\n"
		 "    Format octet_counting\n    Buffer_Max_Size 1M\n",
		 {.socket = {.kind = SOCKET_UNIX_TCP,
			     .path = "/a",
			     .mode = 0600},
		  .message_bytes_max = 1000000,
		  .framing = FRAMING_OCTETS}},
		{"    Mode tcp\n",
		 {.socket = {.kind = SOCKET_TCP,
			     .path = "0.0.0.0",
			     .port = 5140},
		  .message_bytes_max = 212992}},
		{"    Mode tcp\n    Format octet\n    Listen ::\n"
		 "    Source_Address_Key a\n    Buffer_Chunk_Size 300k\n"
		 "    Buffer_Max_Size 10\n",
		 {.socket = {.kind = SOCKET_TCP, .path = "::", .port = 5140},
		  .message_bytes_max = 300000,
		  .framing = FRAMING_OCTETS,
		  .keeps_peer_address = true}},
		{"    Mode udp\n    Port 514\n    Receive_Buffer_Size 2M\n"
		 "    Buffer_Max_Size 1M\n    Source_Address_Key a\n",
		 {.socket = {.kind = SOCKET_UDP,
			     .path = "0.0.0.0",
			     .port = 514,
			     .receive_bytes = 2000000},
		  .message_bytes_max = 212992,
		  .keeps_peer_address = true}},
		{"    Path /a\n    Source_Address_Key a\n    Format octet\n",
		 {.socket = {.path = "/a", .mode = 0666, .queue_length = 4096},
		  .message_bytes_max = 212992}},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char keys[512];
		struct conf *c;
		struct input in;
		struct err e = {0};
		snprintf(keys, sizeof keys, "    Name syslog\n%s",
			 cases[i].keys);
		struct decoder *d = read_input(keys, &c, &in, &e);
		const struct input *is = &cases[i].is;
		if (d == NULL)
			fail_msg("case %zu: %s", i, e.text);
		assert_int_equal(in.socket.kind, is->socket.kind);
		assert_string_equal(in.socket.path, is->socket.path);
		assert_int_equal(in.socket.port, is->socket.port);
		assert_int_equal(in.socket.mode, is->socket.mode);
		assert_int_equal(in.socket.queue_length,
				 is->socket.queue_length);
		assert_int_equal(in.socket.receive_bytes,
				 is->socket.receive_bytes);
		assert_int_equal(in.message_bytes_max, is->message_bytes_max);
		assert_int_equal(in.framing, is->framing);
		assert_int_equal(in.keeps_peer_address, is->keeps_peer_address);
		decoder_free(d);
		conf_free(c);
	}
}

static void ignored_keys_of_fluent_bit_are_accepted(void **state)
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
	assert_int_equal(times_logged(state, "has no effect"), 4);
	assert_logged(state, "level=warn mod=conf at=x.conf:6 section=INPUT "
			     "key=Listen err=\"Mode unix_udp does not use this "
			     "key: a Unix socket has a Path\" "
			     "action=\"ignoring it\"\n");
	assert_int_equal(times_logged(state, "does not use this key"), 2);
	decoder_free(d);
	conf_free(c);
}

#define LONG_49 "/234567890123456789012345678901234567890123456789"

static void a_mistake_is_reported_at_its_key(void **state)
{
	(void)state;
	static const struct {
		const char *keys, *says;
	} cases[] = {
		{"    Path /a\n", "x.conf:1: [INPUT] Name is missing: "},
		{"    Name tail\n    Path /a\n",
		 "x.conf:2: [INPUT] \"tail\" is a plug-in of Fluent Bit that sluiced"},
		{"    Name syslog\n", "x.conf:1: [INPUT] Path is missing: "},
		{"    Name syslog\n    Pth /a\n",
		 "x.conf:3: [INPUT] unknown key \"Pth\"; did you mean "
		 "\"Path\"?"},
		{"    Name syslog\n    Path " LONG_49 LONG_49 "/123456789\n",
		 "x.conf:3: [INPUT] Path: socket "},
		{"    Name syslog\n    Path /a\n    Mode unix\n",
		 "x.conf:4: [INPUT] "},
		{"    Name syslog\n    Mode tcp\n    Port 70000\n",
		 "x.conf:4: [INPUT] Port"},
		{"    Name syslog\n    Mode tcp\n    Queue_Length 9\n",
		 "x.conf:4: [INPUT] Mode tcp does not use Queue_Length: it is "
		 "for Mode unix_udp"},
		{"    Name syslog\n    Mode tcp\n    Format lines\n",
		 "x.conf:4: [INPUT] "},
		{"    Name syslog\n    Mode tcp\n    tls on\n",
		 "x.conf:4: [INPUT] TLS is not supported"},
		{"    Name syslog\n    Mode tcp\n    Buffer_Max_Size 17M\n",
		 "x.conf:4: [INPUT] Buffer_Max_Size can be 16M at most"},
		{"    Name syslog\n    Mode udp\n    Receive_Buffer_Size 2G\n",
		 "x.conf:4: [INPUT] Receive_Buffer_Size"},
		{"    Name syslog\n    Path /a\n    Source_Adress_Key a\n",
		 "x.conf:4: [INPUT] unknown key \"Source_Adress_Key\"; did you "
		 "mean \"Source_Address_Key\"?"},
		{"    Name syslog\n    Path /a\n    Unix_Perm 1777\n",
		 "x.conf:4: [INPUT] Unix_Perm"},
		{"    Name syslog\n    Path /a\n    Parser json\n",
		 "x.conf:4: [INPUT] unknown parser \"json\""},
		{"    Name syslog\n    Path /a\n    Alias two\n",
		 "x.conf:4: [INPUT] another input is called \"two\"; give one "
		 "of the two another Alias"},
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
#define T(name)                                                \
	cmocka_unit_test_setup_teardown(name, conf_dir_set_up, \
					conf_dir_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_key_that_is_not_set_has_its_default),
		T(each_mode_has_its_keys),
		T(ignored_keys_of_fluent_bit_are_accepted),
		T(a_mistake_is_reported_at_its_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
