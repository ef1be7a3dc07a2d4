/* SPDX-License-Identifier: Apache-2.0 */
/* lua_format - string.format as LuaJIT has it.
 *
 *     %d %i          cut off a fraction; %u %x %X %o print 64 bits without sign
 *     %e %f %g %a    round an exact half away from zero
 *     %s             any value, with its NULs; flags other than - are ignored
 *     %q             any value, as a quoted text
 *     %c %p          the low byte as a character; an address */
#ifndef HOOK_LUA_FORMAT_H
#define HOOK_LUA_FORMAT_H

#include <lua.h>

/* The function for Lua.  May raise. */
int lua_format(lua_State *);

#endif
