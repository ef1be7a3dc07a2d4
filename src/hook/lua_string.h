/* SPDX-License-Identifier: Apache-2.0 */
/* lua_string - string.* as LuaJIT has it, within the time limit.
 *
 * find, match    a start after the end of the text is moved to the end
 * gsub, gmatch   an empty match directly after another match counts; a
 *                replacement may contain a needless %
 * rep            accepts a separator
 * format         see lua_format */
#ifndef HOOK_LUA_STRING_H
#define HOOK_LUA_STRING_H

#include <lua.h>

/* Once for each state.  May raise. */
void lua_string_open(lua_State *);

#endif
