/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_library.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/embedded.h"
#include "hook/lua_date.h"
#include "hook/lua_source.h"
#include "hook/lua_string.h"
#include "hook/lua_wrap.h"

/* What the prelude gives back is in the registry, under this address. */
static const char prelude_key;

/* Upvalues 2 and 3: the first and last argument that is a place or a count. */
static int with_whole_arguments(lua_State *L)
{
	int last = (int)lua_tointeger(L, lua_upvalueindex(3));
	int i = (int)lua_tointeger(L, lua_upvalueindex(2));
	for (int top = lua_gettop(L); i <= last && i <= top; i++)
		if (!lua_isinteger(L, i))
			lua_wrap_cut(L, i);
	return lua_wrap_original(L);
}

/* As the only kind of number would be: 5.0 is 5, and NaN has no sign. */
static void settle(lua_State *L, int index)
{
	lua_Integer whole;
	if (lua_type(L, index) != LUA_TNUMBER || lua_isinteger(L, index))
		return;
	index = lua_absindex(L, index);
	lua_Number number = lua_tonumber(L, index);
	if (isnan(number))
		lua_pushnumber(L, (lua_Number)NAN);
	else if (floor(number) == number && lua_numbertointeger(number, &whole))
		lua_pushinteger(L, whole);
	else
		return;
	lua_replace(L, index);
}

/* Texts count as numbers, also for comparisons. */
static int with_whole_results(lua_State *L)
{
	for (int i = lua_gettop(L); i > 0; i--)
		if (lua_type(L, i) == LUA_TSTRING &&
		    lua_stringtonumber(L, lua_tostring(L, i)) != 0)
			lua_replace(L, i);
	int count = lua_wrap_original(L);
	for (int i = lua_gettop(L) - count + 1; i <= lua_gettop(L); i++)
		settle(L, i);
	return count;
}

/* The `|` of the numbers, where it is none of integers: see lua_source. */
static int left_side(lua_State *L)
{
	lua_settop(L, 1);
	settle(L, 1);
	return 1;
}

/* "nan" and "inf", which LuaJIT takes; pushes it. */
static bool push_unusual(lua_State *L, const char *text)
{
	static const char blanks[] = " \f\n\r\t\v";
	text += strspn(text, blanks);
	bool is_negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	size_t length = strcspn(text, blanks);
	bool is_nan = length == 3 && strncasecmp(text, "nan", 3) == 0;
	bool is_inf = (length == 3 && strncasecmp(text, "inf", 3) == 0) ||
		      (length == 8 && strncasecmp(text, "infinity", 8) == 0);
	if (!is_nan && !is_inf)
		return false;
	lua_Number number = is_nan ? (lua_Number)NAN : (lua_Number)INFINITY;
	lua_pushnumber(L, is_negative && is_inf ? -number : number);
	return true;
}

static int to_number(lua_State *L)
{
	bool has_base = !lua_isnoneornil(L, 2);
	if (has_base)
		lua_tostring(L, 1); /* a number becomes a text in its place */
	int count = lua_wrap_original(L);
	settle(L, -1);
	if (lua_isnil(L, -1) && !has_base && lua_type(L, 1) == LUA_TSTRING)
		push_unusual(L, lua_tostring(L, 1));
	return count;
}

/* Any place will do: behind the end there are holes. */
static int insert_item(lua_State *L)
{
	if (lua_gettop(L) != 3)
		return lua_wrap_original(L);
	luaL_checkany(L, 1);
	lua_wrap_cut(L, 2);
	lua_Integer place = luaL_checkinteger(L, 2);
	/* As Lua does it: a length may be any number, its __len says. */
	lua_Integer end = (lua_Integer)((lua_Unsigned)luaL_len(L, 1) + 1);
	for (lua_Integer i = place > end ? place : end; i > place; i--) {
		lua_geti(L, 1, i - 1);
		lua_seti(L, 1, i);
	}
	lua_seti(L, 1, place);
	return 0;
}

static int remove_item(lua_State *L)
{
	if (lua_gettop(L) < 2)
		return luaL_len(L, 1) > 0 ? lua_wrap_original(L) : 0;
	lua_wrap_cut(L, 2);
	lua_Integer place = luaL_checkinteger(L, 2);
	return place >= 1 && place <= luaL_len(L, 1) ? lua_wrap_original(L) : 0;
}

/* Push the script as a function, or a message. */
static int push_chunk(lua_State *L, struct span script, const char *name)
{
	/* As it is, for messages about nothing but its own.  Text only:
	 * bytecode is not verified and could do anything. */
	int status = luaL_loadbufferx(L, script.ptr, script.len, name, "t");
	if (status != LUA_OK)
		return status;
	char *text =
		lua_newuserdatauv(L, script.len * LUA_SOURCE_GROWTH + 64, 0);
	size_t length = lua_source_write(script, text);
	status = luaL_loadbufferx(L, text, length, name, "t");
	lua_replace(L, -3);
	lua_pop(L, 1);
	return status;
}

/* The pieces that a function gives, as a text. */
static void push_pieces(lua_State *L, int function)
{
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (;;) {
		lua_pushvalue(L, function);
		lua_call(L, 0, 1);
		if (lua_isnil(L, -1) || lua_rawlen(L, -1) == 0)
			break;
		if (!lua_isstring(L, -1))
			luaL_error(L, "reader function must return a string");
		luaL_addvalue(&b);
	}
	lua_pop(L, 1);
	luaL_pushresult(&b);
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
		push_pieces(L, 1);
	}
	script.ptr = lua_tolstring(L, -1, &script.len);
	if (name == NULL)
		name = lua_isstring(L, 1) ? script.ptr : "=(load)";
	if (push_chunk(L, script, name) != LUA_OK) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	if (environment != 0) {
		lua_pushvalue(L, environment);
		if (lua_setupvalue(L, -2, 1) == NULL)
			lua_pop(L, 1);
	}
	return 1;
}

static void open_arguments(lua_State *L)
{
	static const struct {
		const char *library, *name;
		int first, last;
	} functions[] = {
		{"string", "sub", 2, 3},     {"string", "byte", 2, 3},
		{"string", "rep", 2, 2},     {"string", "char", 1, 255},
		{"table", "concat", 3, 4},   {"table", "unpack", 2, 3},
		{LUA_GNAME, "select", 1, 1},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		lua_pushinteger(L, functions[i].first);
		lua_pushinteger(L, functions[i].last);
		lua_wrap_set(L, functions[i].library, functions[i].name,
			     with_whole_arguments, 2);
	}
}

static void open_results(lua_State *L)
{
	static const char *const functions[][2] = {
		{"math", "sqrt"}, {"math", "exp"},    {"math", "log"},
		{"math", "fmod"}, {"math", "modf"},   {"math", "rad"},
		{"math", "deg"},  {"math", "sin"},    {"math", "cos"},
		{"math", "tan"},  {"math", "asin"},   {"math", "acos"},
		{"math", "atan"}, {"math", "abs"},    {"math", "max"},
		{"math", "min"},  {"os", "difftime"}, {"os", "clock"},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		lua_wrap_set(L, functions[i][0], functions[i][1],
			     with_whole_results, 0);
}

static void open_numbers(lua_State *L)
{
	lua_pushinteger(L, 0);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, left_side);
	lua_setfield(L, -2, "__bor");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

static void open_prelude(lua_State *L)
{
	struct span prelude = embedded_prelude_lua();
	if (luaL_loadbufferx(L, prelude.ptr, prelude.len, "=prelude", "t") !=
	    LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
	lua_string_open(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &prelude_key);
}

void lua_library_open(lua_State *L)
{
	luaL_openlibs(L);
	lua_date_open(L);
	open_numbers(L);
	open_arguments(L);
	open_results(L);
	lua_wrap_set(L, LUA_GNAME, "tonumber", to_number, 0);
	lua_wrap_set(L, LUA_GNAME, "load", load, 0);
	lua_wrap_set(L, "table", "insert", insert_item, 0);
	lua_wrap_set(L, "table", "remove", remove_item, 0);
	open_prelude(L);
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
	if (push_chunk(L, span_of(text), name) != LUA_OK)
		lua_error(L);
}

const char *lua_library_functions(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &prelude_key);
	lua_getfield(L, -1, "functions");
	lua_call(L, 0, 1);
	return luaL_checkstring(L, -1);
}
