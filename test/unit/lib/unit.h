/* SPDX-License-Identifier: Apache-2.0 */
/* unit - cmocka, with the headers that must come before it.
 *
 * Every unit test includes this header and never cmocka.h itself, because
 * clang-format, which sorts includes, would break the order below. */
#ifndef UNIT_H
#define UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof *(table))

#endif
