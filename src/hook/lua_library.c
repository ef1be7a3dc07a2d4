/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_library.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdbool.h>

#include "hook/lua51_source.h"
#include "hook/lua_date.h"
#include "hook/lua_file.h"
#include "hook/lua_number.h"
#include "hook/lua_string.h"
#include "hook/lua_table.h"
#include "hook/lua_wrap.h"

/* The registry holds the table that the prelude returns under this address. */
static const char prelude_key;

/* Upvalues 2 to 4 number arguments from 1.  The arguments up to upvalue 2 are
 * texts; those from upvalue 3 to upvalue 4 are positions or counts. */
static int with_arguments(lua_State *L)
{
	int texts = (int)lua_tointeger(L, lua_upvalueindex(2));
	int i = (int)lua_tointeger(L, lua_upvalueindex(3));
	int last = (int)lua_tointeger(L, lua_upvalueindex(4));
	int top = lua_gettop(L);
	for (int text = 1; text <= texts && text <= top; text++)
		lua_number_to_text(L, text);
	for (; i <= last && i <= top; i++)
		lua_wrap_truncate(L, i);
	return lua_wrap_original(L);
}

/* math.max and math.min; numeric texts count as numbers.  Of NaN and a number,
 * LuaJIT returns the second. */
static int choose(lua_State *L, bool is_max)
{
	int best = 1;
	for (int i = 1; i <= lua_gettop(L) || i == 1; i++) {
		luaL_checknumber(L, i);
		if (lua_type(L, i) == LUA_TSTRING) {
			lua_stringtonumber(L, lua_tostring(L, i));
			lua_replace(L, i);
		}
		if (!lua_compare(L, is_max ? i : best, is_max ? best : i,
				 LUA_OPLT))
			best = i;
	}
	lua_pushvalue(L, best);
	return 1;
}

static int max(lua_State *L)
{
	return choose(L, true);
}

static int min(lua_State *L)
{
	return choose(L, false);
}

/* math.log with a base, rounded as in LuaJIT: of 27 to base 3, it is a little
 * more than 3. */
static int logarithm(lua_State *L)
{
	if (lua_isnone(L, 2))
		return lua_wrap_original(L);
	lua_Number number = luaL_checknumber(L, 1);
	lua_Number base = luaL_checknumber(L, 2);
	lua_pushnumber(L, log2(number) * (1.0 / log2(base)));
	return 1;
}

/* Only tables have pairs. */
static int pairs(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return lua_wrap_original(L);
}

static int next_item(lua_State *L)
{
	lua_Integer i = luaL_checkinteger(L, 2);
	luaL_checktype(L, 1, LUA_TTABLE);
	if (i == LUA_MAXINTEGER) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, ++i);
	return lua_rawgeti(L, 1, i) == LUA_TNIL ? 1 : 2;
}

/* Without metamethods. */
static int ipairs(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushcfunction(L, next_item);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

/* As in LuaJIT, a number also gets the position in front. */
static int error(lua_State *L)
{
	lua_wrap_truncate(L, 2);
	lua_Integer level = luaL_optinteger(L, 2, 1);
	lua_settop(L, 1);
	if (lua_isstring(L, 1) && level > 0) {
		lua_number_to_text(L, 1);
		luaL_where(L, (int)level);
		lua_pushvalue(L, 1);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/* As in LuaJIT, a message that is a number becomes text, and a NUL ends it. */
static int assert_true(lua_State *L)
{
	if (lua_toboolean(L, 1) || !lua_isstring(L, 2))
		return lua_wrap_original(L);
	lua_number_to_text(L, 2);
	lua_pushstring(L, lua_tostring(L, 2));
	return lua_error(L);
}

/* Push the script as a function, or an error message.  `environment` is the
 * index of its environment, or 0 for the global one. */
static int push_chunk(lua_State *L, struct span script, const char *name,
		      int environment)
{
	/* Compile the original first, so that messages quote the user's own
	 * text.  Accept only text: Lua does not verify bytecode, which could do
	 * anything. */
	int status = luaL_loadbufferx(L, script.ptr, script.len, name, "t");
	if (status != LUA_OK)
		return status;
	char *text = lua_newuserdatauv(L, lua51_source_room(script.len), 0);
	size_t length = lua51_source_translate(script, text);
	status = luaL_loadbufferx(L, text, length, name, "t");
	lua_replace(L, -3);
	lua_pop(L, 1);
	if (status != LUA_OK)
		return status;
	if (environment != 0) {
		lua_pushvalue(L, environment);
		lua_setupvalue(L, -2, 1);
	}
	lua_pushcfunction(L, lua_number_concat);
	lua_pushcfunction(L, lua_number_remainder);
	lua_call(L, 2, 1);
	return LUA_OK;
}

/* Called with a function: returns the concatenation of the pieces that this
 * function returns. */
static int read_pieces(lua_State *L)
{
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (;;) {
		lua_pushvalue(L, 1);
		lua_call(L, 0, 1);
		if (lua_isnil(L, -1))
			break;
		if (!lua_isstring(L, -1))
			luaL_error(L, "reader function must return a string");
		lua_number_to_text(L, lua_gettop(L));
		if (lua_rawlen(L, -1) == 0)
			break;
		luaL_addvalue(&b);
	}
	lua_pop(L, 1);
	luaL_pushresult(&b);
	return 1;
}

/* load(text or function, name, mode, environment) */
static int load(lua_State *L)
{
	struct span script;
	int environment = lua_gettop(L) >= 4 ? 4 : 0;
	const char *name = luaL_optstring(L, 2, NULL);
	if (lua_isstring(L, 1)) {
		lua_pushvalue(L, 1);
	} else {
		luaL_checktype(L, 1, LUA_TFUNCTION);
		lua_pushcfunction(L, read_pieces);
		lua_pushvalue(L, 1);
		if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
			lua_pushnil(L);
			lua_insert(L, -2);
			return 2;
		}
	}
	script.ptr = lua_tolstring(L, -1, &script.len);
	if (name == NULL)
		name = lua_isstring(L, 1) ? script.ptr : "=(load)";
	if (push_chunk(L, script, name, environment) == LUA_OK)
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

static void open_arguments(lua_State *L)
{
	static const struct {
		const char *library, *name;
		int texts, first, last;
	} functions[] = {
		{"string", "sub", 1, 2, 3},	{"string", "byte", 1, 2, 3},
		{"string", "len", 1, 1, 0},	{"string", "upper", 1, 1, 0},
		{"string", "lower", 1, 1, 0},	{"string", "reverse", 1, 1, 0},
		{"string", "char", 0, 1, 255},	{"math", "ldexp", 0, 2, 2},
		{LUA_GNAME, "select", 0, 1, 1}, {"os", "getenv", 1, 1, 0},
		{"os", "remove", 1, 1, 0},	{"os", "rename", 2, 1, 0},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		lua_pushinteger(L, functions[i].texts);
		lua_pushinteger(L, functions[i].first);
		lua_pushinteger(L, functions[i].last);
		lua_wrap_replace(L, functions[i].library, functions[i].name,
				 with_arguments, 3);
	}
	lua_wrap_replace(L, "math", "max", max, 0);
	lua_wrap_replace(L, "math", "min", min, 0);
	lua_wrap_replace(L, "math", "log", logarithm, 0);
}

static void open_prelude(lua_State *L, struct span prelude)
{
	if (luaL_loadbufferx(L, prelude.ptr, prelude.len, "=prelude", "t") !=
	    LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &prelude_key);
}

void lua_library_open(lua_State *L, struct span prelude)
{
	luaL_openlibs(L);
	lua_date_open(L);
	lua_number_open(L);
	lua_string_open(L);
	lua_table_open(L);
	lua_file_open(L);
	open_arguments(L);
	lua_pushcfunction(L, ipairs);
	lua_setglobal(L, "ipairs");
	lua_wrap_replace(L, LUA_GNAME, "pairs", pairs, 0);
	lua_pushcfunction(L, error);
	lua_setglobal(L, "error");
	lua_wrap_replace(L, LUA_GNAME, "assert", assert_true, 0);
	lua_wrap_replace(L, LUA_GNAME, "load", load, 0);
	open_prelude(L, prelude);
}

void lua_library_load_file(lua_State *L, const char *path)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &prelude_key);
	lua_getfield(L, -1, "load_file");
	lua_remove(L, -2);
	lua_pushstring(L, path);
	lua_call(L, 1, 2);
	if (lua_isnil(L, -2))
		lua_error(L);
	lua_pop(L, 1);
}

void lua_library_load_text(lua_State *L, const char *text, const char *name)
{
	if (push_chunk(L, span_of(text), name, 0) != LUA_OK)
		lua_error(L);
}

const char *lua_library_functions(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &prelude_key);
	lua_getfield(L, -1, "functions");
	lua_call(L, 0, 1);
	return luaL_checkstring(L, -1);
}
