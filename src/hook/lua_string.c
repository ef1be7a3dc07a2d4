/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_string.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"
#include "hook/lua_budget.h"
#include "hook/lua_format.h"
#include "hook/lua_number.h"
#include "hook/lua_pattern.h"
#include "hook/lua_wrap.h"

static struct span text_argument(lua_State *L, int index)
{
	struct span text;
	lua_number_to_text(L, index);
	text.ptr = luaL_checklstring(L, index, &text.len);
	return text;
}

/* The argument 3 of find and match as an offset into the text. */
static size_t start_argument(lua_State *L, size_t length)
{
	lua_wrap_truncate(L, 3);
	lua_Integer start = luaL_optinteger(L, 3, 1);
	if (start > 0)
		return (size_t)start - 1 < length ? (size_t)start - 1 : length;
	if (start == 0 || (size_t)0 - (size_t)start > length)
		return 0;
	return length - ((size_t)0 - (size_t)start);
}

static struct span without_anchor(struct span pattern, bool is_anchored)
{
	return span_make(pattern.ptr + is_anchored, pattern.len - is_anchored);
}

static bool has_specials(struct span pattern)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (pattern.ptr[i] != '\0' &&
		    strchr("^$*+?.([%-", pattern.ptr[i]) != NULL)
			return true;
	return false;
}

/* Without a match, pushes nil. */
static int find_plain(lua_State *L, struct span text, struct span part,
		      size_t start)
{
	const char *found =
		memmem(text.ptr + start, text.len - start, part.ptr, part.len);
	if (found == NULL) {
		lua_pushnil(L);
		return 1;
	}
	lua_Integer at = found - text.ptr;
	lua_pushinteger(L, at + 1);
	lua_pushinteger(L, at + (lua_Integer)part.len);
	return 2;
}

static int find_or_match(lua_State *L, bool is_find)
{
	struct span text = text_argument(L, 1);
	struct span pattern = text_argument(L, 2);
	size_t start = start_argument(L, text.len);
	if (is_find && (lua_toboolean(L, 4) || !has_specials(pattern)))
		return find_plain(L, text, pattern, start);
	bool is_anchored = pattern.len > 0 && pattern.ptr[0] == '^';
	struct lua_pattern m;
	lua_pattern_init(&m, L, text, without_anchor(pattern, is_anchored));
	const char *at = text.ptr + start;
	do {
		const char *end = lua_pattern_match(&m, at);
		if (end == NULL)
			continue;
		if (!is_find)
			return lua_pattern_push_all(&m, at, end);
		lua_pushinteger(L, at - text.ptr + 1);
		lua_pushinteger(L, end - text.ptr);
		return 2 + lua_pattern_push_all(&m, NULL, NULL);
	} while (at++ < text.ptr + text.len && !is_anchored);
	lua_pushnil(L);
	return 1;
}

static int find(lua_State *L)
{
	return find_or_match(L, true);
}

static int match(lua_State *L)
{
	return find_or_match(L, false);
}

/* The upvalues: the text, the pattern, and where the next search starts. */
static int gmatch_next(lua_State *L)
{
	struct span text, pattern;
	struct lua_pattern m;
	text.ptr = lua_tolstring(L, lua_upvalueindex(1), &text.len);
	pattern.ptr = lua_tolstring(L, lua_upvalueindex(2), &pattern.len);
	size_t start = (size_t)lua_tointeger(L, lua_upvalueindex(3));
	lua_pattern_init(&m, L, text, pattern);
	for (; start <= text.len; start++) {
		const char *at = text.ptr + start;
		const char *end = lua_pattern_match(&m, at);
		if (end == NULL)
			continue;
		lua_Integer next = end - text.ptr + (end == at);
		lua_pushinteger(L, next);
		lua_replace(L, lua_upvalueindex(3));
		return lua_pattern_push_all(&m, at, end);
	}
	return 0;
}

static int gmatch(lua_State *L)
{
	text_argument(L, 1);
	text_argument(L, 2);
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, gmatch_next, 3);
	return 1;
}

/* Add the text of argument 3, with its %0 to %9. */
static void add_text(struct lua_pattern *m, luaL_Buffer *b, const char *at,
		     const char *end)
{
	struct span by;
	by.ptr = lua_tolstring(m->L, 3, &by.len);
	for (size_t i = 0; i < by.len; i++) {
		bool is_escaped = by.ptr[i] == '%';
		/* After a % at the end there is a NUL, as in LuaJIT. */
		char c = by.ptr[is_escaped ? ++i : i];
		if (!is_escaped || !isdigit((unsigned char)c)) {
			luaL_addchar(b, c);
		} else if (c == '0') {
			luaL_addlstring(b, at, (size_t)(end - at));
		} else {
			lua_pattern_push(m, c - '1', at, end);
			luaL_addvalue(b);
		}
	}
}

/* Add the replacement of the match from `at` to `end`. */
static void add_replacement(struct lua_pattern *m, luaL_Buffer *b,
			    const char *at, const char *end)
{
	lua_State *L = m->L;
	switch (lua_type(L, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(L, 3);
		lua_call(L, lua_pattern_push_all(m, at, end), 1);
		break;
	case LUA_TTABLE:
		lua_pattern_push(m, 0, at, end);
		lua_gettable(L, 3);
		break;
	default:
		add_text(m, b, at, end);
		return;
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		lua_pushlstring(L, at, (size_t)(end - at));
	} else if (!lua_isstring(L, -1)) {
		luaL_error(L, "invalid replacement value (a %s)",
			   luaL_typename(L, -1));
	}
	lua_number_to_text(L, lua_gettop(L));
	luaL_addvalue(b);
}

static int gsub(lua_State *L)
{
	struct span text = text_argument(L, 1);
	struct span pattern = text_argument(L, 2);
	int type = lua_type(L, 3);
	luaL_argcheck(L,
		      type == LUA_TSTRING || type == LUA_TNUMBER ||
			      type == LUA_TTABLE || type == LUA_TFUNCTION,
		      3, "string/function/table expected");
	if (type == LUA_TNUMBER)
		text_argument(L, 3);
	lua_wrap_truncate(L, 4);
	lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)text.len + 1);
	bool is_anchored = pattern.len > 0 && pattern.ptr[0] == '^';
	lua_Integer count = 0;
	const char *at = text.ptr, *text_end = text.ptr + text.len;
	struct lua_pattern m;
	luaL_Buffer b;
	lua_settop(L, 3);
	lua_pattern_init(&m, L, text, without_anchor(pattern, is_anchored));
	luaL_buffinit(L, &b);
	while (count < max) {
		const char *end = lua_pattern_match(&m, at);
		if (end != NULL) {
			count++;
			add_replacement(&m, &b, at, end);
		}
		if (end != NULL && end > at)
			at = end;
		else if (at < text_end)
			luaL_addchar(&b, *at++);
		else
			break;
		if (is_anchored)
			break;
	}
	luaL_addlstring(&b, at, (size_t)(text_end - at));
	luaL_pushresult(&b);
	lua_pushinteger(L, count);
	return 2;
}

static int rep(lua_State *L)
{
	struct span text = text_argument(L, 1), between = {0};
	lua_wrap_truncate(L, 2);
	lua_Integer count = luaL_checkinteger(L, 2);
	if (!lua_isnoneornil(L, 3))
		between = text_argument(L, 3);
	if (count <= 0 || text.len + between.len == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((size_t)count > SIZE_MAX / 4 / (text.len + between.len)) {
		lua_pushliteral(L, "not enough memory");
		return lua_error(L);
	}
	luaL_Buffer b;
	size_t total = (size_t)count * (text.len + between.len) - between.len;
	char *to = luaL_buffinitsize(L, &b, total);
	while (count-- > 0) {
		memcpy(to, text.ptr, text.len);
		to += text.len;
		if (count > 0 && between.len > 0) {
			memcpy(to, between.ptr, between.len);
			to += between.len;
		}
	}
	luaL_pushresultsize(&b, total);
	return 1;
}

void lua_string_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"find", find},		{"match", match}, {"gmatch", gmatch},
		{"gfind", gmatch},	{"gsub", gsub},	  {"rep", rep},
		{"format", lua_format}, {NULL, NULL},
	};
	lua_getglobal(L, "string");
	luaL_setfuncs(L, functions, 0);
	lua_pop(L, 1);
}
