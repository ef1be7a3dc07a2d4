/* SPDX-License-Identifier: Apache-2.0 */
/* A script that compiles still compiles after it was rewritten, and its lines
 * keep their numbers.  Nothing is written past the end of the room. */
#include "fuzz.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "hook/lua51_source.h"

static size_t count_lines(const char *text, size_t length)
{
	size_t lines = 0;
	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *script = (const char *)data;
	char *out = malloc(lua51_source_room(size));
	size_t n = lua51_source_translate(span_make(script, size), out);
	CHECK(n <= lua51_source_room(size));
	lua_State *L = luaL_newstate();
	CHECK(L != NULL);
	if (luaL_loadbufferx(L, script, size, "=t", "t") == LUA_OK) {
		CHECK(luaL_loadbufferx(L, out, n, "=t", "t") == LUA_OK);
		/* The translation adds one line, before the last "end". */
		CHECK(count_lines(out, n) == count_lines(script, size) + 1);
	}
	lua_close(L);
	free(out);
	return 0;
}
