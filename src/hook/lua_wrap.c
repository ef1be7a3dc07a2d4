/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_wrap.h"

#include <math.h>

void lua_wrap_truncate(lua_State *L, int index)
{
	if (lua_isinteger(L, index) || !lua_isnumber(L, index))
		return;
	lua_Number number = trunc(lua_tonumber(L, index));
	lua_Integer whole;
	if (!lua_numbertointeger(number, &whole))
		whole = number > 0 ? LUA_MAXINTEGER : LUA_MININTEGER;
	lua_pushinteger(L, whole);
	lua_replace(L, index);
}

void lua_wrap_replace(lua_State *L, const char *library, const char *name,
		      lua_CFunction function, int more)
{
	lua_getglobal(L, library);
	lua_insert(L, -1 - more);
	lua_getfield(L, -1 - more, name);
	lua_insert(L, -1 - more);
	lua_pushcclosure(L, function, 1 + more);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}
