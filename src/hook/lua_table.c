/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_table.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>

#include "hook/lua_budget.h"
#include "hook/lua_number.h"
#include "hook/lua_wrap.h"

static lua_Integer length_of(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return (lua_Integer)lua_rawlen(L, 1);
}

/* The position or count at `index`, or `otherwise` if there is none. */
static lua_Integer optional(lua_State *L, int index, lua_Integer otherwise)
{
	lua_wrap_truncate(L, index);
	return luaL_optinteger(L, index, otherwise);
}

static lua_Integer required(lua_State *L, int index)
{
	lua_wrap_truncate(L, index);
	return luaL_checkinteger(L, index);
}

/* A position after the end makes holes. */
static int insert(lua_State *L)
{
	lua_Integer length = length_of(L);
	lua_Integer end = length < LUA_MAXINTEGER ? length + 1 : length;
	lua_Integer place = end;
	size_t steps = 0;
	int count = lua_gettop(L);
	if (count == 3)
		place = required(L, 2);
	else if (count != 2)
		return luaL_error(L, "wrong number of arguments to 'insert'");
	for (lua_Integer i = end; i > place; i--) {
		lua_budget_spend(L, &steps, 8);
		lua_rawgeti(L, 1, i - 1);
		lua_rawseti(L, 1, i);
	}
	lua_rawseti(L, 1, place);
	return 0;
}

static int remove_item(lua_State *L)
{
	lua_Integer length = length_of(L);
	size_t steps = 0;
	lua_Integer place = optional(L, 2, length);
	if (place < 1 || place > length)
		return 0;
	lua_rawgeti(L, 1, place);
	for (lua_Integer i = place; i < length; i++) {
		lua_budget_spend(L, &steps, 8);
		lua_rawgeti(L, 1, i + 1);
		lua_rawseti(L, 1, i);
	}
	lua_pushnil(L);
	lua_rawseti(L, 1, length);
	return 1;
}

static int concat(lua_State *L)
{
	size_t steps = 0, blank;
	lua_Integer length = length_of(L);
	lua_number_to_text(L, 2);
	const char *between = luaL_optlstring(L, 2, "", &blank);
	lua_Integer i = optional(L, 3, 1);
	lua_Integer last = optional(L, 4, length);
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (; i <= last; i++) {
		lua_budget_spend(L, &steps, 8);
		lua_rawgeti(L, 1, i);
		if (!lua_isstring(L, -1))
			return luaL_error(L,
					  "invalid value (%s) at index %I in "
					  "table for 'concat'",
					  luaL_typename(L, -1), i);
		lua_number_to_text(L, lua_gettop(L));
		luaL_addvalue(&b);
		if (i == last)
			break;
		luaL_addlstring(&b, between, blank);
	}
	luaL_pushresult(&b);
	return 1;
}

static int move(lua_State *L)
{
	size_t steps = 0;
	int to = lua_isnoneornil(L, 5) ? 1 : 5;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, to, LUA_TTABLE);
	lua_Integer first = required(L, 2), last = required(L, 3);
	lua_Integer place = required(L, 4);
	bool is_upward = place > last || place <= first || to != 1;
	for (lua_Integer left = last; left >= first; left--) {
		lua_budget_spend(L, &steps, 8);
		lua_Integer i = is_upward ? first + (last - left) : left;
		lua_rawgeti(L, 1, i);
		lua_rawseti(L, to,
			    (lua_Integer)((lua_Unsigned)place +
					  (lua_Unsigned)i -
					  (lua_Unsigned)first));
		if (left == LUA_MININTEGER)
			break;
	}
	lua_pushvalue(L, to);
	return 1;
}

static int unpack(lua_State *L)
{
	lua_Integer length = length_of(L);
	lua_Integer i = optional(L, 2, 1), last = optional(L, 3, length);
	if (i > last)
		return 0;
	lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)i + 1;
	if (count == 0 || count >= INT_MAX || !lua_checkstack(L, (int)count))
		return luaL_error(L, "too many results to unpack");
	for (lua_Unsigned n = 0; n < count; n++)
		lua_rawgeti(L, 1, (lua_Integer)((lua_Unsigned)i + n));
	return (int)count;
}

/* Whether the value at index a is less than the one at b. */
static bool is_less(lua_State *L, int a, int b, size_t *steps)
{
	a = lua_absindex(L, a);
	b = lua_absindex(L, b);
	size_t length = lua_rawlen(L, a);
	lua_budget_spend(L, steps, 8 + (lua_isstring(L, a) ? length : 0));
	if (lua_isnil(L, 2))
		return lua_compare(L, a, b, LUA_OPLT);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, a);
	lua_pushvalue(L, b);
	lua_call(L, 2, 1);
	bool is = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return is;
}

/* Store the two values on top of the stack: the top one at i, then j. */
static void store(lua_State *L, lua_Integer i, lua_Integer j)
{
	lua_rawseti(L, 1, i);
	lua_rawseti(L, 1, j);
}

/* Swap the items at i and j if the second is less than the first. */
static void put_in_order(lua_State *L, lua_Integer i, lua_Integer j,
			 size_t *steps)
{
	lua_rawgeti(L, 1, i);
	lua_rawgeti(L, 1, j);
	if (is_less(L, -1, -2, steps))
		store(L, i, j);
	else
		lua_pop(L, 2);
}

/* Move items that are less than the pivot, which is on top of the stack and at
 * upper - 1, before all others.  Returns the pivot's new place. */
static lua_Integer partition(lua_State *L, lua_Integer lower, lua_Integer upper,
			     size_t *steps)
{
	lua_Integer i = lower, j = upper - 1;
	for (;;) {
		while (lua_rawgeti(L, 1, ++i), is_less(L, -1, -2, steps)) {
			if (i >= upper)
				luaL_error(L, "invalid order function for "
					      "sorting");
			lua_pop(L, 1);
		}
		while (lua_rawgeti(L, 1, --j), is_less(L, -3, -1, steps)) {
			if (j <= lower)
				luaL_error(L, "invalid order function for "
					      "sorting");
			lua_pop(L, 1);
		}
		if (j < i) {
			lua_pop(L, 3);
			break;
		}
		store(L, i, j);
	}
	lua_rawgeti(L, 1, upper - 1);
	lua_rawgeti(L, 1, i);
	store(L, upper - 1, i);
	return i;
}

/* Quicksort with the median of the first, the middle and the last item. */
static void sort_range(lua_State *L, lua_Integer lower, lua_Integer upper,
		       size_t *steps)
{
	luaL_checkstack(L, 8, "too much to sort");
	while (lower < upper) {
		put_in_order(L, lower, upper, steps);
		if (upper - lower == 1)
			return;
		lua_Integer middle = lower + (upper - lower) / 2;
		lua_rawgeti(L, 1, middle);
		lua_rawgeti(L, 1, lower);
		if (is_less(L, -2, -1, steps)) {
			store(L, middle, lower);
		} else {
			lua_pop(L, 1);
			lua_rawgeti(L, 1, upper);
			if (is_less(L, -1, -2, steps))
				store(L, middle, upper);
			else
				lua_pop(L, 2);
		}
		if (upper - lower == 2)
			return;
		lua_rawgeti(L, 1, middle);
		lua_pushvalue(L, -1);
		lua_rawgeti(L, 1, upper - 1);
		store(L, middle, upper - 1);
		lua_Integer i = partition(L, lower, upper, steps);
		if (i - lower < upper - i) {
			sort_range(L, lower, i - 1, steps);
			lower = i + 1;
		} else {
			sort_range(L, i + 1, upper, steps);
			upper = i - 1;
		}
	}
}

static int sort(lua_State *L)
{
	size_t steps = 0;
	lua_Integer length = length_of(L);
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	sort_range(L, 1, length, &steps);
	return 0;
}

void lua_table_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"concat", concat}, {"insert", insert},
		{"move", move},	    {"remove", remove_item},
		{"sort", sort},	    {"unpack", unpack},
		{NULL, NULL},
	};
	lua_getglobal(L, "table");
	luaL_setfuncs(L, functions, 0);
	lua_getfield(L, -1, "unpack");
	lua_setglobal(L, "unpack");
	lua_pop(L, 1);
}
