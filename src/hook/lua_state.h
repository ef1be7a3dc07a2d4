/* SPDX-License-Identifier: Apache-2.0 */
/* lua_state - a Lua interpreter that can neither hang nor swell.
 *
 * A script is somebody else's program inside ours.  Whatever it does, a call
 * ends: it may use MEMORY_BYTES_MAX of memory and about a second of CPU.
 *
 *     call under way    1111111111111111111111111111111  (the same call)
 *     tick, 250 ms CPU   ^      ^      ^      ^      ^   -> stop
 *
 * The time limit is a timer on the CPU clock of the thread that calls.  Its
 * signal only compares: when it meets the same call for the fifth time, it
 * sets a debug hook, which raises an error at the next instruction, and again
 * at the next if the script caught it.  A permanent count hook would make
 * each Lua instruction slower, by 17 to 37 % of a whole call (measured).
 * Coroutines have hooks of their own: they are born with a count hook.
 * Not stopped can be what does not execute instructions (one very slow string
 * pattern, a sleep, a read) and a finaliser.
 *
 * What runs at set-up, as the script itself does, has about three seconds.
 * Opened in one thread, it may be used in another, but always in the same. */
#ifndef HOOK_LUA_STATE_H
#define HOOK_LUA_STATE_H

#include <lua.h>
#include <stdbool.h>

#include "base/err.h"

struct lua_state;

enum lua_outcome {
	LUA_OUTCOME_DONE,
	LUA_OUTCOME_ERROR,
	LUA_OUTCOME_TIME_LIMIT,
	LUA_OUTCOME_MEMORY_LIMIT,
};

/* With the libraries and the prelude, without a script. */
struct lua_state *lua_state_open(struct err *);
void lua_state_close(struct lua_state *);

/* Run the script, which is in the file, or, when `text` is not NULL, is that
 * and called `path` in messages; then, whether it left a global function named
 * `call`. */
bool lua_state_load(struct lua_state *, const char *path, const char *text,
		    struct err *) MUST_USE;
bool lua_state_find(struct lua_state *, const char *path, const char *call,
		    struct err *) MUST_USE;

/* function(L) with `data` as its light userdata at index 1, protected and
 * limited; all that it leaves on the stack is dropped.  It may raise, so it
 * must not hold what only it can free.  On any outcome but LUA_OUTCOME_DONE,
 * *message says why, until the next call. */
enum lua_outcome lua_state_call(struct lua_state *, lua_CFunction function,
				void *data, const char **message);

/* The same at set-up; the timer does not outlive it. */
bool lua_state_setup(struct lua_state *, lua_CFunction function, void *data,
		     struct err *) MUST_USE;

#endif
