/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_format.h"

#include <ctype.h>
#include <lauxlib.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "hook/lua_number.h"

enum {
	SPEC_BYTES = 32,
	/* %99.99f of the largest number: 309 digits, a point, 99 digits. */
	NUMBER_BYTES = 512,
	NO_PRECISION = -1,
};

/* %, flags, width, precision, letter. */
struct format_spec {
	char flags[6]; /* each at most once */
	int width;
	int precision; /* or NO_PRECISION */
	char letter;
};

static const char *read_digits(const char *at, const char *end, int *number)
{
	*number = 0;
	for (int i = 0; i < 2 && at < end && isdigit((unsigned char)*at); i++)
		*number = *number * 10 + (*at++ - '0');
	return at;
}

/* Read the specification after the % at `start`.  Returns its end. */
static const char *read_spec(lua_State *L, const char *start, const char *end,
			     struct format_spec *out)
{
	static const char letters[] = "cdiuoxXaAeEfFgGpqs";
	const char *at = start;
	size_t flags = 0;
	*out = (struct format_spec){.precision = NO_PRECISION};
	for (; at < end && *at != '\0' && strchr("-+ #0", *at) != NULL; at++)
		if (strchr(out->flags, *at) == NULL)
			out->flags[flags++] = *at;
	at = read_digits(at, end, &out->width);
	if (at < end && *at == '.')
		at = read_digits(at + 1, end, &out->precision);
	if (at == end || *at == '\0' || strchr(letters, *at) == NULL) {
		lua_pushlstring(L, start, (size_t)(at - start) + (at < end));
		luaL_error(L, "invalid option '%%%s' to 'format'",
			   lua_tostring(L, -1));
	}
	out->letter = *at;
	return at + 1;
}

static bool has_flag(const struct format_spec *spec, char flag)
{
	return strchr(spec->flags, flag) != NULL;
}

/* Add the text with blanks up to the width. */
static void add_padded(luaL_Buffer *b, const struct format_spec *spec,
		       struct span text)
{
	size_t width = (size_t)spec->width;
	size_t blanks = width > text.len ? width - text.len : 0;
	if (!has_flag(spec, '-'))
		for (size_t i = 0; i < blanks; i++)
			luaL_addchar(b, ' ');
	luaL_addlstring(b, text.ptr, text.len);
	if (has_flag(spec, '-'))
		for (size_t i = 0; i < blanks; i++)
			luaL_addchar(b, ' ');
}

/* The specification for printf, with this length modifier. */
static void write_spec(const struct format_spec *spec, const char *modifier,
		       char out[SPEC_BYTES])
{
	int n = snprintf(out, SPEC_BYTES, "%%%s", spec->flags);
	if (spec->width > 0)
		n += snprintf(out + n, SPEC_BYTES - (size_t)n, "%d",
			      spec->width);
	if (spec->precision != NO_PRECISION)
		n += snprintf(out + n, SPEC_BYTES - (size_t)n, ".%d",
			      spec->precision);
	snprintf(out + n, SPEC_BYTES - (size_t)n, "%s%c", modifier,
		 spec->letter);
}

/* The call through a pointer keeps the compiler from checking the format. */
static int (*const print_number)(char *, size_t, const char *, ...) = snprintf;

/* As LuaJIT converts on x86-64: NaN and numbers that are too large become the
 * smallest integer. */
static int64_t signed_of(lua_Number number)
{
	return number >= -0x1p63 && number < 0x1p63 ? (int64_t)number
						    : INT64_MIN;
}

static int64_t integer_argument(lua_State *L, int index, bool is_signed)
{
	if (lua_isinteger(L, index))
		return lua_tointeger(L, index);
	lua_Number number = luaL_checknumber(L, index);
	if (!is_signed && number >= 0x1p63)
		return signed_of(number - 0x1p64);
	return signed_of(number);
}

static void add_integer(lua_State *L, luaL_Buffer *b, struct format_spec *spec,
			int index)
{
	char format[SPEC_BYTES], text[NUMBER_BYTES];
	bool is_signed = spec->letter == 'd' || spec->letter == 'i';
	int64_t number = integer_argument(L, index, is_signed);
	write_spec(spec, "ll", format);
	int n = print_number(text, sizeof text, format, (long long)number);
	luaL_addlstring(b, text, (size_t)n);
}

/* Where the last printed digit is, counted from the point. */
static int places_of(const struct format_spec *spec, lua_Number number)
{
	int precision = spec->precision == NO_PRECISION ? 6 : spec->precision;
	switch (tolower(spec->letter)) {
	case 'f':
		return precision;
	case 'e':
		return precision - lua_number_exponent(number);
	default: /* g */
		return (precision > 0 ? precision : 1) - 1 -
		       lua_number_exponent(number);
	}
}

static void add_float(lua_State *L, luaL_Buffer *b, struct format_spec *spec,
		      int index)
{
	char format[SPEC_BYTES], text[NUMBER_BYTES];
	lua_Number number = luaL_checknumber(L, index);
	if (isnan(number)) {
		bool is_upper = isupper((unsigned char)spec->letter);
		const char *nan = is_upper ? " NAN" : " nan";
		add_padded(b, spec, span_of(nan + !has_flag(spec, ' ')));
		return;
	}
	if (tolower(spec->letter) != 'a')
		number = lua_number_round_half(number, places_of(spec, number));
	write_spec(spec, "", format);
	int n = print_number(text, sizeof text, format, number);
	luaL_addlstring(b, text, (size_t)n);
}

/* Push the text of the argument. */
static struct span push_text(lua_State *L, int index)
{
	struct span text;
	lua_number_tostring(L, index);
	if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
		luaL_error(L, "'__tostring' must return a string");
	lua_number_to_text(L, lua_gettop(L));
	text.ptr = lua_tolstring(L, -1, &text.len);
	return text;
}

static void add_text(lua_State *L, luaL_Buffer *b, struct format_spec *spec,
		     int index)
{
	struct span text = push_text(L, index);
	if (spec->precision != NO_PRECISION &&
	    (size_t)spec->precision < text.len)
		text.len = (size_t)spec->precision;
	if ((size_t)spec->width <= text.len &&
	    spec->precision == NO_PRECISION) {
		luaL_addvalue(b);
		return;
	}
	/* The buffer needs its place on top of the stack. */
	lua_replace(L, index);
	add_padded(b, spec, text);
}

static void add_quoted(lua_State *L, luaL_Buffer *b, int index)
{
	struct span text = push_text(L, index);
	lua_replace(L, index);
	luaL_addchar(b, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		char code[8];
		bool is_before_digit = i + 1 < text.len &&
				       isdigit((unsigned char)text.ptr[i + 1]);
		if (c == '"' || c == '\\' || c == '\n') {
			luaL_addchar(b, '\\');
			luaL_addchar(b, (char)c);
		} else if (iscntrl(c)) {
			snprintf(code, sizeof code,
				 is_before_digit ? "\\%03d" : "\\%d", c);
			luaL_addstring(b, code);
		} else {
			luaL_addchar(b, (char)c);
		}
	}
	luaL_addchar(b, '"');
}

static void add_pointer(lua_State *L, luaL_Buffer *b, struct format_spec *spec,
			int index)
{
	char text[SPEC_BYTES];
	const void *p = lua_topointer(L, index);
	int n = snprintf(text, sizeof text, p != NULL ? "%p" : "NULL", p);
	add_padded(b, spec, span_make(text, (size_t)n));
}

static void add_argument(lua_State *L, luaL_Buffer *b, struct format_spec *spec,
			 int index)
{
	int64_t code;
	char c;
	switch (spec->letter) {
	case 'c':
		code = integer_argument(L, index, true);
		/* As in LuaJIT, beyond 32 bits it is a NUL. */
		c = code == (int32_t)code ? (char)code : '\0';
		add_padded(b, spec, span_make(&c, 1));
		break;
	case 's':
		add_text(L, b, spec, index);
		break;
	case 'q':
		add_quoted(L, b, index);
		break;
	case 'p':
		add_pointer(L, b, spec, index);
		break;
	case 'd':
	case 'i':
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		add_integer(L, b, spec, index);
		break;
	default:
		add_float(L, b, spec, index);
		break;
	}
}

int lua_format(lua_State *L)
{
	size_t length;
	lua_number_to_text(L, 1);
	const char *at = luaL_checklstring(L, 1, &length), *end = at + length;
	int index = 1, last = lua_gettop(L);
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	while (at < end) {
		const char *percent = memchr(at, '%', (size_t)(end - at));
		if (percent == NULL)
			percent = end;
		luaL_addlstring(&b, at, (size_t)(percent - at));
		at = percent;
		if (at == end)
			break;
		if (++at < end && *at == '%') {
			luaL_addchar(&b, *at++);
			continue;
		}
		struct format_spec spec;
		at = read_spec(L, at, end, &spec);
		luaL_argcheck(L, ++index <= last, index, "value expected");
		add_argument(L, &b, &spec, index);
	}
	luaL_pushresult(&b);
	return 1;
}
