/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_wrap.h"

#include <math.h>

void lua_wrap_truncate(lua_State *L, int index)
{
	int is_whole;
	lua_Integer whole;
	lua_tointegerx(L, index, &is_whole);
	if (is_whole || !lua_isnumber(L, index) ||
	    !lua_numbertointeger(trunc(lua_tonumber(L, index)), &whole))
		return;
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
