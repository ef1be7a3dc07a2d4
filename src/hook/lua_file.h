/* SPDX-License-Identifier: Apache-2.0 */
/* lua_file - a limit on the files that a script has open.
 *
 * A script that does not close its files leaves that to Lua's garbage
 * collector, which counts bytes and not descriptors.  Without a limit, such a
 * script would take the descriptors of the output files. */
#ifndef HOOK_LUA_FILE_H
#define HOOK_LUA_FILE_H

#include <lua.h>

/* Give io.open, io.popen, io.tmpfile, io.lines, io.input and io.output a limit
 * of descriptors_hook() open files.  At the limit, they collect garbage first;
 * if that closes no file, they fail with EMFILE, as they do at the limit of the
 * system.  May raise. */
void lua_file_open(lua_State *);

#endif
