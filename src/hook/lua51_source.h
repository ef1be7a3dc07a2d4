/* SPDX-License-Identifier: Apache-2.0 */
/* lua51_source - translate a script for Lua 5.1 (LuaJIT) so that two operators
 * give the results of LuaJIT in Lua 5.4.
 *
 * Lua 5.4 appends the float 5.0 as "5.0", LuaJIT as "5", and nothing in Lua 5.4
 * can change that for the operator `..`.  So `..` becomes a call:
 *
 *     path = dir .. ms/1000 .. f()
 *     path = sluiced_concat("dir,,,", dir, ms/1000, (f()))
 *
 * The remainder of floats is exact in Lua 5.4, but rounded in LuaJIT, where
 * 1.5 % 0.1 is 0.  In Lua 5.4, 5 % 0 is an error.  So `%` becomes a call, too:
 *
 *     t - t % step
 *     t - sluiced_mod("t,step,", t ,( step))
 *
 * The first argument has the names of the operands, for the message if one has
 * the wrong type.  The translation is a script that takes the two functions as
 * its arguments and returns the original script as a function.  Line numbers do
 * not change. */
#ifndef HOOK_LUA51_SOURCE_H
#define HOOK_LUA51_SOURCE_H

#include <stddef.h>

#include "base/span.h"

/* The bytes that the translation of a script of that length needs at most. */
size_t lua51_source_room(size_t length);

/* Write the translated script to `out`, which must have that room.  The script
 * must compile.  Returns the length. */
size_t lua51_source_translate(struct span script, char *out);

#endif
