/* SPDX-License-Identifier: Apache-2.0 */
/* lua_string - string.* as LuaJIT has it.
 *
 * find, match    a start behind the end is the end
 * gsub, gmatch   nothing is found also directly behind a match, as in Lua 5.1;
 *                a replacement may have a needless %
 * format         %d cuts a fraction off, %u, %05s, half is rounded up */
#ifndef HOOK_LUA_STRING_H
#define HOOK_LUA_STRING_H

#include <lua.h>

/* Once for a state.  The table at `slow` has gsub and gmatch for the patterns
 * that may match nothing. */
void lua_string_open(lua_State *, int slow);

#endif
