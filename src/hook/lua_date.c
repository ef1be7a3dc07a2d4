/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_date.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
	DATES = 8,
	/* The upvalues of the function: the original os.date, the cache, then
	 * the format and the text of each cached date.  An upvalue keeps its
	 * format alive, so that equal addresses mean equal formats. */
	ORIGINAL = 1,
	CACHE,
	TEXTS,
};

struct date_cache {
	struct cached_date {
		const char *format;
		lua_Integer second;
	} dates[DATES];
	unsigned next;
};

/* As in LuaJIT, NaN and numbers that are too large become the smallest integer,
 * which is no time. */
static lua_Integer whole_second(lua_State *L)
{
	lua_Integer second;
	if (lua_isinteger(L, 2))
		return lua_tointeger(L, 2);
	if (lua_isnoneornil(L, 2))
		return (lua_Integer)time(NULL);
	lua_Number number = trunc(luaL_checknumber(L, 2));
	return lua_numbertointeger(number, &second) ? second : LUA_MININTEGER;
}

/* The C library's strftime decides which conversions exist.  The call through a
 * pointer keeps the compiler from checking the format. */
static void push_formatted(lua_State *L, const char *format,
			   const struct tm *tm)
{
	size_t (*format_time)(char *, size_t, const char *, const struct tm *) =
		strftime;
	char text[1024];
	size_t length = format_time(text, sizeof text, format, tm);
	if (length == 0 && *format != '\0')
		luaL_argerror(L, 1,
			      "the date is empty or longer than 1,023 bytes");
	lua_pushlstring(L, text, length);
}

/* Push what os.date returns: nil for an impossible time. */
static void push_date(lua_State *L, const char *format, time_t second)
{
	struct tm tm;
	bool is_utc = *format == '!';
	if ((is_utc ? gmtime_r(&second, &tm) : localtime_r(&second, &tm)) ==
	    NULL) {
		lua_pushnil(L);
	} else if (strncmp(format + is_utc, "*t", 2) == 0) {
		lua_pushvalue(L, lua_upvalueindex(ORIGINAL));
		lua_pushstring(L, format);
		lua_pushinteger(L, second);
		lua_call(L, 2, 1);
	} else {
		push_formatted(L, format + is_utc, &tm);
	}
}

static int date(lua_State *L)
{
	struct date_cache *cache = lua_touserdata(L, lua_upvalueindex(CACHE));
	lua_Integer second = whole_second(L);
	bool is_cacheable = lua_type(L, 1) == LUA_TSTRING;
	const char *format =
		is_cacheable ? lua_tostring(L, 1) : luaL_optstring(L, 1, "%c");
	for (int i = 0; is_cacheable && i < DATES; i++) {
		struct cached_date *d = &cache->dates[i];
		if (d->second == second && d->format == format) {
			lua_pushvalue(L, lua_upvalueindex(TEXTS + 1 + 2 * i));
			return 1;
		}
	}
	push_date(L, format, (time_t)second);
	if (is_cacheable && lua_type(L, -1) == LUA_TSTRING) {
		int i = (int)(cache->next++ % DATES);
		cache->dates[i] = (struct cached_date){format, second};
		lua_pushvalue(L, 1);
		lua_replace(L, lua_upvalueindex(TEXTS + 2 * i));
		lua_pushvalue(L, -1);
		lua_replace(L, lua_upvalueindex(TEXTS + 1 + 2 * i));
	}
	return 1;
}

void lua_date_open(lua_State *L)
{
	lua_getglobal(L, "os");
	lua_getfield(L, -1, "date");
	struct date_cache *cache = lua_newuserdatauv(L, sizeof *cache, 0);
	*cache = (struct date_cache){0};
	for (int i = 0; i < 2 * DATES; i++)
		lua_pushnil(L);
	lua_pushcclosure(L, date, TEXTS - 1 + 2 * DATES);
	lua_setfield(L, -2, "date");
	lua_pop(L, 1);
}
