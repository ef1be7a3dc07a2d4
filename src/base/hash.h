/* SPDX-License-Identifier: Apache-2.0 */
/* hash - FNV-1a, 64 bits (www.isthe.com/chongo/tech/comp/fnv).
 *
 * For names in files that outlive the process: the result is the same in every
 * version and on every machine.  It is not for untrusted keys of a hash table.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/span.h"

#define HASH_FNV1A_BEGIN UINT64_C(14695981039346656037)

/* Continue `hash`, which is HASH_FNV1A_BEGIN at first, with these bytes. */
uint64_t hash_fnv1a(uint64_t hash, struct span bytes);

#endif
