/* SPDX-License-Identifier: Apache-2.0 */
#include "hook/lua_file.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "hook/lua_budget.h"
#include "hook/lua_number.h"
#include "hook/lua_wrap.h"

static int close_file(lua_State *L)
{
	luaL_Stream *stream = lua_touserdata(L, 1);
	lua_budget_of(L)->open_files--;
	return luaL_fileresult(L, fclose(stream->f) == 0, NULL);
}

static int close_process(lua_State *L)
{
	luaL_Stream *stream = lua_touserdata(L, 1);
	lua_budget_of(L)->open_files--;
	errno = 0;
	return luaL_execresult(L, pclose(stream->f));
}

static bool has_room(lua_State *L)
{
	size_t *open_files = &lua_budget_of(L)->open_files;
	if (*open_files >= descriptors_hook())
		lua_gc(L, LUA_GCCOLLECT);
	return *open_files < descriptors_hook();
}

/* Count the file at `index`, if it is one, until it is closed. */
static void count_file(lua_State *L, int index, lua_CFunction close)
{
	luaL_Stream *stream = luaL_testudata(L, index, LUA_FILEHANDLE);
	if (stream == NULL)
		return;
	stream->closef = close;
	lua_budget_of(L)->open_files++;
}

/* For the functions that return nil and the error. */
static int open_or_nil(lua_State *L, lua_CFunction close)
{
	if (!has_room(L)) {
		errno = EMFILE;
		return luaL_fileresult(L, 0, lua_tostring(L, 1));
	}
	int results = lua_wrap_original(L);
	count_file(L, -results, close);
	return results;
}

static int open_file(lua_State *L)
{
	return open_or_nil(L, close_file);
}

static int open_process(lua_State *L)
{
	if (lua_gettop(L) > 0)
		lua_number_to_text(L, 1);
	return open_or_nil(L, close_process);
}

/* io.lines, io.input and io.output open a file only if they get a name.  The
 * file is the last result. */
static int open_or_raise(lua_State *L)
{
	bool is_named = lua_isstring(L, 1);
	if (is_named && !has_room(L))
		return luaL_error(L, "%s: %s", lua_tostring(L, 1),
				  strerror(EMFILE));
	int results = lua_wrap_original(L);
	if (is_named)
		count_file(L, -1, close_file);
	return results;
}

void lua_file_open(lua_State *L)
{
	static const struct {
		const char *name;
		lua_CFunction function;
	} functions[] = {
		{"open", open_file},	  {"popen", open_process},
		{"tmpfile", open_file},	  {"lines", open_or_raise},
		{"input", open_or_raise}, {"output", open_or_raise},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		lua_wrap_replace(L, "io", functions[i].name,
				 functions[i].function, 0);
}
