/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rfc3339.h"

#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

enum { DIGITS_MAX = 9 };

size_t rfc3339_format(int64_t real_ns, int digits, char out[RFC3339_BYTES])
{
	int64_t ns = real_ns % NS_PER_S;
	time_t s = (time_t)(real_ns / NS_PER_S);
	if (ns < 0) { /* before 1970 */
		ns += NS_PER_S;
		s--;
	}
	struct tm tm;
	gmtime_r(&s, &tm);
	size_t len = strftime(out, RFC3339_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	for (int i = digits; i < DIGITS_MAX; i++)
		ns /= 10;
	return len + (size_t)snprintf(out + len, RFC3339_BYTES - len, ".%0*dZ",
				      digits, (int)ns);
}

void rfc3339_put(struct buf *b, int64_t real_ns)
{
	char text[RFC3339_BYTES];
	buf_put(b, text, rfc3339_format(real_ns, DIGITS_MAX, text));
}
