/* SPDX-License-Identifier: Apache-2.0 */
/* lua_wrap - replace a C function of Lua by one that adjusts its arguments.
 *
 * The new function adjusts its arguments and then runs the original one in the
 * same stack frame.  So error messages name the right function and argument,
 * and a call costs little more than before. */
#ifndef HOOK_LUA_WRAP_H
#define HOOK_LUA_WRAP_H

#include <lua.h>

/* Set library.name = function.  Its first upvalue is the original function; the
 * next ones are the `more` values on top of the stack, which are popped.  May
 * raise. */
void lua_wrap_replace(lua_State *, const char *library, const char *name,
		      lua_CFunction, int more);

/* Make the number or numeric text at `index`, which counts from 1, an integer:
 * cut its fraction off; NaN and numbers that are too large become the smallest
 * or the largest integer.  Any other value stays as it is. */
void lua_wrap_truncate(lua_State *, int index);

/* Call the original function with the arguments of the running one.  The
 * original must be a C function without upvalues. */
static inline int lua_wrap_original(lua_State *L)
{
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

#endif
