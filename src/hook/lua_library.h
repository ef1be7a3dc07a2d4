/* SPDX-License-Identifier: Apache-2.0 */
/* lua_library - Lua's functions as a script for LuaJIT expects them.
 *
 * Numbers: they become text as in LuaJIT, see lua_number.  Where a position or
 * a count is expected, a fraction is cut off instead of rejected.  load, and
 * every function that uses it, sends a script through lua51_source.
 * Strings: see lua_string.  Tables: see lua_table.  os.date: see lua_date.
 * Functions that can be written in Lua itself are in lua/prelude.lua. */
#ifndef HOOK_LUA_LIBRARY_H
#define HOOK_LUA_LIBRARY_H

#include <lua.h>

#include "base/span.h"

/* All of these may raise an error. */

/* Once for each state: open the standard libraries, replace what differs, and
 * run the prelude, which is the text of lua/prelude.lua. */
void lua_library_open(lua_State *, struct span prelude);

/* Push the script as a function.  Raises if the script does not compile. */
void lua_library_load_file(lua_State *, const char *path);
void lua_library_load_text(lua_State *, const char *text, const char *name);

/* The names of the global functions that the script defined, with commas
 * between them.  The text stays on top of the stack. */
const char *lua_library_functions(lua_State *);

#endif
