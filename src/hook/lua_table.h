/* SPDX-License-Identifier: Apache-2.0 */
/* lua_table - table.* as LuaJIT has it, within the time limit.
 *
 * The functions read and write tables without metamethods.  sort is the
 * algorithm of Lua 5.1, so that equal items come out in the same order.  insert
 * and remove accept any position. */
#ifndef HOOK_LUA_TABLE_H
#define HOOK_LUA_TABLE_H

#include <lua.h>

/* Once for each state: replace table.concat, insert, move, remove, sort and
 * unpack, and set unpack.  May raise. */
void lua_table_open(lua_State *);

#endif
