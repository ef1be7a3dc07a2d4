/* SPDX-License-Identifier: Apache-2.0 */
/* Each test writes a script, opens the filter with it and looks at what comes
 * of records; a result is told as "seconds.nanoseconds json". */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/say.h"
#include "conf/conf.h"
#include "filter/kinds.h"
#include "record/json.h"
#include "record/message.h"
#include "record/record.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { T_S = 1795219198 }; /* 2026-11-20 23:59:58 UTC */
static const int64_t T = T_S * NS_PER_S;
#define T_TEXT "1795219198.000000000 "

struct fixture {
	struct emit emit; /* the first member: next() finds the rest */
	char dir[64];
	char path[96];
	struct conf *conf;
	struct filter *filter;
	struct arena *arena;
	struct json_reader *json;
	struct message message;
	bool dead_letters;
	struct buf out;
};

static void put_record(struct buf *out, const struct record *r)
{
	buf_printf(out, "%s%lld.%09lld ", out->len > 0 ? " | " : "",
		   (long long)(r->time_ns / NS_PER_S),
		   (long long)(r->time_ns % NS_PER_S));
	json_write_record(out, r);
}

static void on_next(struct emit *emit, struct record *r)
{
	struct fixture *f = (struct fixture *)emit;
	assert_ptr_equal(r->message, &f->message);
	assert_true(span_equals(r->tag, SPAN("kube.*")));
	put_record(&f->out, r);
}

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->emit.next = on_next;
	snprintf(f->dir, sizeof f->dir, "/tmp/test_lua.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof f->path, "%s/hook.lua", f->dir);
	f->arena = arena_new(16384);
	f->json = json_reader_new();
	*state = f;
	return 0;
}

static void close_hook(struct fixture *f)
{
	if (f->filter != NULL)
		filter_lua.close(f->filter);
	f->filter = NULL;
	conf_free(f->conf);
	f->conf = NULL;
}

static int stop(void **state)
{
	struct fixture *f = *state;
	close_hook(f);
	json_reader_free(f->json);
	arena_free(f->arena);
	buf_fini(&f->out);
	unlink(f->path);
	int rc = rmdir(f->dir);
	free(f);
	return rc;
}

static bool open_with(struct fixture *f, const char *script, const char *keys,
		      struct err *e)
{
	close_hook(f);
	FILE *file = fopen(f->path, "w");
	assert_non_null(file);
	fputs(script, file);
	fclose(file);

	struct buf text = {0};
	buf_printf(&text, "[FILTER]\n%s", keys);
	f->conf = conf_read_text("t.conf", text.ptr, text.len, e);
	buf_fini(&text);
	assert_non_null(f->conf);
	struct conf_section *s = conf_section(f->conf, 0);
	const struct filter_env env = {.conf_dir = f->dir,
				       .dead_letters = f->dead_letters};
	f->filter = filter_lua.open(s, &env, e);
	if (f->filter == NULL)
		return false;
	f->filter->name = "lua.0";
	return conf_section_end(s, e);
}

#define KEYS " script hook.lua\n call hook\n"

static void open_script(struct fixture *f, const char *script)
{
	struct err e = {0};
	if (!open_with(f, script, KEYS, &e))
		fail_msg("%s", e.text);
}

/* The script is one function with this body. */
static void open_body(struct fixture *f, const char *body, const char *keys)
{
	struct buf script = {0};
	buf_printf(&script, "function hook(tag, ts, record) %s end\n", body);
	struct err e = {0};
	if (!open_with(f, buf_text(&script), keys, &e))
		fail_msg("%s: %s", body, e.text);
	buf_fini(&script);
}

static const char *give_at(struct fixture *f, const char *json, int64_t time_ns)
{
	arena_reset(f->arena);
	buf_clear(&f->out);
	struct record *r =
		record_new(f->arena, &f->message, SPAN("kube.*"), time_ns);
	assert_int_equal(json_read(f->json, span_of(json), r), JSON_READ);
	switch (filter_lua.apply(f->filter, r, &f->emit)) {
	case FILTER_PASS:
		put_record(&f->out, r);
		break;
	case FILTER_DROP:
		buf_put_text(&f->out, "dropped");
		break;
	case FILTER_UNDECIDED:
		buf_put_text(&f->out, "undecided");
		break;
	case FILTER_DONE:
		break;
	}
	return buf_text(&f->out);
}

static const char *give(struct fixture *f, const char *json)
{
	return give_at(f, json, T);
}

static uint64_t failures(const struct fixture *f, const char *reason)
{
	for (size_t i = 0; filter_lua.failures[i] != NULL; i++)
		if (strcmp(filter_lua.failures[i], reason) == 0)
			return f->filter->stats.failures[i];
	fail_msg("no such reason: %s", reason);
	return 0;
}

static uint64_t all_failures(const struct fixture *f)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < FILTER_FAILURES_MAX; i++)
		sum += f->filter->stats.failures[i];
	return sum;
}

struct hook_case {
	const char *body;
	const char *in;
	const char *out;
};

static void check_cases(struct fixture *f, const struct hook_case *cases,
			size_t count, const char *reason)
{
	for (size_t i = 0; i < count; i++) {
		const struct hook_case *c = &cases[i];
		open_body(f, c->body, KEYS);
		const char *out = give(f, c->in);
		if (strcmp(out, c->out) != 0)
			fail_msg("%s\n given: %s\n  want: %s\n   got: %s",
				 c->body, c->in, c->out, out);
		if (reason == NULL && all_failures(f) != 0)
			fail_msg("%s: counted as a failure", c->body);
		if (reason != NULL && failures(f, reason) != 1)
			fail_msg("%s: not counted as %s", c->body, reason);
	}
}

static void the_code_says_what_becomes_of_the_record(void **state)
{
	static const struct hook_case cases[] = {
		{"record.a = 2 return 0, ts, record", "{\"a\":1}",
		 T_TEXT "{\"a\":1}"},
		{"return 1, 123.5, {a=1}", "{\"b\":1}",
		 "123.500000000 {\"a\":1}"},
		{"return 2, 0, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return -1, 0, 0", "{\"a\":1}", "dropped"},
		{"return 1, ts, {}", "{\"a\":1}", T_TEXT "{}"},
		{"return '1', ts, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return 1.0, ts, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return 1.9, ts, {a=1}", "{}", T_TEXT "{\"a\":1}"},
		{"return nil, ts, {a=1}", "{}", T_TEXT "{}"},
		{"return", "{\"a\":1}", T_TEXT "{\"a\":1}"},
		{"return 1, nil, record", "{\"a\":1}", "0.000000000 {\"a\":1}"},
		{"return 1, '77.25', record", "{}", "77.250000000 {}"},
		{"return 1, 4e9, record", "{}", "4000000000.000000000 {}"},
		{"return 1, ts, {{a=1},{b=2}}", "{}",
		 T_TEXT "{\"a\":1} | " T_TEXT "{\"b\":2}"},
		{"return 1, 5, {{a=1},{}}", "{}",
		 "5.000000000 {\"a\":1} | 5.000000000 {}"},
		{"return 2, 5, {record, record, {in_it=record}}",
		 "{\"a\":1,\"m\":{\"x\":1}}",
		 T_TEXT "{\"a\":1,\"m\":{\"x\":1}} | " T_TEXT
			"{\"a\":1,\"m\":{\"x\":1}} | " T_TEXT
			"{\"in_it\":{\"a\":1,\"m\":{\"x\":1}}}"},
	};
	check_cases(*state, cases, COUNT(cases), NULL);
}

static void the_record_is_a_table(void **state)
{
	static const struct hook_case cases[] = {
		{"return 1, ts, {t=type(record), n=record.none, a=record.a, "
		 "s=record['s'], i=record[1]}",
		 "{\"a\":1,\"s\":\"x\",\"1\":2}",
		 T_TEXT "{\"a\":1,\"s\":\"x\",\"t\":\"table\"}"},
		/* assigned, in place and behind */
		{"record.b = 'B' record.z = true record.y = 1.5 "
		 "return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"c\":3}",
		 T_TEXT "{\"a\":1,\"b\":\"B\",\"c\":3,\"y\":1.5,\"z\":true}"},
		/* read again after it was written */
		{"record.a = 2 record.n = record.a + 1 record.n = record.n+1 "
		 "return 1, ts, record",
		 "{\"a\":1}", T_TEXT "{\"a\":2,\"n\":4}"},
		/* removed, also after it was written */
		{"record.a = nil record.b = 5 record.b = nil record.x = 1 "
		 "record.x = nil record.c2 = record.a == nil and "
		 "record.b == nil return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"c\":3}", T_TEXT "{\"c\":3,\"c2\":true}"},
		/* removed and put back: in its place */
		{"record.a = nil record.a = 9 return 1, ts, record",
		 "{\"a\":1,\"b\":2}", T_TEXT "{\"a\":9,\"b\":2}"},
		/* nested */
		{"record.m.x = 2 record.m.l[2] = 'q' return 1, ts, record",
		 "{\"m\":{\"x\":1,\"l\":[1,2,3]},\"b\":1}",
		 T_TEXT "{\"m\":{\"l\":[1,\"q\",3],\"x\":2},\"b\":1}"},
		{"local m = record.m m.x = nil return 1, ts, record",
		 "{\"m\":{\"x\":1}}", T_TEXT "{\"m\":{}}"},
		{"local t = {} record.t = t t.x = 1 return 1, ts, record", "{}",
		 T_TEXT "{\"t\":{\"x\":1}}"},
		{"record.l[#record.l + 1] = 4 return 1, ts, record",
		 "{\"l\":[1,2,3]}", T_TEXT "{\"l\":[1,2,3,4]}"},
		/* the last of two equal keys */
		{"record.c = record.a return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"a\":3}",
		 T_TEXT "{\"b\":2,\"a\":3,\"c\":3}"},
		{"record.a = nil return 1, ts, record",
		 "{\"a\":1,\"b\":2,\"a\":3}", T_TEXT "{\"b\":2}"},
		/* pairs, next, rawget, rawset */
		{"local s = '' for k, v in pairs(record) do "
		 "s = s .. k .. '=' .. tostring(v) .. ';' end "
		 "return 1, ts, {s = s}",
		 "{\"b\":1,\"a\":\"x\",\"b\":2,\"n\":null,\"f\":1.0}",
		 T_TEXT "{\"s\":\"a=x;b=2;f=1;\"}"},
		{"record.c = nil record.a = 'A' record.z = 'Z' local s = '' "
		 "for k, v in pairs(record) do s = s .. k .. v end "
		 "return 1, ts, {s = s}",
		 "{\"a\":1,\"b\":2,\"c\":3}", T_TEXT "{\"s\":\"aAb2zZ\"}"},
		{"for k, v in pairs(record) do record[k] = v .. '!' end "
		 "return 1, ts, record",
		 "{\"a\":\"1\",\"b\":\"2\"}",
		 T_TEXT "{\"a\":\"1!\",\"b\":\"2!\"}"},
		{"for k, v in pairs(record) do record[k] = nil end "
		 "return 1, ts, record",
		 "{\"a\":\"1\",\"b\":{\"c\":1}}", T_TEXT "{}"},
		{"for k, v in next, record do if k == 'a' then v.x = 2 end "
		 "end return 1, ts, record",
		 "{\"a\":{\"x\":1},\"b\":2}",
		 T_TEXT "{\"a\":{\"x\":2},\"b\":2}"},
		{"rawset(record, 'a', rawget(record, 'a') + 1) "
		 "rawset(record, 'b', nil) record.e = next({}) == nil "
		 "return 1, ts, record",
		 "{\"a\":1,\"b\":2}", T_TEXT "{\"a\":2,\"e\":true}"},
		{"return 1, ts, {e = next(record) == nil}", "{\"n\":null}",
		 T_TEXT "{\"e\":true}"},
		{"local n = 0 for i, v in ipairs(record) do n = n + 1 end "
		 "return 1, ts, {n = n, len = #record}",
		 "{\"a\":1}", T_TEXT "{\"len\":0,\"n\":0}"},
		{"return 1, ts, {p = pcall(setmetatable, record, {})}", "{}",
		 T_TEXT "{\"p\":false}"},
	};
	check_cases(*state, cases, COUNT(cases), NULL);
}

static void what_comes_back_is_as_after_a_round_trip(void **state)
{
	static const struct hook_case cases[] = {
		{"return 1, ts, record",
		 "{\"f\":1.0,\"n\":null,\"a\":[],\"a2\":[1,null,3]}",
		 T_TEXT "{\"f\":1,\"a\":[],\"a2\":[1,null,3]}"},
		/* the same when it was touched */
		{"local x = record.f, record.n, record.a, record.a2 "
		 "return 1, ts, record",
		 "{\"f\":1.0,\"n\":null,\"a\":[],\"a2\":[1,null,3]}",
		 T_TEXT "{\"f\":1,\"a\":[],\"a2\":[1,null,3]}"},
		{"return 2, ts, record",
		 "{\"m\":{\"f\":2.0,\"n\":null,\"d\":1,\"d\":2,\"e\":{}},"
		 "\"a\":[1.5,2.0,{\"n\":null},null,null]}",
		 T_TEXT "{\"m\":{\"f\":2,\"d\":2,\"e\":{}},"
			"\"a\":[1.5,2,{}]}"},
		{"return 1, ts, {f=1.0, z=-0.0, i=7, h=0.5, s='x', b=false, "
		 "big=9007199254740993, e={}, l={'a',nil,'c'}}",
		 "{}",
		 T_TEXT "{\"b\":false,\"big\":9007199254740993,\"e\":{},"
			"\"f\":1,\"h\":0.5,\"i\":7,\"l\":[\"a\",null,\"c\"],"
			"\"s\":\"x\",\"z\":0}"},
		{"return 1, ts, {l={[1]='a', x='y'}, m={[0]='o', [-1]='m', "
		 "[1.5]='h', [true]='t', x='y'}}",
		 "{}",
		 T_TEXT "{\"l\":[\"a\"],\"m\":{\"-1\":\"m\",\"0\":\"o\","
			"\"1.5\":\"h\",\"true\":\"t\",\"x\":\"y\"}}"},
		/* the order of the record, then that of the names */
		{"local n = {} for k, v in pairs(record) do n[k] = v end "
		 "n.b2 = 1 n.a2 = 1 return 1, ts, n",
		 "{\"z\":1,\"y\":2,\"x\":3}",
		 T_TEXT "{\"z\":1,\"y\":2,\"x\":3,\"a2\":1,\"b2\":1}"},
		{"return 1, ts, {outer = record}",
		 "{\"b\":1,\"a\":{\"x\":1.0}}",
		 T_TEXT "{\"outer\":{\"a\":{\"x\":1},\"b\":1}}"},
		{"return 1, ts, record",
		 "{\"i\":9007199254740993,\"s\":\"\\u0000\xff\"}",
		 T_TEXT "{\"i\":9007199254740993,"
			"\"s\":\"\\u0000\\ufffd\"}"},
	};
	check_cases(*state, cases, COUNT(cases), NULL);
}

#define IN "{\"a\":1,\"a\":2,\"f\":1.0,\"n\":null}"
#define KEPT T_TEXT "{\"a\":2,\"f\":1.0,\"n\":null}"

static void an_invalid_result_leaves_the_record_as_it_was(void **state)
{
	static const struct hook_case cases[] = {
		{"return 1, ts, 'x'", IN, KEPT},
		{"return 1, ts", IN, KEPT},
		{"return 1, ts, {1, 2}", IN, KEPT},
		{"return 1, ts, {{a=1}, nil, {b=1}}", IN, KEPT},
		{"return 1, ts, {{{a=1}}}", IN, KEPT},
		{"return 1, ts, {[1e9]={}}", IN, KEPT},
		{"return 1, ts, {l={[1e9]=1}}", IN, KEPT},
		{"return 1, ts, {l={[math.maxinteger]=1}}", IN, KEPT},
		{"return 1, ts, {f=print}", IN, KEPT},
		{"return 1, ts, {f=io.stdout}", IN, KEPT},
		{"return 1, ts, {[{}]=1}", IN, KEPT},
		{"record.a = 5 record.f = print return 1, ts, record", IN,
		 KEPT},
		{"record[1] = 'x' return 1, ts, record", IN, KEPT},
		{"record.me = record return 1, ts, record", IN, KEPT},
		{"record.x = {record} record.y = {record} "
		 "return 1, ts, record",
		 IN, KEPT},
		{"local t = {} t.t = t return 1, ts, t", IN, KEPT},
		{"local t = {} t.a = t t.b = t return 1, ts, {t = t}", IN,
		 KEPT},
		/* 2^40 values, not one cycle */
		{"local t = {} for i = 1, 40 do t = {a = t, b = t} end "
		 "return 1, ts, t",
		 IN, KEPT},
		{"return 1, ts, {s = ('x'):rep(9 * 1024 * 1024)}", IN, KEPT},
	};
	check_cases(*state, cases, COUNT(cases), "invalid_result");
}

static void a_failing_call_leaves_the_record_as_it_was(void **state)
{
	static const struct hook_case errors[] = {
		{"record.a = 3 record.b = 4 error('no')", IN, KEPT},
		{"return record.x.y", IN, KEPT},
		{"error({})", IN, KEPT},
		{"error()", IN, KEPT},
		{"error(setmetatable({}, {__tostring = error}))", IN, KEPT},
		{"os.exit(0)", IN, KEPT},
		{"hook = nil undefined()", IN, KEPT},
		{"return 1, ts, os.date('%Y', 1e300)", IN, KEPT},
	};
	check_cases(*state, errors, COUNT(errors), "error");
	static const struct hook_case codes[] = {
		{"return 3, ts, record", IN, KEPT},
		{"return -2, ts, record", IN, KEPT},
		{"return 1e300, ts, record", IN, KEPT},
	};
	check_cases(*state, codes, COUNT(codes), "bad_code");
	static const struct hook_case times[] = {
		{"return 1, -1, {}", IN, KEPT},
		{"return 1, -0.5, {}", IN, KEPT},
		{"return 1, 0/0, {}", IN, KEPT},
		{"return 1, 1/0, {}", IN, KEPT},
		{"return 1, 1e12, {}", IN, KEPT},
	};
	check_cases(*state, times, COUNT(times), "bad_time");
}

static void with_dead_letters_a_failing_call_decides_nothing(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *reason, *body;
	} cases[] = {
		{"error", "record.a = 3 error('no')"},
		{"memory_limit", "return 1, ts, {s = ('x'):rep(1e9)}"},
		{"bad_code", "return 3, ts, record"},
		{"invalid_result", "return 1, ts, 7"},
		{"bad_time", "return 1, -1, record"},
	};
	f->dead_letters = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		open_body(f, cases[i].body, KEYS);
		const char *out = give(f, "{\"a\":1}");
		if (strcmp(out, "undecided") != 0)
			fail_msg("%s: %s", cases[i].body, out);
		assert_int_equal(failures(f, cases[i].reason), 1);
	}
	open_body(f, "if record.a then return -1 end return 0", KEYS);
	assert_string_equal(give(f, "{\"a\":1}"), "dropped");
	assert_string_equal(give(f, "{}"), T_TEXT "{}");
	/* The time stays, and what the hook wants of the record is clear. */
	open_body(f, "return 1, 'no table', {b = 2}",
		  KEYS " time_as_table on\n");
	assert_string_equal(give(f, "{\"a\":1}"), T_TEXT "{\"b\":2}");
	assert_int_equal(failures(f, "bad_time"), 1);
}

static void a_hook_that_failed_is_called_again(void **state)
{
	struct fixture *f = *state;
	open_script(f, "c = 0\n"
		       "function hook(tag, ts, record)\n"
		       "  c = c + 1\n"
		       "  if c == 2 then error('two') end\n"
		       "  return 2, 0, {c = c, tag = tag}\n"
		       "end\n");
	assert_string_equal(give(f, "{}"),
			    T_TEXT "{\"c\":1,\"tag\":\"kube.*\"}");
	assert_string_equal(give(f, "{}"), T_TEXT "{}");
	assert_string_equal(give(f, "{}"),
			    T_TEXT "{\"c\":3,\"tag\":\"kube.*\"}");
	assert_int_equal(failures(f, "error"), 1);
}

static void the_message_of_an_error_is_told(void **state)
{
	struct fixture *f = *state;
	char log[128], text[1024] = {0};
	snprintf(log, sizeof log, "%s/log", f->dir);
	struct err e;
	assert_true(say_open(log, SAY_WARN, &e));
	open_script(f, "function hook(tag, ts, record)\n"
		       "  error('wrong \"thing\"')\n"
		       "end\n");
	give(f, "{\"secret\":\"s3cret\"}");
	give(f, "{}"); /* too soon to be told again */
	assert_true(say_open("/dev/stderr", SAY_INFO, &e));
	FILE *file = fopen(log, "r");
	assert_non_null(file);
	size_t n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	unlink(log);
	assert_true(n > 0);
	assert_non_null(strstr(text, "hook.lua:2: wrong \\\"thing\\\""));
	assert_non_null(strstr(text, "filter=lua.0 call=hook failure=error"));
	assert_null(strstr(text, "s3cret"));
	assert_ptr_equal(strchr(text, '\n'), text + n - 1);
	assert_int_equal(failures(f, "error"), 2);
}

/* The script as it is, and the time zone in which it runs. */
static void the_date_hook_routes_by_the_day(void **state)
{
	static const char script[] =
		"-- create-log-file-path.lua\n"
		"function create_log_file_path(tag, timestamp, record)\n"
		"  new_record = record\n"
		"  new_record[\"log_file_path\"] = os.date(\"%Y-%m%d\","
		"timestamp)..\"/istio-ingressgateway-access.log\"\n"
		"  return 1, timestamp, new_record\n"
		"end\n";
	static const char *const zones[][2] = {{NULL, "2026-1120"},
					       {"Asia/Tokyo", "2026-1121"}};
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT(zones); i++) {
		if (zones[i][0] == NULL)
			unsetenv("TZ");
		else
			setenv("TZ", zones[i][0], 1);
		tzset();
		struct err e = {0};
		if (!open_with(f, script,
			       " script hook.lua\n"
			       " call create_log_file_path\n",
			       &e))
			fail_msg("%s", e.text);
		/* With a fraction, which is exact afterwards. */
		for (int64_t ns = 0; ns < 3; ns++) {
			char want[200];
			snprintf(want, sizeof want,
				 "%d.%09lld {\"vhost\":\"ex.com\","
				 "\"log_file_path\":\"%s/"
				 "istio-ingressgateway-access.log\"}",
				 T_S, (long long)(ns * 123456789), zones[i][1]);
			assert_string_equal(give_at(f, "{\"vhost\":\"ex.com\"}",
						    T + ns * 123456789),
					    want);
		}
		assert_int_equal(all_failures(f), 0);
	}
	unsetenv("TZ");
	tzset();
}

static void dates_follow_time_and_format(void **state)
{
	struct fixture *f = *state;
	unsetenv("TZ");
	tzset();
	open_body(f,
		  "local t = os.date('!*t', ts) t.day = t.day + 1 "
		  "return 2, 0, {d = os.date('%d %H:%M:%S', ts), "
		  "e = os.date('!%j', ts), s = os.date('%d', tostring(ts)), "
		  "day = os.date('*t', ts).day, now = #os.date('%Y'), "
		  "u = os.date('%s|%k|', 3600), "
		  "c = #os.date() > 10}",
		  KEYS);
	/* More seconds than are kept, and back again. */
	for (int round = 0; round < 2; round++)
		for (int s = 0; s < 20; s++) {
			char want[160];
			snprintf(want, sizeof want,
				 "%d.700000000 {\"c\":true,"
				 "\"d\":\"20 23:59:%02d\",\"day\":20,"
				 "\"e\":\"324\",\"now\":4,\"s\":\"20\","
				 "\"u\":\"3600| 1|\"}",
				 T_S - 40 + s, 18 + s);
			assert_string_equal(
				give_at(f, "{}",
					T + (s - 40) * NS_PER_S + 700000000),
				want);
		}
}

static void the_time_may_be_a_table(void **state)
{
	struct fixture *f = *state;
	open_body(f,
		  "record.s = ts.sec record.n = ts.nsec ts.nsec = ts.nsec + 1 "
		  "return 1, ts, record",
		  KEYS " time_as_table on\n");
	assert_string_equal(give_at(f, "{}", T + 123456789),
			    "1795219198.123456790 "
			    "{\"n\":123456789,\"s\":1795219198}");
	assert_int_equal(all_failures(f), 0);
	/* As in Fluent Bit: its own time, and the edits. */
	open_body(f, "record.x = 1 return 1, 5, record",
		  KEYS " time_as_table on\n");
	assert_string_equal(give(f, "{}"), T_TEXT "{\"x\":1}");
	assert_int_equal(failures(f, "bad_time"), 1);
}

static void the_time_is_a_whole_number_when_it_is_one(void **state)
{
	struct fixture *f = *state;
	open_body(f, "return 2, 0, {t = tostring(ts)}", KEYS);
	assert_string_equal(give(f, "{}"), T_TEXT "{\"t\":\"1795219198\"}");
	assert_string_equal(give_at(f, "{}", T + 250000000),
			    "1795219198.250000000 {\"t\":\"1795219198.25\"}");
}

static void an_earlier_record_is_an_error(void **state)
{
	struct fixture *f = *state;
	open_script(f, "function hook(tag, ts, record)\n"
		       "  if old then record.ok, record.why = pcall(\n"
		       "    function() return old.secret end) end\n"
		       "  record.seen = old and rawequal(old, record)\n"
		       "  old = old or record\n"
		       "  return 1, ts, record\n"
		       "end\n");
	assert_string_equal(give(f, "{\"secret\":1}"), T_TEXT "{\"secret\":1}");
	const char *out = give(f, "{\"secret\":2}");
	assert_non_null(strstr(out, "\"ok\":false,\"seen\":false,\"why\":"));
	assert_non_null(strstr(out, "the record of an earlier call"));

	static const char *const uses[] = {
		"old.a = 1",	    "pairs(old)",	   "next(old)",
		"rawget(old, 'a')", "rawset(old, 'a', 1)",
	};
	for (size_t i = 0; i < COUNT(uses); i++) {
		char body[160];
		snprintf(body, sizeof body,
			 "if old then %s end old = record return 2, 0, record",
			 uses[i]);
		open_body(f, body, KEYS);
		give(f, "{}");
		assert_int_equal(failures(f, "error"), 0);
		give(f, "{}");
		assert_int_equal(failures(f, "error"), 1);
	}
	open_body(f, "local r = old or record old = record return 2, 0, r",
		  KEYS);
	give(f, "{\"a\":1}");
	assert_string_equal(give(f, "{\"a\":2}"), T_TEXT "{\"a\":2}");
	assert_int_equal(failures(f, "invalid_result"), 1);
	open_body(f, "local r = old or {} old = record return 2, 0, {r = r}",
		  KEYS);
	give(f, "{\"a\":1}");
	assert_string_equal(give(f, "{\"a\":2}"), T_TEXT "{\"a\":2}");
	assert_int_equal(failures(f, "invalid_result"), 1);
}

struct endless {
	struct fixture *f;
	struct buf told;
};

/* In a thread that takes no signals, as the pipeline's. */
static void *give_endless(void *data)
{
	struct endless *e = data;
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	buf_put_text(&e->told, give(e->f, "{}"));
	buf_put_text(&e->told, give(e->f, "{\"go\":1}"));
	buf_put_text(&e->told, give(e->f, "{}"));
	return NULL;
}

static void an_endless_hook_is_stopped(void **state)
{
	static const char *const bodies[] = {
		"while true do end",
		"while true do pcall(function() while true do end end) end",
		"coroutine.wrap(function() while true do end end)()",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		char body[200];
		snprintf(body, sizeof body,
			 "record.x = 1 if record.go then %s end "
			 "return 1, ts, record",
			 bodies[i]);
		open_body(f, body, KEYS);
		pthread_t thread;
		struct endless e = {.f = f};
		assert_int_equal(
			pthread_create(&thread, NULL, give_endless, &e), 0);
		pthread_join(thread, NULL);
		/* The one after it finds nothing of it. */
		assert_string_equal(buf_text(&e.told),
				    T_TEXT "{\"x\":1}" T_TEXT
					   "{\"go\":1}" T_TEXT "{\"x\":1}");
		assert_int_equal(failures(f, "time_limit"), 1);
		assert_int_equal(all_failures(f), 1);
		buf_fini(&e.told);
	}
}

static void a_greedy_hook_is_refused_memory(void **state)
{
	struct fixture *f = *state;
	open_body(f,
		  "record.x = 1 if record.go then local t = {} for i = 1, 1e9 "
		  "do t[i] = {i} end end return 1, ts, record",
		  KEYS);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(give(f, "{\"go\":1}"), T_TEXT "{\"go\":1}");
		assert_string_equal(give(f, "{}"), T_TEXT "{\"x\":1}");
	}
	assert_int_equal(failures(f, "memory_limit"), 2);
	static const struct hook_case cases[] = {
		{"return 1, ts, {s = ('x'):rep(1e9)}", IN, KEPT},
		{"local function f() return f() .. 'x' end f()", IN, KEPT},
	};
	check_cases(f, cases, COUNT(cases), "memory_limit");
}

static void a_deep_record_comes_through(void **state)
{
	struct fixture *f = *state;
	struct buf json = {0}, want = {0};
	for (int i = 0; i < 500; i++)
		buf_put_text(&json, i % 2 ? "[" : "{\"m\":");
	buf_put_text(&json, "\"x\"");
	for (int i = 500; i-- > 0;)
		buf_put_text(&json, i % 2 ? "]" : "}");
	buf_printf(&want, T_TEXT "%s", buf_text(&json));
	open_body(f, "return 1, ts, record", KEYS);
	assert_string_equal(give(f, buf_text(&json)), buf_text(&want));
	open_body(f, "local x = record.m return 1, ts, record", KEYS);
	assert_string_equal(give(f, buf_text(&json)), buf_text(&want));
	assert_int_equal(all_failures(f), 0);
	buf_fini(&json);
	buf_fini(&want);
}

static void scripts_of_lua_5_1_find_their_functions(void **state)
{
	static const struct hook_case cases[] = {
		{"local a, b = unpack({1, 2}) local n = 0 "
		 "for w in string.gfind('a b', '%a') do n = n + 1 end "
		 "return 2, 0, {a=a, b=b, n=n, g=table.getn({1,2,3}), "
		 "m=table.maxn({1,[7]=1}), p=math.pow(2, 3), "
		 "d=math.mod(7, 4), l=loadstring('return 5')()}",
		 "{}",
		 T_TEXT "{\"a\":1,\"b\":2,\"d\":3,\"g\":3,\"l\":5,\"m\":7,"
			"\"n\":2,\"p\":8}"},
		{"local c = coroutine.create(function(a) "
		 "local b = coroutine.yield(a + 1) return b * 2 end) "
		 "local _, x = coroutine.resume(c, 1) "
		 "local _, y = coroutine.resume(c, 5) "
		 "return 2, 0, {x=x, y=y, s=coroutine.status(c)}",
		 "{}", T_TEXT "{\"s\":\"dead\",\"x\":2,\"y\":10}"},
	};
	check_cases(*state, cases, COUNT(cases), NULL);
}

static void what_is_wrong_is_told_at_set_up(void **state)
{
	static const struct {
		const char *script;
		const char *keys;
		const char *part; /* of the message */
	} cases[] = {
		{"function hook(", KEYS, "hook.lua:1: <name>"},
		{"x = nil + 1", KEYS, "hook.lua:1: attempt to perform"},
		{"function b() end function a() end x = print", KEYS,
		 "no global function \"hook\", it has a, b"},
		{"hook = 1", KEYS, "no global function \"hook\""},
		{"\x1bLua", KEYS, "attempt to load a binary chunk"},
		{"", " script none.lua\n call hook\n", "t.conf:2: [FILTER]"},
		{"", " script none.lua\n call hook\n", "none.lua"},
		{"", " call hook\n", "Script is missing"},
		{"", " script hook.lua\n", "Call is missing"},
		{"function hook() end", KEYS " cal x\n", "cal"},
		{"local t = {} for i = 1, 1e9 do t[i] = {} end", KEYS,
		 "not enough memory"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = {0};
		if (open_with(f, cases[i].script, cases[i].keys, &e))
			fail_msg("%s: opened", cases[i].script);
		if (strstr(e.text, cases[i].part) == NULL)
			fail_msg("%s: %s", cases[i].script, e.text);
	}
}

static void protected_mode_off_does_not_end_the_process(void **state)
{
	struct fixture *f = *state;
	open_body(f, "error('x')", KEYS " protected_mode off\n");
	assert_string_equal(give(f, "{}"), T_TEXT "{}");
	assert_int_equal(failures(f, "error"), 1);
}

static void a_script_requires_what_lies_beside_it(void **state)
{
	struct fixture *f = *state;
	char path[128];
	snprintf(path, sizeof path, "%s/beside_it.lua", f->dir);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("return {x = 5}", file);
	fclose(file);
	open_script(f, "local m = require('beside_it')\n"
		       "function hook() return 2, 0, m end\n");
	unlink(path);
	assert_string_equal(give(f, "{}"), T_TEXT "{\"x\":5}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_code_says_what_becomes_of_the_record),
		TEST(the_record_is_a_table),
		TEST(what_comes_back_is_as_after_a_round_trip),
		TEST(an_invalid_result_leaves_the_record_as_it_was),
		TEST(a_failing_call_leaves_the_record_as_it_was),
		TEST(with_dead_letters_a_failing_call_decides_nothing),
		TEST(a_hook_that_failed_is_called_again),
		TEST(the_message_of_an_error_is_told),
		TEST(the_date_hook_routes_by_the_day),
		TEST(dates_follow_time_and_format),
		TEST(the_time_may_be_a_table),
		TEST(the_time_is_a_whole_number_when_it_is_one),
		TEST(an_earlier_record_is_an_error),
		TEST(an_endless_hook_is_stopped),
		TEST(a_greedy_hook_is_refused_memory),
		TEST(a_deep_record_comes_through),
		TEST(scripts_of_lua_5_1_find_their_functions),
		TEST(what_is_wrong_is_told_at_set_up),
		TEST(protected_mode_off_does_not_end_the_process),
		TEST(a_script_requires_what_lies_beside_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
