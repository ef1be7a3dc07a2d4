/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

uint64_t hash_fnv1a(uint64_t hash, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.ptr[i]) *
		       UINT64_C(1099511628211);
	return hash;
}
