/* SPDX-License-Identifier: Apache-2.0 */
/* check_fails - tests that a CHECK ends the process. */
#ifndef UNIT_CHECK_FAILS_H
#define UNIT_CHECK_FAILS_H

#include "unit.h"

/* Fail the test unless run(data), in a child, ends with EXIT_CODE_BUG and
 * prints `check="expr"`. */
void assert_check_fails(void (*run)(void *data), void *data, const char *expr);

#endif
