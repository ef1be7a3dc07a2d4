/* SPDX-License-Identifier: Apache-2.0 */
/* lua_state - a Lua interpreter with a memory limit and a time limit.
 *
 * A script is the user's program inside sluiced.  With all its variables, it
 * may use LUA_STATE_BYTES_MAX of memory.  A call may take about a second of CPU
 * time.
 *
 *     running call      1111111111111111111111111111111  (the same call)
 *     tick, 250 ms CPU   ^      ^      ^      ^      ^   -> stop
 *
 * The time limit is a timer on the CPU clock of the calling thread.  Its signal
 * handler only compares: when it meets the same call for the fifth time, it
 * sets a debug hook, which raises an error at the next instruction, and again
 * at each following one if the script catches it.  A permanent count hook would
 * slow every Lua instruction: a call would take 17 to 37 % longer (measured).
 * Coroutines have their own hooks, so they are created with a count hook.
 * The functions of the library that can run for long, such as a search with a
 * pattern, look at the time themselves: see lua_budget.  Tables have no
 * finalisers, which could not be stopped.  A call that waits, such as
 * os.execute or a read, cannot be stopped.
 *
 * Code that runs at set-up, such as the script itself, has about three seconds.
 * A state may be opened in one thread and used in another, but all calls must
 * come from the same thread. */
#ifndef HOOK_LUA_STATE_H
#define HOOK_LUA_STATE_H

#include <lua.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

struct lua_state;

enum { LUA_STATE_BYTES_MAX = 32 * 1024 * 1024 };

enum lua_outcome {
	LUA_OUTCOME_DONE,
	LUA_OUTCOME_ERROR,
	LUA_OUTCOME_TIME_LIMIT,
	LUA_OUTCOME_MEMORY_LIMIT,
};

/* A state with the libraries, after running the prelude, which is the text of
 * lua/prelude.lua; without a script.  NULL with *e set on failure. */
struct lua_state *lua_state_open(struct span prelude, struct err *);

/* NULL is fine. */
void lua_state_close(struct lua_state *);

/* Run the script: the file at `path`, or, if `text` is not NULL, that text;
 * `path` is then its name in error messages.  False with *e set if the script
 * fails. */
bool lua_state_load(struct lua_state *, const char *path, const char *text,
		    struct err *) MUST_USE;

/* Whether there is a global function `call`.  If not, *e names `path` and the
 * functions that the script defined. */
bool lua_state_find(struct lua_state *, const char *path, const char *call,
		    struct err *) MUST_USE;

/* Call function(L) with `data` as the light userdata at index 1, protected and
 * with limits; the values that it leaves on the stack are dropped.  It may
 * raise, so it must not own a resource that only it can free.  On any outcome
 * but LUA_OUTCOME_DONE, *message says why and is valid until the next call. */
enum lua_outcome lua_state_call(struct lua_state *, lua_CFunction function,
				void *data, const char **message);

/* Whether the script's variables take up so much of the memory that was free
 * after lua_state_load that calls fail or are slow.  lua_state_call finds this
 * out when a call was refused memory, even if the script caught that error.
 * Only a new state helps: in this one, each failing call would cost a garbage
 * collection, about 100 ms. */
bool lua_state_is_full(const struct lua_state *);

/* The memory in use.  If lua_state_is_full, the script keeps all of it. */
size_t lua_state_used_bytes(const struct lua_state *);

/* Like lua_state_call, but at set-up, with the longer time limit.  The timer is
 * deleted at the end, so that another thread may make the calls.  False with *e
 * set. */
bool lua_state_setup(struct lua_state *, lua_CFunction function, void *data,
		     struct err *) MUST_USE;

#endif
