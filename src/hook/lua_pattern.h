/* SPDX-License-Identifier: Apache-2.0 */
/* lua_pattern - match Lua 5.1's string patterns, within the time limit.
 *
 * As in LuaJIT, a NUL ends the pattern and %z matches one. */
#ifndef HOOK_LUA_PATTERN_H
#define HOOK_LUA_PATTERN_H

#include <lua.h>
#include <stddef.h>

#include "base/span.h"

enum { LUA_PATTERN_CAPTURES_MAX = 32 };

/* One search of a text, in the caller's storage. */
struct lua_pattern {
	lua_State *L;
	struct span text;
	const char *pattern, *pattern_end;
	size_t steps; /* for lua_budget_spend */
	int depth;
	int level; /* captures of the last match */
	struct lua_pattern_capture {
		const char *start;
		ptrdiff_t length; /* or one of lua_pattern.c's marks */
	} captures[LUA_PATTERN_CAPTURES_MAX];
};

/* The text and the pattern must outlive the search. */
void lua_pattern_init(struct lua_pattern *, lua_State *, struct span text,
		      struct span pattern);

/* Match the pattern at exactly this place of the text.  Returns the end of the
 * match, or NULL.  Raises an error if the pattern is malformed or the time is
 * up. */
const char *lua_pattern_match(struct lua_pattern *, const char *at);

/* Push the i-th capture of the last match, which began at `at` and ended at
 * `end`.  Without captures, the 0-th is the whole match.  May raise. */
void lua_pattern_push(struct lua_pattern *, int i, const char *at,
		      const char *end);

/* Push all captures, or the whole match if the pattern has none and `at` is not
 * NULL.  Returns how many.  May raise. */
int lua_pattern_push_all(struct lua_pattern *, const char *at, const char *end);

#endif
