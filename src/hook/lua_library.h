/* SPDX-License-Identifier: Apache-2.0 */
/* lua_library - the functions of Lua as a script for LuaJIT knows them.
 *
 * Numbers: a whole result is an integer, whatever computed it, so that its
 * text has no ".0"; where a place or a count is asked for, a fraction is cut
 * off instead of refused; NaN is "nan".  load and what uses it sends a script
 * through lua_source.
 * Strings: patterns that match nothing are found where Lua 5.1 finds them,
 * also directly behind a match; a replacement may have a needless %.
 * os.date takes what the C library takes, fractions too, and remembers what it
 * gave for the same format and second.
 * What Lua can do for itself is in lua/prelude.lua. */
#ifndef HOOK_LUA_LIBRARY_H
#define HOOK_LUA_LIBRARY_H

#include <lua.h>

/* Once for a state: the standard libraries, then what is different. */
void lua_library_open(lua_State *);

/* Load the script as a function.  Raises when it does not compile. */
void lua_library_load_file(lua_State *, const char *path);
void lua_library_load_text(lua_State *, const char *text, const char *name);

/* The names of the functions that the script made, as a text. */
const char *lua_library_functions(lua_State *);

#endif
