/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz - the function that each target defines and that libFuzzer and replay.c
 * call. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Run the target on any bytes.  Returns 0; a bug ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
