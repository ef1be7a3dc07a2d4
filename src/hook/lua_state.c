/* SPDX-License-Identifier: Apache-2.0 */
/* The happy path of a call:
 * 1. The first call in a thread starts the timer.
 * 2. lua_state_call makes the call counter odd and runs the function under
 *    lua_pcall.
 * 3. Ticks find an even counter, or another call each time, and do nothing.
 * 4. lua_state_call makes the counter even again.
 *
 * The call takes too long: on_tick sets the hook on_count, which raises an
 * error at every instruction until lua_pcall returns; then the hook is removed.
 * The script asks for too much memory: alloc returns NULL, Lua collects garbage
 * and asks again.  If alloc then returns NULL again, Lua raises LUA_ERRMEM.
 * After the call, look_at_memory finds out whether later calls can work.
 * The timer cannot be created: calls run without a time limit, which is logged.
 * A script replaces the error handler (xpcall): that handler is skipped once
 * the time is up. */
#include "hook/lua_state.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hook/lua_budget.h"
#include "hook/lua_library.h"
#include "hook/lua_wrap.h"

enum {
	TICK_MS = 250, /* of CPU time, like the two limits */
	LIMIT_MS = 1000,
	SETUP_LIMIT_MS = 3000,
	COROUTINE_STEPS = 1000, /* instructions between two checks */
};

struct lua_state {
	struct lua_budget budget; /* first, because state_of casts it */
	lua_State *L;
	size_t used_bytes;
	size_t loaded_bytes; /* used when the script was loaded */
	unsigned refusals;   /* of alloc, since it last gave more memory */
	bool was_refused;    /* this call was refused memory */
	bool has_failed;     /* ... even after a garbage collection */
	bool failed_before;  /* the previous call was refused memory, too */
	bool is_full;	     /* see lua_state_is_full */

	/* What enter is about to run; NULL at any other time. */
	lua_CFunction function;
	void *data;

	bool has_timer; /* creating it was tried */
	bool is_timed;	/* the timer runs */
	timer_t timer;
	atomic_uint call; /* odd during a call */
	/* Only the signal handler uses these two. */
	unsigned seen_call;
	unsigned seen_ticks;
};

static struct lua_state *state_of(lua_State *L)
{
	return (struct lua_state *)lua_budget_of(L);
}

static bool is_expired(const struct lua_state *s)
{
	return atomic_load_explicit(&s->budget.is_expired,
				    memory_order_relaxed);
}

static void *refuse(struct lua_state *s)
{
	s->was_refused = true;
	s->has_failed |= ++s->refusals > 1;
	return NULL;
}

static void *alloc(void *data, void *old, size_t old_bytes, size_t new_bytes)
{
	struct lua_state *s = data;
	if (old == NULL)
		old_bytes = 0; /* Lua passes the type of object here */
	if (new_bytes == 0) {
		free(old);
		s->used_bytes -= old_bytes;
		return NULL;
	}
	size_t others_bytes = s->used_bytes - old_bytes;
	if (new_bytes > old_bytes) {
		if (new_bytes > LUA_STATE_BYTES_MAX - others_bytes)
			return refuse(s);
		s->refusals = 0;
	}
	void *p = realloc(old, new_bytes);
	if (p != NULL)
		s->used_bytes = others_bytes + new_bytes;
	return p;
}

static void on_count(lua_State *L, lua_Debug *debug)
{
	(void)debug;
#ifdef __SANITIZE_THREAD__
	clock_mono_ns(); /* TSan delivers signals during this call */
#endif
	if (!is_expired(state_of(L)))
		return;
	/* A pcall of the script may catch the error.  So it is raised again at
	 * every instruction, until it reaches the outermost pcall. */
	lua_sethook(L, on_count, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
	lua_budget_raise(L, 0);
}

/* TSan delays signals until the program calls libc, which a loop in Lua may
 * never do.  So under TSan a hook checks from time to time. */
static void unhook(lua_State *L)
{
#ifdef __SANITIZE_THREAD__
	lua_sethook(L, on_count, LUA_MASKCOUNT, COROUTINE_STEPS);
#else
	if (lua_gethookmask(L) != 0)
		lua_sethook(L, NULL, 0, 0);
#endif
}

/* lua_sethook is the only function of Lua that a signal handler may call. */
static void on_tick(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number, (void)context;
	if (info->si_code != SI_TIMER)
		return;
	struct lua_state *s = info->si_value.sival_ptr;
	unsigned call = atomic_load_explicit(&s->call, memory_order_relaxed);
	if (call % 2 == 0 || call != s->seen_call) {
		s->seen_call = call;
		s->seen_ticks = 0;
		return;
	}
	if (++s->seen_ticks * TICK_MS < s->budget.limit_ms)
		return;
	atomic_store_explicit(&s->budget.is_expired, true,
			      memory_order_relaxed);
	lua_sethook(s->L, on_count, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT,
		    1);
}

/* The timer belongs to the thread that runs the script, which may not be the
 * one that opened it.  So the first call starts the timer. */
static void start_timer(struct lua_state *s)
{
	s->has_timer = true;
	struct sigaction action = {
		.sa_sigaction = on_tick,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	sigemptyset(&action.sa_mask);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGRTMIN,
		.sigev_value.sival_ptr = s,
	};
	event._sigev_un._tid = gettid(); /* glibc has no public name for it */
	struct timespec tick = {.tv_nsec = TICK_MS * NS_PER_MS};
	struct itimerspec every = {.it_interval = tick, .it_value = tick};
	if (sigaction(SIGRTMIN, &action, NULL) != 0 ||
	    pthread_sigmask(SIG_UNBLOCK, &set, NULL) != 0 ||
	    timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &s->timer) != 0) {
		log_line(LOG_WARN, "lua",
			 "err=\"cannot create a timer: %s\" action=\"running "
			 "hooks without a limit of CPU time; Hook_Timeout "
			 "still applies\"",
			 strerror(errno));
		return;
	}
	s->is_timed = timer_settime(s->timer, 0, &every, NULL) == 0;
}

/* A new coroutine inherits the hook that its creator has at that moment. */
static int create_coroutine(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	if (lua_gethook(L) != NULL) {
		lua_call(L, 1, 1);
		return 1;
	}
	lua_sethook(L, on_count, LUA_MASKCOUNT, COROUTINE_STEPS);
	lua_call(L, 1, 1);
	lua_sethook(L, NULL, 0, 0);
	return 1;
}

static void limit_coroutines(lua_State *L, const char *name)
{
	lua_getglobal(L, "coroutine");
	lua_getfield(L, -1, name);
	lua_pushcclosure(L, create_coroutine, 1);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

/* Upvalue 1 is the handler of an xpcall.  Lua calls it with hooks switched off
 * when on_count raises its error, so that it could run forever. */
static int handle(lua_State *L)
{
	if (is_expired(state_of(L)))
		return 1;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int limited_xpcall(lua_State *L)
{
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, handle, 1);
	lua_replace(L, 2);
	return lua_wrap_original(L);
}

static int open_libraries(lua_State *L)
{
	const struct span *prelude = lua_touserdata(L, 1);
	lua_library_open(L, *prelude);
	lua_wrap_replace(L, LUA_GNAME, "xpcall", limited_xpcall, 0);
	limit_coroutines(L, "create");
	limit_coroutines(L, "wrap");
	return 0;
}

struct lua_script {
	const char *path; /* or the name of the text in messages */
	const char *text; /* NULL if the script is a file */
	const char *call;
};

/* Add the directory of the script to package.path. */
static void add_path(lua_State *L, const char *script)
{
	const char *slash = strrchr(script, '/');
	size_t length = slash != NULL ? (size_t)(slash - script) : 1;
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "path");
	lua_pushliteral(L, ";");
	lua_pushlstring(L, slash != NULL ? script : ".", length);
	lua_pushliteral(L, "/?.lua");
	lua_concat(L, 4);
	lua_setfield(L, -2, "path");
	lua_pop(L, 1);
}

static int load_script(lua_State *L)
{
	const struct lua_script *script = lua_touserdata(L, 1);
	if (script->text != NULL) {
		lua_pushfstring(L, "=%s", script->path);
		lua_library_load_text(L, script->text, lua_tostring(L, -1));
	} else {
		add_path(L, script->path);
		lua_library_load_file(L, script->path);
	}
	lua_call(L, 0, 0);
	return 0;
}

static int find_call(lua_State *L)
{
	const struct lua_script *script = lua_touserdata(L, 1);
	if (lua_getglobal(L, script->call) == LUA_TFUNCTION)
		return 0;
	const char *names = lua_library_functions(L);
	lua_pushfstring(L, "%s has no global function \"%s\"; it has %s",
			script->path, script->call,
			names[0] != '\0' ? names : "no functions");
	return lua_error(L);
}

/* An error value that is not a text is converted here, where the conversion may
 * still fail. */
static int on_error(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TSTRING)
		return 1;
	if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
		return 1;
	lua_pushfstring(L, "the error is not a text but a %s",
			luaL_typename(L, 1));
	return 1;
}

/* A script can find this function on the stack and call it itself. */
static int enter(lua_State *L)
{
	struct lua_state *s = state_of(L);
	lua_CFunction function = s->function;
	if (function == NULL)
		return luaL_error(L, "only sluiced can call this function");
	s->function = NULL;
	lua_pushlightuserdata(L, s->data);
	return function(L);
}

static int run(struct lua_state *s, lua_CFunction function, void *data,
	       const char **message)
{
	lua_State *L = s->L;
	lua_settop(L, 0);
	lua_pushcfunction(L, on_error);
	s->function = function;
	s->data = data;
	lua_pushcfunction(L, enter);
	int status = lua_pcall(L, 0, 0, 1);
	if (status == LUA_OK)
		return status;
	*message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
						  : "the error is not a text";
	return status;
}

static void stop_timer(struct lua_state *s)
{
	if (s->is_timed)
		timer_delete(s->timer);
	s->is_timed = false;
	s->has_timer = false;
}

/* A call was refused memory.  Find out whether the script's variables are the
 * reason.  Once, garbage may be the reason, because Lua refuses a buffer of its
 * library without collecting garbage first; then the script may keep up to
 * seven eighths.  After two such calls in succession, it may keep a third: a
 * table that grows needs a new one of twice its size beside the old one. */
static void look_at_memory(struct lua_state *s)
{
	size_t room = LUA_STATE_BYTES_MAX - s->loaded_bytes;
	size_t bound =
		s->loaded_bytes +
		(s->has_failed && s->failed_before ? room / 3 : room / 8 * 7);
	if (s->used_bytes > bound)
		lua_gc(s->L, LUA_GCCOLLECT);
	s->is_full = s->used_bytes > bound;
	s->was_refused = false;
	s->has_failed = false;
	s->failed_before = true;
	s->refusals = 0;
}

enum lua_outcome lua_state_call(struct lua_state *s, lua_CFunction function,
				void *data, const char **message)
{
	if (!s->has_timer)
		start_timer(s);
	unsigned call = atomic_load_explicit(&s->call, memory_order_relaxed);
	atomic_store_explicit(&s->call, call + 1, memory_order_relaxed);
	int status = run(s, function, data, message);
	if (s->was_refused)
		look_at_memory(s);
	else
		s->failed_before = false;
	atomic_store_explicit(&s->call, call + 2, memory_order_relaxed);
	unhook(s->L);
	bool is_late = is_expired(s);
	if (is_late)
		atomic_store_explicit(&s->budget.is_expired, false,
				      memory_order_relaxed);
	if (status == LUA_OK)
		return LUA_OUTCOME_DONE;
	if (is_late)
		return LUA_OUTCOME_TIME_LIMIT;
	return status == LUA_ERRMEM ? LUA_OUTCOME_MEMORY_LIMIT
				    : LUA_OUTCOME_ERROR;
}

bool lua_state_is_full(const struct lua_state *s)
{
	return s->is_full;
}

size_t lua_state_used_bytes(const struct lua_state *s)
{
	return s->used_bytes;
}

bool lua_state_setup(struct lua_state *s, lua_CFunction function, void *data,
		     struct err *e)
{
	const char *message = NULL;
	s->budget.limit_ms = SETUP_LIMIT_MS;
	enum lua_outcome outcome = lua_state_call(s, function, data, &message);
	/* The timer belongs to this thread; another one may make the calls. */
	stop_timer(s);
	s->budget.limit_ms = LIMIT_MS;
	s->is_full = false;
	return outcome == LUA_OUTCOME_DONE || err_set(e, "%s", message);
}

bool lua_state_load(struct lua_state *s, const char *path, const char *text,
		    struct err *e)
{
	struct lua_script script = {.path = path, .text = text};
	if (!lua_state_setup(s, load_script, &script, e))
		return false;
	lua_gc(s->L, LUA_GCCOLLECT);
	s->loaded_bytes = s->used_bytes;
	return true;
}

bool lua_state_find(struct lua_state *s, const char *path, const char *call,
		    struct err *e)
{
	struct lua_script script = {.path = path, .call = call};
	return lua_state_setup(s, find_call, &script, e);
}

struct lua_state *lua_state_open(struct span prelude, struct err *e)
{
	struct lua_state *s = mem_new(1, sizeof *s);
	s->L = lua_newstate(alloc, s);
	CHECK(s->L != NULL);
	*(struct lua_budget **)lua_getextraspace(s->L) = &s->budget;
	if (lua_state_setup(s, open_libraries, &prelude, e))
		return s;
	lua_state_close(s);
	return NULL;
}

void lua_state_close(struct lua_state *s)
{
	if (s == NULL)
		return;
	stop_timer(s);
	lua_close(s->L);
	free(s);
}
