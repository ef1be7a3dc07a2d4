/* SPDX-License-Identifier: Apache-2.0 */
/* counters_v1 - converts the counters of the previous version.
 *
 *     [ "counter1" | 13 totals | u32 kind, u32 bytes, u64 name, values .. | 0 ]
 *
 * It had no names of counters: their order was that of the structs of that
 * version, which is kept here and never changes. */
#ifndef PIPELINE_COUNTERS_V1_H
#define PIPELINE_COUNTERS_V1_H

#include <stddef.h>
#include <stdint.h>

enum counters_kind {
	COUNTERS_END,
	COUNTERS_DECODER,
	COUNTERS_FILTER,
	COUNTERS_SINK,
	COUNTERS_TOTALS,
};

struct counters_object {
	uint32_t kind;
	uint32_t count;
	uint64_t name; /* hash */
};

struct counters_value {
	uint64_t name; /* hash */
	uint64_t value;
};

/* Returns the block in the current form, which the caller frees, and sets
 * *bytes to its size.  NULL when it is not a block of the previous version;
 * *bytes is unchanged then. */
char *counters_v1_convert(const void *block, size_t *bytes,
			  uint64_t (*hash_of)(const char *name));

#endif
