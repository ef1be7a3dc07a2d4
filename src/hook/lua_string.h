/* SPDX-License-Identifier: Apache-2.0 */
/* lua_string - string.* as LuaJIT has it.
 *
 * find, match    a start after the end of the text is moved to the end
 * gsub, gmatch   as in Lua 5.1, an empty match directly after another match
 *                counts; a replacement may contain a needless %
 * format         %d cuts off a fraction, %u and %05s work, an exact half is
 *                rounded up */
#ifndef HOOK_LUA_STRING_H
#define HOOK_LUA_STRING_H

#include <lua.h>

/* Once for each state.  The table at `slow` has the gsub and gmatch that are
 * used for patterns that can match the empty text.  May raise. */
void lua_string_open(lua_State *, int slow);

#endif
