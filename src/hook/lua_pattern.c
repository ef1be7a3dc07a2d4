/* SPDX-License-Identifier: Apache-2.0 */
/* A backtracking matcher.  match() follows the pattern item by item and calls
 * itself where it may have to try again from an earlier place: for a group and
 * for a repeated item.  Each comparison of a character spends a part of the
 * budget. */
#include "hook/lua_pattern.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "hook/lua_budget.h"

enum {
	DEPTH_MAX = 200, /* as in LuaJIT */
	CAPTURE_OPEN = -1,
	CAPTURE_POSITION = -2,
};

static const char *match(struct lua_pattern *, const char *s, const char *p);

static const char *text_end(const struct lua_pattern *m)
{
	return m->text.ptr + m->text.len;
}

/* The character at `p`, or NUL at the end of the pattern. */
static char peek(const struct lua_pattern *m, const char *p)
{
	return p < m->pattern_end ? *p : '\0';
}

/* The end of the single character class that starts at `p`. */
static const char *class_end(struct lua_pattern *m, const char *p)
{
	char c = *p++;
	if (c == '%') {
		if (p == m->pattern_end)
			luaL_error(m->L, "malformed pattern (ends with '%%')");
		return p + 1;
	}
	if (c != '[')
		return p;
	if (peek(m, p) == '^')
		p++;
	do {
		if (p == m->pattern_end)
			luaL_error(m->L, "malformed pattern (missing ']')");
		if (*p++ == '%' && p < m->pattern_end)
			p++;
	} while (peek(m, p) != ']');
	return p + 1;
}

static bool is_in_class(unsigned char c, unsigned char class)
{
	bool is;
	switch (tolower(class)) {
	case 'a':
		is = isalpha(c);
		break;
	case 'c':
		is = iscntrl(c);
		break;
	case 'd':
		is = isdigit(c);
		break;
	case 'g':
		is = isgraph(c);
		break;
	case 'l':
		is = islower(c);
		break;
	case 'p':
		is = ispunct(c);
		break;
	case 's':
		is = isspace(c);
		break;
	case 'u':
		is = isupper(c);
		break;
	case 'w':
		is = isalnum(c);
		break;
	case 'x':
		is = isxdigit(c);
		break;
	case 'z':
		is = c == '\0';
		break;
	default:
		return class == c;
	}
	return isupper(class) ? !is : is;
}

/* Whether the set from `p`, a [, to `end`, a ], contains the character. */
static bool is_in_set(unsigned char c, const char *p, const char *end)
{
	bool is = true;
	if (p[1] == '^') {
		is = false;
		p++;
	}
	while (++p < end) {
		if (*p == '%') {
			if (is_in_class(c, (unsigned char)*++p))
				return is;
		} else if (p[1] == '-' && p + 2 < end) {
			p += 2;
			if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p)
				return is;
		} else if ((unsigned char)*p == c) {
			return is;
		}
	}
	return !is;
}

/* Whether the character at `s` is in the class from `p` to `end`. */
static bool is_single(struct lua_pattern *m, const char *s, const char *p,
		      const char *end)
{
	lua_budget_spend(m->L, &m->steps, (size_t)(end - p));
	if (s == text_end(m))
		return false;
	unsigned char c = (unsigned char)*s;
	switch (*p) {
	case '.':
		return true;
	case '%':
		return is_in_class(c, (unsigned char)p[1]);
	case '[':
		return is_in_set(c, p, end - 1);
	default:
		return (unsigned char)*p == c;
	}
}

/* %bxy; `p` is at x. */
static const char *match_balance(struct lua_pattern *m, const char *s,
				 const char *p)
{
	if (m->pattern_end - p < 2)
		luaL_error(m->L, "unbalanced pattern");
	if (s == text_end(m) || *s != *p)
		return NULL;
	size_t depth = 1;
	for (const char *at = s + 1; at < text_end(m); at++) {
		lua_budget_spend(m->L, &m->steps, 1);
		if (*at == p[1]) {
			if (--depth == 0)
				return at + 1;
		} else if (*at == *p) {
			depth++;
		}
	}
	return NULL;
}

/* Items * and +: as many as possible. */
static const char *match_most(struct lua_pattern *m, const char *s,
			      const char *p, const char *end)
{
	const char *at = s;
	while (is_single(m, at, p, end))
		at++;
	for (; at >= s; at--) {
		const char *found = match(m, at, end + 1);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* Item -: as few as possible. */
static const char *match_least(struct lua_pattern *m, const char *s,
			       const char *p, const char *end)
{
	for (;; s++) {
		const char *found = match(m, s, end + 1);
		if (found != NULL)
			return found;
		if (!is_single(m, s, p, end))
			return NULL;
	}
}

static const char *start_capture(struct lua_pattern *m, const char *s,
				 const char *p, ptrdiff_t what)
{
	if (m->level == LUA_PATTERN_CAPTURES_MAX)
		luaL_error(m->L, "too many captures");
	m->captures[m->level++] = (struct lua_pattern_capture){s, what};
	const char *found = match(m, s, p);
	if (found == NULL)
		m->level--;
	return found;
}

static const char *end_capture(struct lua_pattern *m, const char *s,
			       const char *p)
{
	int i = m->level;
	while (i > 0 && m->captures[i - 1].length != CAPTURE_OPEN)
		i--;
	if (i == 0) {
		luaL_error(m->L, "invalid pattern capture");
		return NULL;
	}
	struct lua_pattern_capture *c = &m->captures[i - 1];
	c->length = s - c->start;
	const char *found = match(m, s, p);
	if (found == NULL)
		c->length = CAPTURE_OPEN;
	return found;
}

/* %1 to %9: if the text of that capture follows, return its end, otherwise
 * NULL. */
static const char *match_capture(struct lua_pattern *m, const char *s,
				 char digit)
{
	int i = digit - '1';
	if (i < 0 || i >= m->level || m->captures[i].length == CAPTURE_OPEN)
		luaL_error(m->L, "invalid capture index");
	/* As in LuaJIT, a position capture counts as longer than any text. */
	size_t length = (size_t)m->captures[i].length;
	if ((size_t)(text_end(m) - s) < length)
		return NULL;
	lua_budget_spend(m->L, &m->steps, length);
	return memcmp(m->captures[i].start, s, length) == 0 ? s + length : NULL;
}

/* %f[set]; `p` is after the f.  Whether a frontier is at `s`. */
static bool is_frontier(struct lua_pattern *m, const char *s, const char *p,
			const char **end)
{
	if (peek(m, p) != '[')
		luaL_error(m->L, "missing '[' after '%%f' in pattern");
	*end = class_end(m, p);
	char before = s == m->text.ptr ? '\0' : s[-1];
	char after = s == text_end(m) ? '\0' : *s;
	lua_budget_spend(m->L, &m->steps, (size_t)(*end - p));
	return !is_in_set((unsigned char)before, p, *end - 1) &&
	       is_in_set((unsigned char)after, p, *end - 1);
}

/* A group: ( or ). */
static const char *match_group(struct lua_pattern *m, const char *s,
			       const char *p)
{
	if (*p == ')')
		return end_capture(m, s, p + 1);
	if (peek(m, p + 1) == ')')
		return start_capture(m, s, p + 2, CAPTURE_POSITION);
	return start_capture(m, s, p + 1, CAPTURE_OPEN);
}

/* The items that start with % and are no class.  True if `p` is at one; then
 * *s and *p are after it, or *s is NULL. */
static bool match_special(struct lua_pattern *m, const char **s, const char **p)
{
	char c = peek(m, *p + 1);
	if (**p != '%')
		return false;
	if (c == 'b') {
		*s = match_balance(m, *s, *p + 2);
		*p += 4;
	} else if (c == 'f') {
		const char *end;
		if (!is_frontier(m, *s, *p + 2, &end))
			*s = NULL;
		*p = end;
	} else if (c >= '0' && c <= '9') {
		*s = match_capture(m, *s, c);
		*p += 2;
	} else {
		return false;
	}
	return true;
}

/* Match the rest of the pattern, from `p`, at `s`. */
static const char *match_rest(struct lua_pattern *m, const char *s,
			      const char *p)
{
	while (s != NULL && p < m->pattern_end) {
		if (*p == '(' || *p == ')')
			return match_group(m, s, p);
		if (*p == '$' && p + 1 == m->pattern_end)
			return s == text_end(m) ? s : NULL;
		if (match_special(m, &s, &p))
			continue;
		const char *end = class_end(m, p);
		char suffix = peek(m, end);
		if (suffix == '-')
			return match_least(m, s, p, end);
		if (suffix == '*')
			return match_most(m, s, p, end);
		if (suffix == '?') {
			if (is_single(m, s, p, end)) {
				const char *found = match(m, s + 1, end + 1);
				if (found != NULL)
					return found;
			}
			p = end + 1;
			continue;
		}
		if (!is_single(m, s, p, end))
			return NULL;
		if (suffix == '+')
			return match_most(m, s + 1, p, end);
		s++;
		p = end;
	}
	return s;
}

static const char *match(struct lua_pattern *m, const char *s, const char *p)
{
	if (++m->depth > DEPTH_MAX)
		luaL_error(m->L, "pattern too complex");
	lua_budget_spend(m->L, &m->steps, 1);
	const char *found = match_rest(m, s, p);
	m->depth--;
	return found;
}

void lua_pattern_init(struct lua_pattern *m, lua_State *L, struct span text,
		      struct span pattern)
{
	size_t length = strnlen(pattern.ptr, pattern.len);
	m->L = L;
	m->text = text;
	m->pattern = pattern.ptr;
	m->pattern_end = pattern.ptr + length;
	m->steps = 0;
}

const char *lua_pattern_match(struct lua_pattern *m, const char *at)
{
	m->level = 0;
	m->depth = 0;
	return match(m, at, m->pattern);
}

void lua_pattern_push(struct lua_pattern *m, int i, const char *at,
		      const char *end)
{
	if (i >= m->level) {
		if (i != 0)
			luaL_error(m->L, "invalid capture index");
		lua_pushlstring(m->L, at, (size_t)(end - at));
		return;
	}
	const struct lua_pattern_capture *c = &m->captures[i];
	if (c->length == CAPTURE_OPEN)
		luaL_error(m->L, "unfinished capture");
	if (c->length == CAPTURE_POSITION)
		lua_pushinteger(m->L, c->start - m->text.ptr + 1);
	else
		lua_pushlstring(m->L, c->start, (size_t)c->length);
}

int lua_pattern_push_all(struct lua_pattern *m, const char *at, const char *end)
{
	int count = m->level == 0 && at != NULL ? 1 : m->level;
	luaL_checkstack(m->L, count, "too many captures");
	for (int i = 0; i < count; i++)
		lua_pattern_push(m, i, at, end);
	return count;
}
