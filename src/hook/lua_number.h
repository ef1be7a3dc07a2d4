/* SPDX-License-Identifier: Apache-2.0 */
/* lua_number - numbers become text as in LuaJIT, and text becomes numbers.
 *
 * LuaJIT has one type of number and prints it with %.14g.  Lua 5.4 has two and
 * adds ".0" to a float that looks whole.  Calculations except % are left to Lua
 * 5.4; the text differs:
 *
 *     1.005 * 1000 .. "ms"     1005ms, not 1005.0ms
 *     10 / 2                   5
 *
 * Integers keep all digits.  NaN is "nan". */
#ifndef HOOK_LUA_NUMBER_H
#define HOOK_LUA_NUMBER_H

#include <lua.h>

/* Prepare a number for printf with `places` digits after the point (a negative
 * `places` counts before the point).  The C library rounds an exact half to
 * even, but LuaJIT rounds it away from zero.  So an exact half becomes the next
 * number away from zero. */
lua_Number lua_number_round_half(lua_Number, int places);

/* The exponent of the number in scientific notation. */
int lua_number_exponent(lua_Number);

/* Replace a float at `index`, which counts from 1, by its text.  Any other
 * value stays as it is.  May raise. */
void lua_number_to_text(lua_State *, int index);

/* Push the text that tostring returns for the value.  As in LuaJIT, __tostring
 * may return any value.  May raise. */
void lua_number_tostring(lua_State *, int index);

/* A function for `..`, see lua51_source.  The first argument has the names of
 * the operands for error messages, each followed by a comma.  The operands
 * follow. */
int lua_number_concat(lua_State *);

/* A function for `%`, see lua51_source.  The first argument is as above; two
 * operands follow.  As in LuaJIT, 1.5 % 0.1 is 0 and 5 % 0 is NaN. */
int lua_number_remainder(lua_State *);

/* Once for each state: replace tostring, tonumber and print.  May raise. */
void lua_number_open(lua_State *);

#endif
