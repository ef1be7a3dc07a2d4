/* SPDX-License-Identifier: Apache-2.0 */
/* lua_wrap - a C function in the place of another one of Lua's.
 *
 * It looks at its arguments and then is the function that it replaces, in its
 * place on the stack.  So messages name the right function and argument, and a
 * call costs little more than before. */
#ifndef HOOK_LUA_WRAP_H
#define HOOK_LUA_WRAP_H

#include <lua.h>

/* library.name = function, with what was there as its first upvalue and, behind
 * it, the `more` values on top of the stack, which it takes. */
void lua_wrap_set(lua_State *, const char *library, const char *name,
		  lua_CFunction, int more);

/* Cut the fraction off the number or numeric text at `index`, from 1. */
void lua_wrap_cut(lua_State *, int index);

/* The function that the running one replaces; only for functions of C that
 * have no upvalues. */
static inline int lua_wrap_original(lua_State *L)
{
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

#endif
