/* SPDX-License-Identifier: Apache-2.0 */
/* value - the value of a field: the types of JSON, with integers kept apart.
 *
 * Values are plain data.  Strings, items and fields lie in the datagram or in
 * the arena of the message and never change once built, so that a record can be
 * copied without copying its values. */
#ifndef RECORD_VALUE_H
#define RECORD_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,
	VALUE_FLOAT,
	VALUE_STRING,
	VALUE_ARRAY,
	VALUE_MAP,
};

struct field;

struct value {
	enum value_type type;
	uint32_t count; /* of items or fields */
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct span string;
		struct value *items;  /* VALUE_ARRAY */
		struct field *fields; /* VALUE_MAP; keys may occur twice */
	};
};

struct field {
	struct span key;
	struct value value;
};

/* The null value. */
static inline struct value value_null(void)
{
	return (struct value){.type = VALUE_NULL};
}

/* A boolean. */
static inline struct value value_bool(bool boolean)
{
	return (struct value){.type = VALUE_BOOL, .boolean = boolean};
}

/* A signed 64-bit integer. */
static inline struct value value_int(int64_t integer)
{
	return (struct value){.type = VALUE_INT, .integer = integer};
}

/* A floating-point number. */
static inline struct value value_float(double real)
{
	return (struct value){.type = VALUE_FLOAT, .real = real};
}

/* A string, which is borrowed. */
static inline struct value value_string(struct span string)
{
	return (struct value){.type = VALUE_STRING, .string = string};
}

#endif
