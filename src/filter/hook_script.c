/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path:
 * 1. hook_script_load opens a state and runs the script.
 * 2. After a call that has filled the script's memory, hook_script_renew closes
 *    the state and loads the script again.
 *
 * The script fills its memory again soon after it was loaded: calls fail until
 * ten times the loading time has passed.  Then hook_script_retry loads it.
 * Loading fails, for example because somebody is changing the file: calls fail
 * likewise, and for a second longer. */
#include "filter/hook_script.h"

#include <limits.h>
#include <lua.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "filter/filter.h"
#include "hook/lua_record.h"
#include "hook/lua_state.h"

enum {
	PAUSE_FACTOR = 10,
	RETRY_MS = 1000,
	MIB = 1024 * 1024,
};

/* Set the global table FLB_ENV: HOSTNAME and the variables of @SET. */
static void set_env(lua_State *L, const struct conf_section *s)
{
	struct conf_option set;
	const struct conf_set *at = NULL;
	char room[HOST_NAME_MAX + 1];
	const char *host = getenv("HOSTNAME");
	if (host == NULL && gethostname(room, sizeof room) == 0)
		host = room;
	lua_newtable(L);
	while (conf_next_set(s, &at, &set)) {
		bool is_newest = lua_getfield(L, -1, set.key) == LUA_TNIL;
		lua_pop(L, 1);
		if (!is_newest)
			continue;
		lua_pushstring(L, set.value);
		lua_setfield(L, -2, set.key);
	}
	if (lua_getfield(L, -1, "HOSTNAME") == LUA_TNIL) {
		lua_pushstring(L, host);
		lua_setfield(L, -3, "HOSTNAME");
	}
	lua_pop(L, 1);
	lua_setglobal(L, "FLB_ENV");
}

static int set_up(lua_State *L)
{
	const struct hook_script *h = lua_touserdata(L, 1);
	lua_record_setup(h->proxies, L);
	set_env(L, h->section);
	return 0;
}

static int count_parameters(lua_State *L)
{
	struct hook_script *h = lua_touserdata(L, 1);
	lua_Debug call;
	lua_getglobal(L, h->call);
	lua_getinfo(L, ">u", &call);
	h->has_groups = call.nparams >= 5;
	return 0;
}

static bool get_script(struct hook_script *h, struct conf_section *s,
		       const struct filter_env *env, struct err *e)
{
	const char *script = NULL;
	if (!conf_get_text(s, "Script", &script, e) ||
	    !conf_get_text(s, "Code", &h->text, e))
		return false;
	if (h->text != NULL && script != NULL)
		conf_warn(s, "Script", "ignoring it",
			  "Code is set, so the filter does not use Script");
	if (h->text == NULL && script == NULL)
		return conf_err_missing(s, "Script", e,
					"set it to a Lua file, for example "
					"`Script create-log-file-path.lua`");
	h->path = h->text != NULL ? mem_text("Code")
				  : conf_find_file(env->conf_dir, script);
	return true;
}

bool hook_script_open(struct hook_script *h, struct conf_section *s,
		      const struct filter_env *env, struct err *e)
{
	h->proxies = lua_record_new();
	h->section = s;
	h->prelude = env->lua_prelude;
	if (!get_script(h, s, env, e) || !conf_get_text(s, "Call", &h->call, e))
		return false;
	if (h->call == NULL)
		return conf_err_missing(
			s, "Call", e,
			"set it to the name of a function in the "
			"script");
	return true;
}

void hook_script_close(struct hook_script *h)
{
	lua_state_close(h->state);
	lua_record_free(h->proxies);
	free(h->path);
}

bool hook_script_load(struct hook_script *h, struct err *e)
{
	const char *key = h->text != NULL ? "Code" : "Script";
	h->state = lua_state_open(h->prelude, e);
	if (h->state == NULL || !lua_state_setup(h->state, set_up, h, e))
		return false;
	if ((h->text == NULL && !conf_check_file(h->path, e)) ||
	    !lua_state_load(h->state, h->path, h->text, e))
		return conf_err_in(h->section, key, e);
	if (!lua_state_find(h->state, h->path, h->call, e))
		return conf_err_in(h->section, "Call", e);
	return lua_state_setup(h->state, count_parameters, h, e);
}

static void unload(struct hook_script *h)
{
	lua_state_close(h->state);
	h->state = NULL;
}

/* `begin_ns` is when this attempt, or closing the state before it, began. */
static bool load_again(struct hook_script *h, struct filter *filter,
		       int64_t begin_ns)
{
	char room[LOG_QUOTED_BYTES];
	struct err e = {0};
	bool is_loaded = hook_script_load(h, &e);
	int64_t end_ns = clock_mono_ns();
	int64_t pause_ns = PAUSE_FACTOR * (end_ns - begin_ns);
	if (is_loaded) {
		filter->stats.script_loads_total++;
	} else {
		unload(h);
		pause_ns += RETRY_MS * NS_PER_MS;
		log_rated(&h->load_rate, LOG_ERROR, "lua",
			  "filter=%s call=%s err=%s action=\"not calling the "
			  "hook; loading the script again in %lld ms\"",
			  filter->name, h->call,
			  log_quoted(span_of(e.text), room),
			  (long long)(pause_ns / NS_PER_MS));
	}
	h->load_at_ns = end_ns + pause_ns;
	return is_loaded;
}

bool hook_script_retry(struct hook_script *h, struct filter *filter)
{
	int64_t now_ns = clock_mono_ns();
	return now_ns >= h->load_at_ns && load_again(h, filter, now_ns);
}

void hook_script_renew(struct hook_script *h, struct filter *filter)
{
	log_rated(&h->full_rate, LOG_ERROR, "lua",
		  "filter=%s call=%s err=\"the script keeps %zu MiB between "
		  "calls; the limit of %d MiB leaves too little for a call\" "
		  "action=\"loading the script again; its variables are lost\"",
		  filter->name, h->call, lua_state_used_bytes(h->state) / MIB,
		  LUA_STATE_BYTES_MAX / MIB);
	int64_t now_ns = clock_mono_ns();
	unload(h);
	if (now_ns >= h->load_at_ns)
		load_again(h, filter, now_ns);
}
