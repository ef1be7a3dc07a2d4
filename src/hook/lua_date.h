/* SPDX-License-Identifier: Apache-2.0 */
/* lua_date - os.date as Lua 5.1 has it, and quicker.
 *
 * It takes what the C library takes (%s and %k, which Lua 5.4 refuses) and
 * seconds with a fraction, and remembers what it gave for the same format and
 * second: most scripts ask the same record after record. */
#ifndef HOOK_LUA_DATE_H
#define HOOK_LUA_DATE_H

#include <lua.h>

/* Replace os.date. */
void lua_date_open(lua_State *);

#endif
