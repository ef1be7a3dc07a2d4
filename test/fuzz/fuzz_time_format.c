/* SPDX-License-Identifier: Apache-2.0 */
/* The input is "FORMAT \n TEXT".  The answer is the same with and without the
 * cache. */
#include "fuzz.h"

#include <string.h>

#include "base/check.h"
#include "parse/time_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char format[64] = {0};
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	if (end == NULL || (size_t)(end - data) >= sizeof format)
		return 0;
	memcpy(format, data, (size_t)(end - data));
	struct span text = span_make((const char *)end + 1,
				     size - (size_t)(end - data) - 1);
	struct err e;
	struct time_format_opts opts = {.format = format};
	struct time_format *f = time_format_new(&opts, &e);
	if (f == NULL)
		return 0;
	int64_t now_ns = INT64_C(1795176000) * 1000000000;
	int64_t first_ns = 0, again_ns = 0;
	bool first = time_format_read(f, text, now_ns, &first_ns);
	bool again = time_format_read(f, text, now_ns, &again_ns);
	CHECK(first == again && first_ns == again_ns);
	time_format_free(f);
	return 0;
}
