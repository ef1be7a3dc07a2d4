/* SPDX-License-Identifier: Apache-2.0 */
/* The filter "lua": a function of the user decides about each record.
 *
 *     function hook(tag, timestamp, record)
 *             return code, timestamp, record
 *     end
 *
 *     -1  the record ends here
 *      0  it goes on as it was, whatever the hook changed
 *      1  with the time and the record that came back
 *      2  with the record that came back and its own time
 *
 * Scenario: lua_state_call runs call_hook protected and limited; it calls the
 * hook and reads what came back into the arena; apply then puts that into the
 * record, or hands on each record of an array.
 * The hook raises an error, does not end, takes too much memory or returns
 * what is no record: the reason is counted, and the record goes on as it was,
 * or, when there are dead letters, is undecided.
 *
 * The time is seconds since 1970: an integer when it is whole, else a float;
 * the very number given, given back, keeps the nanoseconds that a float
 * cannot hold. */
#include "filter/kinds.h"

#include <assert.h>
#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
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
	X(bad_time)

enum failure {
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
	CODE_UNKNOWN, /* all others */
};

struct lua_filter {
	struct filter filter;
	struct lua_state *state;
	struct lua_record *proxies;
	struct lua_reader *reader; /* of the proxies */
	const char *text;	   /* of the script, when it is no file */
	char *script;
	char *call;
	bool time_as_table;
	bool has_groups; /* five parameters */
	bool dead_letters;
	struct log_rate rates[FAILURE_COUNT];

	/* Of one call: */
	const struct record *record;
	int code;
	int64_t time_ns; /* given, then to be set */
	bool is_time_good;
	bool is_result_good;
	struct lua_records result;
};

/* Count it; what becomes of the record. */
static enum filter_verdict fail(struct lua_filter *f, enum failure failure,
				const char *message)
{
	char room[LOG_QUOTED_BYTES];
	f->filter.stats.failures[failure]++;
	log_rated(&f->rates[failure], LOG_WARN, "lua",
		  "filter=%s call=%s failure=%s err=%s", f->filter.name,
		  f->call, failures[failure],
		  log_quoted(span_of(message), room));
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

/* A number as LuaJIT's lua_tointeger gives it: text counts, fractions are
 * cut; 0 when there is none. */
static double whole_number(lua_State *L, int index)
{
	if (lua_isinteger(L, index))
		return (double)lua_tointeger(L, index);
	double number = trunc(lua_tonumber(L, index));
	return isfinite(number) ? number : 0;
}

/* The time that the hook returned at `index`, the one given being at `given`.
 * False when it is none. */
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
	} else {
		double number = lua_tonumber(L, index);
		sec = floor(number);
		nsec = trunc((number - sec) * NS_PER_S);
	}
	/* Written so that a NaN is refused. */
	if (!(sec >= 0 && sec < (double)(INT64_MAX / NS_PER_S) && nsec >= 0 &&
	      nsec <= NS_PER_S))
		return false;
	f->time_ns = (int64_t)sec * NS_PER_S + (int64_t)nsec;
	return true;
}

enum { TIME = 2, RECORD, CODE_BACK, TIME_BACK };

static void read_answer(struct lua_filter *f, lua_State *L)
{
	double code = whole_number(L, CODE_BACK);
	f->code = code >= CODE_DROP && code <= CODE_NEW_RECORD ? (int)code
							       : CODE_UNKNOWN;
	if (f->code != CODE_NEW && f->code != CODE_NEW_RECORD)
		return;
	/* A table is asked for even where its time is not. */
	bool has_time = f->code == CODE_NEW || f->time_as_table;
	f->is_time_good = !has_time || read_time(f, L, TIME_BACK, TIME);
	if (f->code == CODE_NEW_RECORD)
		f->time_ns = f->record->time_ns;
	f->is_result_good = lua_record_take(f->proxies, L, -1, &f->result);
}

static int call_hook(lua_State *L)
{
	struct lua_filter *f = lua_touserdata(L, 1);
	const struct record *r = f->record;
	push_time(f, L);
	lua_record_push(f->proxies, L, r);
	/* By its name each time: a script may replace its function. */
	lua_getglobal(L, f->call);
	lua_pushlstring(L, r->tag.ptr, r->tag.len);
	lua_pushvalue(L, TIME);
	if (f->has_groups) {
		lua_newtable(L);
		lua_newtable(L);
	}
	lua_pushvalue(L, RECORD);
	lua_call(L, f->has_groups ? 5 : 3, f->has_groups ? 4 : 3);
	read_answer(f, L);
	lua_record_set_aside(f->proxies, L, RECORD);
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

static enum filter_verdict apply(struct filter *filter, struct record *r,
				 struct emit *emit)
{
	struct lua_filter *f = (struct lua_filter *)filter;
	const char *message = NULL;
	f->record = r;
	f->time_ns = r->time_ns;
	f->code = CODE_UNKNOWN;
	enum lua_outcome outcome =
		lua_state_call(f->state, call_hook, f, &message);
	lua_record_end(f->proxies);
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
			    "the code is none of -1, 0, 1, 2");
	}
	if (!f->is_result_good)
		return fail(f, FAILURE_invalid_result, f->result.why);
	if (!f->is_time_good)
		return fail(f, FAILURE_bad_time, "the timestamp is none");
	return hand_on(f, r, emit);
}

struct set_up {
	struct lua_record *proxies;
	const struct conf_section *section;
};

/* FLB_ENV: what ${} would give for @SET and HOSTNAME. */
static void set_env(lua_State *L, const struct conf_section *s)
{
	struct conf_option set;
	char room[HOST_NAME_MAX + 1];
	const char *host = getenv("HOSTNAME");
	if (host == NULL && gethostname(room, sizeof room) == 0)
		host = room;
	lua_newtable(L);
	lua_pushstring(L, host);
	lua_setfield(L, -2, "HOSTNAME");
	size_t count = 0;
	while (conf_get_set(s, count, &set))
		count++;
	while (count-- > 0 && conf_get_set(s, count, &set)) {
		lua_pushstring(L, set.value);
		lua_setfield(L, -2, set.key);
	}
	lua_setglobal(L, "FLB_ENV");
}

static int set_up(lua_State *L)
{
	const struct set_up *with = lua_touserdata(L, 1);
	lua_record_setup(with->proxies, L);
	set_env(L, with->section);
	return 0;
}

static int count_parameters(lua_State *L)
{
	struct lua_filter *f = lua_touserdata(L, 1);
	lua_Debug call;
	lua_getglobal(L, f->call);
	lua_getinfo(L, ">u", &call);
	f->has_groups = call.nparams >= 5;
	return 0;
}

static void close_filter(struct filter *filter)
{
	struct lua_filter *f = (struct lua_filter *)filter;
	lua_state_close(f->state);
	free(f->reader->int_keys.names);
	free(f->reader->array_keys.names);
	lua_record_free(f->proxies);
	free(f->script);
	free(f->call);
	free(f);
}

/* Names with blanks between them. */
static bool get_names(struct conf_section *s, const char *key,
		      struct lua_keys *keys, struct err *e)
{
	static const char blanks[] = " \t";
	const char *text = "";
	if (!conf_get_text(s, key, &text, e))
		return false;
	for (text += strspn(text, blanks); *text != '\0';
	     text += strspn(text, blanks)) {
		size_t length = strcspn(text, blanks);
		keys->names = mem_grow(keys->names, keys->count + 1,
				       sizeof *keys->names);
		keys->names[keys->count++] = span_make(text, length);
		text += length;
	}
	return true;
}

static bool get_script(struct lua_filter *f, struct conf_section *s,
		       const struct filter_env *env, struct err *e)
{
	const char *script = NULL;
	if (!conf_get_text(s, "Script", &script, e) ||
	    !conf_get_text(s, "Code", &f->text, e))
		return false;
	if (f->text != NULL && script != NULL)
		log_line(LOG_WARN, "lua",
			 "script=%s key=Script effect=none "
			 "reason=\"there is a Code\"",
			 script);
	if (f->text == NULL && script == NULL)
		return conf_err_missing(s, "Script", e,
					"a file in Lua, for example `Script "
					"create-log-file-path.lua`");
	f->script = f->text != NULL ? mem_text("Code")
				    : conf_find_file(env->conf_dir, script);
	return true;
}

static bool read_keys(struct lua_filter *f, struct conf_section *s,
		      const struct filter_env *env, struct err *e)
{
	const char *call = NULL;
	bool is_protected = true;
	if (!get_script(f, s, env, e) || !conf_get_text(s, "Call", &call, e) ||
	    !conf_get_bool(s, "Protected_Mode", &is_protected, e) ||
	    !conf_get_bool(s, "Time_As_Table", &f->time_as_table, e) ||
	    !conf_get_bool(s, "Enable_flb_null", &f->reader->has_null, e) ||
	    !get_names(s, "Type_Int_Key", &f->reader->int_keys, e) ||
	    !get_names(s, "Type_Array_Key", &f->reader->array_keys, e))
		return false;
	if (call == NULL)
		return conf_err_missing(s, "Call", e,
					"the name of a function in the script");
	f->call = mem_text(call);
	if (!is_protected)
		log_line(LOG_INFO, "lua",
			 "script=%s key=Protected_Mode value=off effect=none "
			 "reason=\"an error in a script never ends sluiced\"",
			 f->script);
	return true;
}

static bool run_script(struct lua_filter *f, struct conf_section *s,
		       struct err *e)
{
	struct set_up with = {f->proxies, s};
	f->state = lua_state_open(e);
	if (f->state == NULL || !lua_state_setup(f->state, set_up, &with, e))
		return false;
	if (!lua_state_load(f->state, f->script, f->text, e))
		return conf_err_in(s, f->text != NULL ? "Code" : "Script", e);
	if (!lua_state_find(f->state, f->script, f->call, e))
		return conf_err_in(s, "Call", e);
	return lua_state_setup(f->state, count_parameters, f, e);
}

static struct filter *open_filter(struct conf_section *s,
				  const struct filter_env *env, struct err *e)
{
	struct lua_filter *f = mem_new(1, sizeof *f);
	f->filter.ops = &filter_lua;
	f->dead_letters = env->dead_letters;
	f->proxies = lua_record_new();
	f->reader = lua_record_reader(f->proxies);
	if (read_keys(f, s, env, e) && run_script(f, s, e))
		return &f->filter;
	close_filter(&f->filter);
	return NULL;
}

const struct filter_ops filter_lua = {
	.name = "lua",
	.failures = failures,
	.open = open_filter,
	.apply = apply,
	.close = close_filter,
};
