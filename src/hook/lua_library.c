/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_library.h"

#include <lauxlib.h>
#include <lualib.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "hook/lua51_source.h"
#include "hook/lua_date.h"
#include "hook/lua_string.h"
#include "hook/lua_wrap.h"

/* The registry holds the table that the prelude returns under this address. */
static const char prelude_key;

/* Upvalues 2 and 3 are the first and last argument that is a position or a
 * count. */
static int with_whole_arguments(lua_State *L)
{
	int last = (int)lua_tointeger(L, lua_upvalueindex(3));
	int i = (int)lua_tointeger(L, lua_upvalueindex(2));
	for (int top = lua_gettop(L); i <= last && i <= top; i++)
		if (!lua_isinteger(L, i))
			lua_wrap_truncate(L, i);
	return lua_wrap_original(L);
}

/* Make the number what it would be in LuaJIT: 5.0 becomes 5, and NaN loses its
 * sign. */
static void normalize(lua_State *L, int index)
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

/* Numeric texts count as numbers, even in comparisons. */
static int with_whole_results(lua_State *L)
{
	for (int i = lua_gettop(L); i > 0; i--)
		if (lua_type(L, i) == LUA_TSTRING &&
		    lua_stringtonumber(L, lua_tostring(L, i)) != 0)
			lua_replace(L, i);
	int count = lua_wrap_original(L);
	for (int i = lua_gettop(L) - count + 1; i <= lua_gettop(L); i++)
		normalize(L, i);
	return count;
}

/* The `|` in the metatable of numbers, for operands that are not integers: see
 * lua51_source. */
static int left_side(lua_State *L)
{
	lua_settop(L, 1);
	normalize(L, 1);
	return 1;
}

/* Push the number of a "nan" or "inf", which LuaJIT accepts.  False if the text
 * is neither. */
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
		lua_tostring(L, 1); /* converts a number to a text in place */
	int count = lua_wrap_original(L);
	normalize(L, -1);
	if (lua_isnil(L, -1) && !has_base && lua_type(L, 1) == LUA_TSTRING)
		push_unusual(L, lua_tostring(L, 1));
	return count;
}

/* Any position is accepted: after the end, holes appear. */
static int insert_item(lua_State *L)
{
	if (lua_gettop(L) != 3)
		return lua_wrap_original(L);
	luaL_checkany(L, 1);
	lua_wrap_truncate(L, 2);
	lua_Integer place = luaL_checkinteger(L, 2);
	/* Computed as Lua does, because __len may return any number. */
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
	lua_wrap_truncate(L, 2);
	lua_Integer place = luaL_checkinteger(L, 2);
	return place >= 1 && place <= luaL_len(L, 1) ? lua_wrap_original(L) : 0;
}

/* Push the script as a function, or an error message. */
static int push_chunk(lua_State *L, struct span script, const char *name)
{
	/* First the original, so that messages quote the user's own text.  Text
	 * only: Lua does not verify bytecode, which could do anything. */
	int status = luaL_loadbufferx(L, script.ptr, script.len, name, "t");
	if (status != LUA_OK)
		return status;
	char *text =
		lua_newuserdatauv(L, script.len * LUA51_SOURCE_GROWTH + 64, 0);
	size_t length = lua51_source_translate(script, text);
	status = luaL_loadbufferx(L, text, length, name, "t");
	lua_replace(L, -3);
	lua_pop(L, 1);
	return status;
}

/* Push the concatenation of the pieces that the function returns. */
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
		lua_wrap_replace(L, functions[i].library, functions[i].name,
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
		lua_wrap_replace(L, functions[i][0], functions[i][1],
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

static void open_prelude(lua_State *L, struct span prelude)
{
	if (luaL_loadbufferx(L, prelude.ptr, prelude.len, "=prelude", "t") !=
	    LUA_OK)
		lua_error(L);
	lua_call(L, 0, 1);
	lua_string_open(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &prelude_key);
}

void lua_library_open(lua_State *L, struct span prelude)
{
	luaL_openlibs(L);
	lua_date_open(L);
	open_numbers(L);
	open_arguments(L);
	open_results(L);
	lua_wrap_replace(L, LUA_GNAME, "tonumber", to_number, 0);
	lua_wrap_replace(L, LUA_GNAME, "load", load, 0);
	lua_wrap_replace(L, "table", "insert", insert_item, 0);
	lua_wrap_replace(L, "table", "remove", remove_item, 0);
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
