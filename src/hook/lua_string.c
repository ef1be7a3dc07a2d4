/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_string.h"

#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hook/lua_wrap.h"

/* For find and match: a start after the end is moved to the end. */
static int with_start(lua_State *L)
{
	if (lua_gettop(L) < 3 || lua_isnil(L, 3))
		return lua_wrap_original(L);
	if (!lua_isinteger(L, 3))
		lua_wrap_truncate(L, 3);
	lua_Integer start = lua_tointeger(L, 3);
	if (start > 1 && lua_type(L, 1) == LUA_TSTRING &&
	    (lua_Unsigned)start > lua_rawlen(L, 1)) {
		lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1) + 1);
		lua_replace(L, 3);
	}
	return lua_wrap_original(L);
}

/* The length of flags, width and precision, from after the % to the letter. */
static size_t conversion_length(const char *format)
{
	return strspn(format, "-+ #0123456789.");
}

/* For %d: NaN and a number that is too large become the smallest integer. */
static void make_integer(lua_State *L, int index)
{
	lua_wrap_truncate(L, index);
	if (lua_type(L, index) != LUA_TNUMBER || lua_isinteger(L, index))
		return;
	lua_pushinteger(L, LUA_MININTEGER);
	lua_replace(L, index);
}

/* In LuaJIT %.1f of 0.25 is 0.3, in the C library 0.2.  So an exact half is
 * replaced by the next larger number. */
static void round_up_half(lua_State *L, int index, const char *conversion)
{
	static const double scales[] = {1,   1e1, 1e2, 1e3, 1e4,
					1e5, 1e6, 1e7, 1e8, 1e9};
	const char *point = strchr(conversion, '.');
	size_t places = point != NULL ? strtoul(point + 1, NULL, 10) : 6;
	lua_Number number = lua_tonumber(L, index);
	if (places >= sizeof scales / sizeof *scales || !isfinite(number))
		return;
	double scaled = number * scales[places];
	if (fabs(scaled - trunc(scaled)) != 0.5 ||
	    fma(number, scales[places], -scaled) != 0)
		return;
	lua_pushnumber(L, nextafter(number, number > 0 ? INFINITY : -INFINITY));
	lua_replace(L, index);
}

/* Whether it is %u, or has flags as in %05s, which Lua 5.4 rejects. */
static bool is_conversion_odd(const char *format, size_t length)
{
	char letter = format[length];
	return letter == 'u' ||
	       ((letter == 's' || letter == 'c') &&
		strspn(format, "-+ #0") != strspn(format, "-"));
}

static void push_fixed_format(lua_State *L, const char *format)
{
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (; *format != '\0'; format++) {
		luaL_addchar(&b, *format);
		if (*format != '%')
			continue;
		size_t length = conversion_length(++format);
		char letter = format[length];
		if (is_conversion_odd(format, length)) {
			size_t flags = strspn(format, "-+ #0");
			for (size_t i = 0; i < flags; i++)
				if (format[i] == '-' || letter == 'u')
					luaL_addchar(&b, format[i]);
			luaL_addlstring(&b, format + flags, length - flags);
			luaL_addchar(&b, letter == 'u' ? 'd' : letter);
		} else {
			luaL_addlstring(&b, format, length + (letter != '\0'));
		}
		format += length;
		if (letter == '\0')
			break;
	}
	luaL_pushresult(&b);
}

static int format_text(lua_State *L)
{
	int top = lua_gettop(L), argument = 1;
	bool is_odd = false;
	if (lua_type(L, 1) != LUA_TSTRING)
		return lua_wrap_original(L);
	const char *format = lua_tostring(L, 1);
	const char *at = format;
	while ((at = strchr(at, '%')) != NULL) {
		size_t length = conversion_length(++at);
		char letter = at[length];
		if (letter == '\0')
			break;
		at += length + 1;
		if (letter == '%')
			continue;
		argument++;
		const char *conversion = at - length - 1;
		is_odd |= is_conversion_odd(conversion, length);
		if (argument > top || lua_isinteger(L, argument))
			continue;
		if (strchr("diucoxX", letter) != NULL)
			make_integer(L, argument);
		else if (letter == 'f')
			round_up_half(L, argument, conversion);
	}
	if (is_odd) {
		push_fixed_format(L, format);
		lua_replace(L, 1);
	}
	return lua_wrap_original(L);
}

static size_t set_end(const char *p, size_t i, size_t length)
{
	i++;
	if (i < length && p[i] == '^')
		i++;
	do {
		if (i < length && p[i++] == '%')
			i++;
	} while (i < length && p[i] != ']');
	return i;
}

/* Whether the pattern can match the empty text.  Lua 5.1 finds an empty match
 * directly after another match, later versions do not.  A pattern with ^ has at
 * most one match, so it does not matter there. */
static bool can_match_empty(const char *p, size_t length)
{
	if (length > 0 && p[0] == '^')
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = p[i], next = i + 1 < length ? p[i + 1] : '\0';
		if (c == '(' || c == ')' || (c == '$' && i + 1 == length))
			continue;
		if (c == '%' && next == 'b')
			return false;
		if (c == '%' && next >= '0' && next <= '9') {
			i++; /* the text of a group may be empty */
			continue;
		}
		if (c == '%' && next == 'f') {
			if (i + 2 < length && p[i + 2] == '[')
				i = set_end(p, i + 2, length);
			continue;
		}
		if (c == '%')
			i++;
		else if (c == '[')
			i = set_end(p, i, length);
		next = i + 1 < length ? p[i + 1] : '\0';
		if (next != '*' && next != '?' && next != '-')
			return false;
		i++;
	}
	return true;
}

static bool is_pattern_slow(lua_State *L)
{
	size_t length;
	if (lua_type(L, 2) != LUA_TSTRING)
		return false;
	const char *pattern = lua_tolstring(L, 2, &length);
	return can_match_empty(pattern, length);
}

/* Call upvalue 2, the function of the prelude. */
static int in_lua(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int gmatch(lua_State *L)
{
	return is_pattern_slow(L) ? in_lua(L) : lua_wrap_original(L);
}

/* Lua 5.1 takes %- for -, Lua 5.4 raises an error. */
static void fix_replacement(lua_State *L, int index)
{
	size_t length;
	const char *text = lua_tolstring(L, index, &length);
	bool is_odd = false;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '%') {
			char next = text[++i];
			is_odd |= next != '%' && (next < '0' || next > '9');
		}
	if (!is_odd)
		return;
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%') {
			char next = text[++i];
			if (next == '%' || (next >= '0' && next <= '9'))
				luaL_addchar(&b, '%');
		}
		luaL_addchar(&b, text[i]);
	}
	luaL_pushresult(&b);
	lua_replace(L, index);
}

static int gsub(lua_State *L)
{
	if (lua_gettop(L) >= 4)
		lua_wrap_truncate(L, 4);
	if (is_pattern_slow(L))
		return in_lua(L);
	if (lua_type(L, 3) == LUA_TSTRING)
		fix_replacement(L, 3);
	return lua_wrap_original(L);
}

void lua_string_open(lua_State *L, int slow)
{
	slow = lua_absindex(L, slow);
	lua_wrap_replace(L, "string", "find", with_start, 0);
	lua_wrap_replace(L, "string", "match", with_start, 0);
	lua_wrap_replace(L, "string", "format", format_text, 0);
	lua_getfield(L, slow, "gsub");
	lua_wrap_replace(L, "string", "gsub", gsub, 1);
	lua_getfield(L, slow, "gmatch");
	lua_wrap_replace(L, "string", "gmatch", gmatch, 1);
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "gmatch");
	lua_setfield(L, -2, "gfind");
	lua_pop(L, 1);
}
