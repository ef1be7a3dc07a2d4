/* SPDX-License-Identifier: Apache-2.0 */
/* lua_budget - the limits of a script, for C functions of Lua's library.
 *
 * The debug hook of lua_state stops Lua code.  A C function that can run for
 * long, such as a pattern search, counts its steps and looks at the time from
 * time to time:
 *
 *     size_t steps = 0;
 *     for (...)
 *             lua_budget_spend(L, &steps, 1); */
#ifndef HOOK_LUA_BUDGET_H
#define HOOK_LUA_BUDGET_H

#include <lua.h>
#include <stdatomic.h>
#include <stddef.h>

/* The start of the extra space of a state, and of all its coroutines, is a
 * pointer to this. */
struct lua_budget {
	atomic_bool is_expired; /* the running call took too long */
	unsigned limit_ms;	/* of CPU */
	size_t open_files;	/* see lua_file.h */
};

enum { LUA_BUDGET_STEPS = 4096 }; /* between two looks at the time */

/* The budget of the state that this coroutine belongs to. */
static inline struct lua_budget *lua_budget_of(lua_State *L)
{
	return *(struct lua_budget **)lua_getextraspace(L);
}

/* Raise the error of the time limit.  Its text starts with the place of the
 * function at this level of the stack, as luaL_where counts. */
_Noreturn void lua_budget_raise(lua_State *, int level);

/* Raise the error of the time limit if the time is up. */
void lua_budget_check(lua_State *);

/* Count `more` steps, each about as long as comparing two characters, and check
 * the time when enough have come together.  May raise. */
static inline void lua_budget_spend(lua_State *L, size_t *steps, size_t more)
{
	*steps += more;
	if (*steps < LUA_BUDGET_STEPS)
		return;
	*steps = 0;
	lua_budget_check(L);
}

#endif
