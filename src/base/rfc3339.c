/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rfc3339.h"

#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

void rfc3339_put(struct buf *b, int64_t real_ns)
{
	int64_t ns = real_ns % NS_PER_S;
	if (ns < 0)
		ns += NS_PER_S;
	time_t s = (time_t)((real_ns - ns) / NS_PER_S);
	struct tm tm;
	char text[32];
	gmtime_r(&s, &tm);
	size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	buf_put(b, text, len);
	buf_printf(b, ".%09dZ", (int)ns);
}
