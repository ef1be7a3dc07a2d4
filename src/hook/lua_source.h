/* SPDX-License-Identifier: Apache-2.0 */
/* lua_source - a script for LuaJIT, written so that Lua 5.4 counts alike.
 *
 * LuaJIT has one kind of number, and 10/2 is 5.  Lua 5.4 has two, and 10/2 is
 * 5.0, also in the text that a path is made of.  So each calculation gets a
 * `|0` behind it, which makes an integer of a float without a fraction:
 *
 *     path = dir .. ms/1000 .. ".log"    path = dir .. (ms/1000|0) .. ".log"
 *     limit = 1e3                        limit = 1000
 *
 * Of everything else, 2.5 or what a metamethod gave, the `|` of the numbers'
 * metatable (lua_library) gives back the left side.  It costs a calculation
 * one instruction of the virtual machine, and a script without any nothing.
 * Lines stay where they are. */
#ifndef HOOK_LUA_SOURCE_H
#define HOOK_LUA_SOURCE_H

#include <stddef.h>

#include "base/span.h"

enum { LUA_SOURCE_GROWTH = 6 };

/* Write the script, which must compile, to `out`, which has room for
 * LUA_SOURCE_GROWTH times its length and 64 bytes.  Returns the length. */
size_t lua_source_write(struct span script, char *out);

#endif
