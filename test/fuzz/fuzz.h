/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz - what each target defines, for libFuzzer and for replay.c to call. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Any bytes; returns 0, or does not return when something is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
