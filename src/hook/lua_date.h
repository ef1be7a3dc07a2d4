/* SPDX-License-Identifier: Apache-2.0 */
/* lua_date - os.date as Lua 5.1 has it, and faster.
 *
 * It accepts every conversion of the C library (also %s and %k, which Lua 5.4
 * rejects) and seconds with a fraction.  It remembers its latest results by
 * format and second, because most scripts ask for the same date for record
 * after record. */
#ifndef HOOK_LUA_DATE_H
#define HOOK_LUA_DATE_H

#include <lua.h>

/* Replace os.date.  May raise. */
void lua_date_open(lua_State *);

#endif
