/* SPDX-License-Identifier: Apache-2.0 */
/* lua51_source - translate a script for Lua 5.1 (LuaJIT) so that it calculates
 * in Lua 5.4 as it did in LuaJIT.
 *
 * LuaJIT has one type of number, and 10/2 is 5.  Lua 5.4 has two, and 10/2 is
 * 5.0, even in the text that becomes part of a path.  So `|0` is added to each
 * calculation, which turns a float without a fraction into an integer:
 *
 *     path = dir .. ms/1000 .. ".log"    path = dir .. (ms/1000|0) .. ".log"
 *     limit = 1e3                        limit = 1000
 *
 * For any other value, such as 2.5 or the result of a metamethod, the `|` in
 * the metatable of numbers (lua_library) returns its left side.  Each
 * calculation costs one more instruction of the virtual machine; a script
 * without calculations costs nothing.  Line numbers do not change. */
#ifndef HOOK_LUA51_SOURCE_H
#define HOOK_LUA51_SOURCE_H

#include <stddef.h>

#include "base/span.h"

enum { LUA51_SOURCE_GROWTH = 6 };

/* Write the translated script to `out`, which must have room for
 * LUA51_SOURCE_GROWTH times its length and 64 bytes.  The script must compile.
 * Returns the length. */
size_t lua51_source_translate(struct span script, char *out);

#endif
