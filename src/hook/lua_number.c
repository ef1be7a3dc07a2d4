/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_number.h"

#include <ctype.h>
#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hook/lua_wrap.h"

enum {
	DIGITS = 14,	   /* of %.14g */
	EXACT_POWERS = 22, /* 10^22 is the largest exact power of ten */
	TEXT_BYTES = 32,   /* of a float, with a NUL */
};

static const double first_with_exponent = 1e14;

static const double powers[EXACT_POWERS + 1] = {
	1,    1e1,  1e2,  1e3,	1e4,  1e5,  1e6,  1e7,	1e8,  1e9,  1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

int lua_number_exponent(lua_Number number)
{
	if (number == 0 || !isfinite(number))
		return 0;
	number = fabs(number);
	int e = (int)floor(log10(number));
	if (e >= 0 && e < EXACT_POWERS) {
		if (number < powers[e])
			e--;
		else if (number >= powers[e + 1])
			e++;
	}
	return e;
}

lua_Number lua_number_round_half(lua_Number number, int places)
{
	if (places > EXACT_POWERS || places < -EXACT_POWERS ||
	    !isfinite(number))
		return number;
	if (places >= 0) {
		double scaled = number * powers[places];
		if (fabs(scaled - trunc(scaled)) != 0.5 ||
		    fma(number, powers[places], -scaled) != 0)
			return number;
	} else if (fmod(fabs(number), powers[-places]) * 2 != powers[-places]) {
		return number;
	}
	return nextafter(number, number > 0 ? INFINITY : -INFINITY);
}

/* Write a whole number of at most 14 digits. */
static size_t format_whole(int64_t whole, char *out)
{
	char digits[TEXT_BYTES];
	size_t count = 0, length = 0;
	if (whole < 0) {
		out[length++] = '-';
		whole = -whole;
	}
	do
		digits[count++] = (char)('0' + whole % 10);
	while ((whole /= 10) != 0);
	while (count > 0)
		out[length++] = digits[--count];
	out[length] = '\0';
	return length;
}

/* Write the text of the float, with a NUL.  Returns its length. */
static size_t format_float(lua_Number number, char out[TEXT_BYTES])
{
	if (isnan(number))
		return (size_t)snprintf(out, TEXT_BYTES, "nan");
	if (fabs(number) < first_with_exponent && trunc(number) == number &&
	    !(number == 0 && signbit(number)))
		return format_whole((int64_t)number, out);
	int places = DIGITS - 1 - lua_number_exponent(number);
	number = lua_number_round_half(number, places);
	return (size_t)snprintf(out, TEXT_BYTES, "%.14g", number);
}

static void push_float(lua_State *L, lua_Number number)
{
	char text[TEXT_BYTES];
	lua_pushlstring(L, text, format_float(number, text));
}

static bool is_float(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TNUMBER && !lua_isinteger(L, index);
}

void lua_number_to_text(lua_State *L, int index)
{
	if (!is_float(L, index))
		return;
	push_float(L, lua_tonumber(L, index));
	lua_replace(L, index);
}

void lua_number_tostring(lua_State *L, int index)
{
	if (is_float(L, index)) {
		push_float(L, lua_tonumber(L, index));
		return;
	}
	if (luaL_callmeta(L, index, "__tostring"))
		return;
	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
	case LUA_TSTRING:
	case LUA_TBOOLEAN:
	case LUA_TNIL:
		luaL_tolstring(L, index, NULL);
		return;
	default:
		lua_pushfstring(L, "%s: %p",
				lua_typename(L, lua_type(L, index)),
				lua_topointer(L, index));
	}
}

static int to_string(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_number_tostring(L, 1);
	return 1;
}

static int print(lua_State *L)
{
	for (int i = 1; i <= lua_gettop(L); i++)
		lua_number_to_text(L, i);
	return lua_wrap_original(L);
}

/* Push the number of "nan", "inf" or "0b101", which LuaJIT accepts.  False if
 * the text is not one of these. */
static bool push_unusual(lua_State *L, const char *text)
{
	static const char blanks[] = " \f\n\r\t\v";
	text += strspn(text, blanks);
	bool is_negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	size_t length = strcspn(text, blanks);
	lua_Number number;
	if (text[length + strspn(text + length, blanks)] != '\0')
		return false;
	if (length == 3 && strncasecmp(text, "nan", 3) == 0) {
		number = (lua_Number)NAN;
	} else if ((length == 3 && strncasecmp(text, "inf", 3) == 0) ||
		   (length == 8 && strncasecmp(text, "infinity", 8) == 0)) {
		number = (lua_Number)INFINITY;
	} else if (length > 2 && strncasecmp(text, "0b", 2) == 0 &&
		   strspn(text + 2, "01") == length - 2) {
		number = (lua_Number)strtoull(text + 2, NULL, 2);
	} else {
		return false;
	}
	lua_pushnumber(L, is_negative ? -number : number);
	return true;
}

/* Push the number that the text stands for in this base, or nil if it is no
 * number. */
static void push_based(lua_State *L, const char *text, int base)
{
	const char *start = text + strspn(text, " \f\n\r\t\v");
	bool is_negative = *start == '-';
	if (*start == '-' || *start == '+')
		start++;
	char *end;
	unsigned long long number = strtoull(start, &end, base);
	bool is_good = isalnum((unsigned char)*start) && end > start;
	end += strspn(end, " \f\n\r\t\v");
	if (!is_good || *end != '\0') /* as in LuaJIT, a NUL ends the text */
		lua_pushnil(L);
	else if (number <= INT64_MAX)
		lua_pushinteger(L, is_negative ? -(lua_Integer)number
					       : (lua_Integer)number);
	else
		lua_pushnumber(L, is_negative ? -(lua_Number)number
					      : (lua_Number)number);
}

static int to_number(lua_State *L)
{
	size_t length;
	lua_wrap_truncate(L, 2);
	lua_Integer base = luaL_optinteger(L, 2, 10);
	if (base != 10) {
		lua_number_to_text(L, 1);
		const char *text = luaL_checkstring(L, 1);
		luaL_argcheck(L, base >= 2 && base <= 36, 2,
			      "base out of range");
		push_based(L, text, (int)base);
		return 1;
	}
	luaL_checkany(L, 1);
	if (lua_type(L, 1) == LUA_TNUMBER) {
		lua_settop(L, 1);
		return 1;
	}
	const char *text = lua_tolstring(L, 1, &length);
	if (text == NULL ||
	    (lua_stringtonumber(L, text) != length + 1 &&
	     (strlen(text) != length || !push_unusual(L, text))))
		lua_pushnil(L);
	return 1;
}

/* Push the i-th name, as " (NAME)", or return "" if it is empty.  A comma
 * follows each name. */
static const char *push_name(lua_State *L, const char *names, int i)
{
	const char *name = names;
	for (; i > 0 && name[strcspn(name, ",")] == ','; i--)
		name += strcspn(name, ",") + 1;
	size_t length = i > 0 ? 0 : strcspn(name, ",");
	if (length == 0)
		return "";
	lua_pushlstring(L, name, length);
	return lua_pushfstring(L, " (%s)", lua_tostring(L, -1));
}

static bool is_simple(lua_State *L, int index)
{
	int type = lua_type(L, index);
	return type == LUA_TSTRING || type == LUA_TNUMBER;
}

/* Replace the operands at `i` and `i + 1`, the top, by the result of their
 * metamethod.  False if they have none.  lua_concat does not serve here: in Lua
 * 5.4.4, it corrupts the stack if the metamethod makes the stack grow. */
static bool call_concat(lua_State *L, int i)
{
	if (luaL_getmetafield(L, i, "__concat") == LUA_TNIL &&
	    luaL_getmetafield(L, i + 1, "__concat") == LUA_TNIL)
		return false;
	lua_insert(L, i);
	lua_call(L, 2, 1);
	return true;
}

/* Raise the error that the operand at this index has the wrong type. */
static int refuse_operand(lua_State *L, int index, const char *action)
{
	return luaL_error(L, "attempt to %s a %s value%s", action,
			  luaL_typename(L, index),
			  push_name(L, lua_tostring(L, 1), index - 2));
}

/* Concatenate operands that may have metamethods, from right to left, as the
 * operator does. */
static int concat_any(lua_State *L)
{
	for (int i = lua_gettop(L) - 1; i >= 2; i--) {
		if (is_simple(L, i) && is_simple(L, i + 1)) {
			lua_number_to_text(L, i);
			lua_number_to_text(L, i + 1);
			lua_concat(L, 2);
		} else if (!call_concat(L, i)) {
			int bad = is_simple(L, i) ? i + 1 : i;
			return refuse_operand(L, bad, "concatenate");
		}
	}
	return 1;
}

int lua_number_concat(lua_State *L)
{
	int last = lua_gettop(L), i = 2;
	while (i <= last && lua_type(L, i) == LUA_TSTRING)
		i++;
	int other = i; /* usually there is none */
	for (; i <= last; i++)
		if (!is_simple(L, i))
			return concat_any(L);
	for (; other <= last; other++)
		lua_number_to_text(L, other);
	lua_concat(L, last - 1);
	return 1;
}

/* Whether the value has a __mod of the script.  That of strings is Lua's. */
static bool has_mod(lua_State *L, int index)
{
	if (lua_type(L, index) == LUA_TSTRING ||
	    luaL_getmetafield(L, index, "__mod") == LUA_TNIL)
		return false;
	lua_pop(L, 1);
	return true;
}

/* The metamethod of either operand, or an error. */
static int remainder_of_any(lua_State *L)
{
	int bad = lua_isnumber(L, 2) ? 3 : 2;
	if (!has_mod(L, 2) && !has_mod(L, 3))
		return refuse_operand(L, bad, "perform arithmetic on");
	lua_arith(L, LUA_OPMOD);
	return 1;
}

int lua_number_remainder(lua_State *L)
{
	int is_number, is_divisor;
	lua_Number number = lua_tonumberx(L, 2, &is_number);
	lua_Number divisor = lua_tonumberx(L, 3, &is_divisor);
	if (!is_number || !is_divisor)
		return remainder_of_any(L);
	if (lua_isinteger(L, 2) && lua_isinteger(L, 3) && divisor != 0)
		lua_arith(L, LUA_OPMOD);
	else
		lua_pushnumber(L, number - floor(number / divisor) * divisor);
	return 1;
}

void lua_number_open(lua_State *L)
{
	lua_pushcfunction(L, to_string);
	lua_setglobal(L, "tostring");
	lua_pushcfunction(L, to_number);
	lua_setglobal(L, "tonumber");
	lua_wrap_replace(L, LUA_GNAME, "print", print, 0);
}
