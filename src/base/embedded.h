/* SPDX-License-Identifier: Apache-2.0 */
/* embedded - files of this repository that the binary carries with it.
 *
 * Made by the Makefile from lua/prelude.lua and conf/parsers.conf: one source
 * for what is built in and for what is shown. */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include "base/span.h"

struct span embedded_prelude_lua(void);
struct span embedded_parsers_conf(void);

#endif
