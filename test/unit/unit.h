/* SPDX-License-Identifier: Apache-2.0 */
/* unit - cmocka with the headers that it needs before it. */
#ifndef UNIT_H
#define UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
