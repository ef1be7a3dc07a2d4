/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "lua": the user's function, the hook, decides about each record.
 *
 *     function hook(tag, timestamp, record)
 *             return code, timestamp, record
 *     end
 *
 *     -1  drop the record
 *      0  pass the record on unchanged, whatever the hook did to it
 *      1  use the returned time and record
 *      2  use the returned record, keep the time
 *
 * The happy path:
 * 1. lua_state_call runs call_hook, protected and with limits.
 * 2. call_hook calls the hook and copies what it returns into the arena.
 * 3. apply replaces the record by the result, or emits each record of an array.
 *
 * If the hook raises an error, exceeds its time or memory limit, or returns
 * something that is not a record, the reason is counted.  The record then
 * passes unchanged, or is undecided if there is a Dead_Letter.  If only the
 * returned time is invalid, and neither Dead_Letter nor Time_As_Table is set,
 * the returned record passes with the time that the hook was given.
 *
 * The time is in seconds since 1970: an integer if it is whole, otherwise a
 * float.  If the hook returns the very number that it was given, the record
 * keeps the nanoseconds that a float cannot hold. */
#include "filter/kinds.h"

#include <assert.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/hook_script.h"
#include "hook/lua_record.h"
#include "hook/lua_state.h"
#include "hook/lua_value.h"
#include "record/record.h"

/* X(name) */
#define FAILURES(X)       \
	X(error)          \
	X(time_limit)     \
	X(memory_limit)   \
	X(invalid_result) \
	X(bad_code)       \
	X(bad_time)       \
	X(not_loaded)

enum lua_failure {
#define X(name) FAILURE_##name,
	FAILURES(X)
#undef X
		FAILURE_COUNT
};

/* clang-format off */
static const char *const failures[] = {
#define X(name) #name,
	FAILURES(X)
#undef X
	NULL,
};
/* clang-format on */

static_assert((int)FAILURE_COUNT <= (int)FILTER_FAILURES_MAX, "room to count");

enum {
	CODE_DROP = -1,
	CODE_KEEP = 0,
	CODE_NEW = 1,
	CODE_NEW_RECORD = 2,
	CODE_UNKNOWN, /* any other */
};

static const struct conf_key_spec keys[] = {
	{"Script", CONF_PATH,
	 .help = "The file that contains the hook. Script or Code is "
		 "required."},
	{"Code", CONF_TEXT, .help = "The script itself, instead of a file."},
	{"Call", CONF_TEXT, .is_required = true,
	 .help = "The name of the function to call."},
	{"Type_Int_Key", CONF_WORDS,
	 .help = "Numbers that a hook returns in these fields become "
		 "integers."},
	{"Type_Array_Key", CONF_WORDS,
	 .help = "Empty tables that a hook returns in these fields become "
		 "arrays, not maps."},
	{"Time_As_Table", CONF_BOOL, .default_text = "false",
	 .help = "Pass the time to the hook as a table with sec and nsec."},
	{"Enable_flb_null", CONF_BOOL, .default_text = "false",
	 .help = "Pass nulls to the hook as flb_null, so that it can return "
		 "them."},
	{"Protected_Mode", CONF_BOOL, .default_text = "true",
	 .help = "Accepted for compatibility. sluiced always continues after "
		 "an error in a hook."},
	{.name = NULL},
};

struct lua_filter {
	struct filter filter;
	struct hook_script script;
	struct lua_reader *reader; /* of its proxies */
	struct span tag;	   /* of the last call, in Lua's memory */
	int tag_ref;		   /* the same as a text in Lua's registry */
	bool time_as_table;
	bool dead_letters;
	struct log_rate rates[FAILURE_COUNT];

	/* During one call: */
	const struct record *record;
	int code;
	int64_t time_ns; /* of the record; then as returned */
	bool is_time_good;
	bool is_result_good;
	struct lua_records result;
};

/* Whether the record that the hook returned is used in spite of this failure.
 * With Time_As_Table, a bad time makes the whole result invalid, as in Fluent
 * Bit. */
static bool keeps_result(const struct lua_filter *f, enum lua_failure failure)
{
	return failure == FAILURE_bad_time && !f->dead_letters &&
	       !f->time_as_table;
}

static const char *action_of(const struct lua_filter *f,
			     enum lua_failure failure)
{
	if (f->dead_letters)
		return "writing the message to Dead_Letter";
	return keeps_result(f, failure) ? "keeping the record's own time"
					: "passing the record on unchanged";
}

/* Count and log a failure.  Returns what happens to the record. */
static enum filter_verdict fail(struct lua_filter *f, enum lua_failure failure,
				const char *message)
{
	char room[LOG_QUOTED_BYTES];
	f->filter.stats.failures[failure]++;
	log_rated(&f->rates[failure], LOG_WARN, "lua",
		  "filter=%s call=%s failure=%s err=%s action=\"%s\"",
		  f->filter.name, f->script.call, failures[failure],
		  log_quoted(span_of(message), room), action_of(f, failure));
	return f->dead_letters ? FILTER_UNDECIDED : FILTER_PASS;
}

static void push_time(const struct lua_filter *f, lua_State *L)
{
	int64_t sec = f->time_ns / NS_PER_S;
	int64_t nsec = f->time_ns % NS_PER_S;
	if (f->time_as_table) {
		lua_createtable(L, 0, 2);
		lua_pushinteger(L, sec);
		lua_setfield(L, -2, "sec");
		lua_pushinteger(L, nsec);
		lua_setfield(L, -2, "nsec");
	} else if (nsec == 0) {
		lua_pushinteger(L, sec);
	} else {
		lua_pushnumber(L, (double)sec + (double)nsec / NS_PER_S);
	}
}

/* A number as LuaJIT's lua_tointeger returns it: numeric text counts, the
 * fraction is cut off, and any other value counts as 0. */
static double whole_number(lua_State *L, int index)
{
	int is_whole;
	lua_Integer whole = lua_tointegerx(L, index, &is_whole);
	if (is_whole)
		return (double)whole;
	double number = trunc(lua_tonumber(L, index));
	return isfinite(number) ? number : 0;
}

/* Read the time that the hook returned at `index`.  The time that the hook was
 * given is at `given`.  False if the returned value is not a valid time. */
static bool read_time(struct lua_filter *f, lua_State *L, int index, int given)
{
	double sec, nsec;
	if (f->time_as_table) {
		if (!lua_istable(L, index))
			return false;
		lua_getfield(L, index, "sec");
		lua_getfield(L, index, "nsec");
		sec = whole_number(L, -2);
		nsec = whole_number(L, -1);
		lua_pop(L, 2);
	} else if (lua_rawequal(L, index, given)) {
		return true;
	} else if (!lua_isnumber(L, index)) {
		return false;
	} else {
		double number = lua_tonumber(L, index);
		sec = floor(number);
		nsec = trunc((number - sec) * NS_PER_S);
	}
	/* The comparison is false for NaN. */
	if (!(sec >= 0 && sec < (double)(INT64_MAX / NS_PER_S) && nsec >= 0 &&
	      nsec <= NS_PER_S))
		return false;
	f->time_ns = (int64_t)sec * NS_PER_S + (int64_t)nsec;
	return true;
}

/* Most records have the same tag as the previous one. */
static void push_tag(struct lua_filter *f, lua_State *L, struct span tag)
{
	if (f->tag_ref != LUA_NOREF && span_equals(f->tag, tag)) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, f->tag_ref);
		return;
	}
	luaL_unref(L, LUA_REGISTRYINDEX, f->tag_ref);
	f->tag_ref = LUA_NOREF;
	lua_pushlstring(L, tag.ptr, tag.len);
	lua_pushvalue(L, -1);
	f->tag_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	f->tag = lua_value_text(L, -1);
}

enum { TIME = 2, RECORD, CODE_BACK, TIME_BACK };

static void read_answer(struct lua_filter *f, lua_State *L)
{
	double code = whole_number(L, CODE_BACK);
	f->code = code >= CODE_DROP && code <= CODE_NEW_RECORD ? (int)code
							       : CODE_UNKNOWN;
	if (f->code != CODE_NEW && f->code != CODE_NEW_RECORD)
		return;
	/* With Time_As_Table, the time must be a table even if code 2 ignores
	 * it. */
	bool has_time = f->code == CODE_NEW || f->time_as_table;
	f->is_time_good = !has_time || read_time(f, L, TIME_BACK, TIME);
	if (f->code == CODE_NEW_RECORD)
		f->time_ns = f->record->time_ns;
	f->is_result_good =
		lua_record_take(f->script.proxies, L, -1, &f->result);
}

static int call_hook(lua_State *L)
{
	struct lua_filter *f = lua_touserdata(L, 1);
	const struct record *r = f->record;
	push_time(f, L);
	lua_record_push(f->script.proxies, L, r);
	/* Looked up for each call: a script may replace its function. */
	lua_getglobal(L, f->script.call);
	push_tag(f, L, r->tag);
	lua_pushvalue(L, TIME);
	if (f->script.has_groups) {
		lua_newtable(L);
		lua_newtable(L);
	}
	lua_pushvalue(L, RECORD);
	lua_call(L, f->script.has_groups ? 5 : 3, f->script.has_groups ? 4 : 3);
	read_answer(f, L);
	lua_record_save(f->script.proxies, L, RECORD);
	return 0;
}

static enum filter_verdict hand_on(const struct lua_filter *f, struct record *r,
				   struct emit *emit)
{
	const struct lua_records *result = &f->result;
	for (size_t i = 0; i < result->count; i++)
		result->records[i].time_ns = f->time_ns;
	if (!result->is_list) {
		*r = result->records[0];
		return FILTER_PASS;
	}
	for (size_t i = 0; i < result->count; i++)
		emit->next(emit, &result->records[i]);
	return FILTER_DONE;
}

static enum filter_verdict call(struct lua_filter *f, struct record *r,
				struct emit *emit)
{
	const char *message = NULL;
	f->record = r;
	f->time_ns = r->time_ns;
	f->code = CODE_UNKNOWN;
	enum lua_outcome outcome =
		lua_state_call(f->script.state, call_hook, f, &message);
	lua_record_end(f->script.proxies);
	switch (outcome) {
	case LUA_OUTCOME_ERROR:
		return fail(f, FAILURE_error, message);
	case LUA_OUTCOME_TIME_LIMIT:
		return fail(f, FAILURE_time_limit, message);
	case LUA_OUTCOME_MEMORY_LIMIT:
		return fail(f, FAILURE_memory_limit, message);
	case LUA_OUTCOME_DONE:
		break;
	}
	switch (f->code) {
	case CODE_DROP:
		return FILTER_DROP;
	case CODE_KEEP:
		return FILTER_PASS;
	case CODE_UNKNOWN:
		return fail(f, FAILURE_bad_code,
			    "the hook must return a code of -1, 0, 1 or 2");
	}
	if (!f->is_result_good)
		return fail(f, FAILURE_invalid_result, f->result.why);
	if (!f->is_time_good) {
		enum filter_verdict verdict =
			fail(f, FAILURE_bad_time,
			     "the returned timestamp is not a valid time");
		if (!keeps_result(f, FAILURE_bad_time))
			return verdict;
	}
	return hand_on(f, r, emit);
}

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct lua_filter *f = (struct lua_filter *)filter;
	if (f->script.state == NULL && !hook_script_retry(&f->script, filter))
		return fail(f, FAILURE_not_loaded,
			    "the script was unloaded because it kept too much "
			    "memory, and is not loaded again yet");
	enum filter_verdict verdict = call(f, r, emit);
	if (lua_state_is_full(f->script.state)) {
		hook_script_renew(&f->script, filter);
		f->tag_ref = LUA_NOREF; /* of the old state */
	}
	return verdict;
}

static void close_filter(struct filter *filter)
{
	struct lua_filter *f = (struct lua_filter *)filter;
	free(f->reader->int_keys.names);
	free(f->reader->array_keys.names);
	hook_script_close(&f->script);
	free(f);
}

/* Append the names, which are separated by spaces or tabs. */
static bool get_names(struct conf_section *s, const char *key,
		      struct lua_keys *out, struct err *e)
{
	static const char blanks[] = " \t";
	const char *text = "";
	if (!conf_get_text(s, key, &text, e))
		return false;
	for (text += strspn(text, blanks); *text != '\0';
	     text += strspn(text, blanks)) {
		size_t length = strcspn(text, blanks);
		out->names = mem_grow(out->names, out->count + 1,
				      sizeof *out->names);
		out->names[out->count++] = span_make(text, length);
		text += length;
	}
	return true;
}

static bool read_keys(struct lua_filter *f, struct conf_section *s,
		      struct err *e)
{
	bool is_protected = true;
	if (!conf_get_bool(s, "Protected_Mode", &is_protected, e) ||
	    !conf_get_bool(s, "Time_As_Table", &f->time_as_table, e) ||
	    !conf_get_bool(s, "Enable_flb_null", &f->reader->has_null, e) ||
	    !get_names(s, "Type_Int_Key", &f->reader->int_keys, e) ||
	    !get_names(s, "Type_Array_Key", &f->reader->array_keys, e))
		return false;
	if (!is_protected)
		log_line(LOG_INFO, "lua",
			 "script=%s key=Protected_Mode value=off "
			 "action=\"ignored; sluiced always survives an "
			 "error in a script\"",
			 f->script.path);
	return true;
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	struct lua_filter *f = mem_new(1, sizeof *f);
	f->filter.ops = &filter_lua;
	f->dead_letters = env->dead_letters;
	f->tag_ref = LUA_NOREF;
	bool is_open = hook_script_open(&f->script, s, env, e);
	f->reader = lua_record_reader(f->script.proxies);
	if (is_open && read_keys(f, s, e) && hook_script_load(&f->script, e))
		return &f->filter;
	close_filter(&f->filter);
	return NULL;
}

const struct filter_ops filter_lua = {
	.name = "lua",
	.keys = keys,
	.failures = failures,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
