/* SPDX-License-Identifier: Apache-2.0 */
/* embedded - files of this repository that the binary contains.
 *
 * The Makefile generates the source from lua/prelude.lua and conf/parsers.conf,
 * so that the built-in text and the shipped file are always the same. */
#ifndef SETUP_EMBEDDED_H
#define SETUP_EMBEDDED_H

#include "base/span.h"

/* The whole text of each file; never changes. */
struct span embedded_prelude_lua(void);
struct span embedded_parsers_conf(void);

#endif
