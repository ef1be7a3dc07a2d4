/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_budget.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "base/clock.h"

void lua_budget_raise(lua_State *L, int level)
{
	luaL_where(L, level);
	lua_pushfstring(L, "stopped after more than %d ms of CPU",
			(int)lua_budget_of(L)->limit_ms);
	lua_concat(L, 2);
	lua_error(L);
	abort(); /* lua_error does not return */
}

void lua_budget_check(lua_State *L)
{
#ifdef __SANITIZE_THREAD__
	clock_mono_ns(); /* TSan delivers signals during this call */
#endif
	if (atomic_load_explicit(&lua_budget_of(L)->is_expired,
				 memory_order_relaxed))
		lua_budget_raise(L, 1);
}
