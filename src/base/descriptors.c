/* SPDX-License-Identifier: Apache-2.0 */
#include "base/descriptors.h"

#include <sys/resource.h>

enum {
	USEFUL_MAX = 8192,
	HTTP_MAX = 128,
	FILES_MAX = 2048,
	FILES_MIN = 8,
};

static size_t count_all(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur > USEFUL_MAX)
		return USEFUL_MAX;
	return (size_t)limit.rlim_cur;
}

/* The soft limit is 1,024 in many places, for the sake of select(). */
void descriptors_raise(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur >= USEFUL_MAX)
		return;
	limit.rlim_cur =
		limit.rlim_max < USEFUL_MAX ? limit.rlim_max : USEFUL_MAX;
	setrlimit(RLIMIT_NOFILE, &limit);
}

size_t descriptors_for_connections(void)
{
	size_t half = count_all() / 2;
	return half < CONNECTIONS_MAX ? half : CONNECTIONS_MAX;
}

size_t descriptors_for_ending(size_t connections)
{
	return connections / 16 + 1;
}

size_t descriptors_for_http(void)
{
	size_t eighth = count_all() / 8;
	return eighth < HTTP_MAX ? eighth : HTTP_MAX;
}

size_t descriptors_for_files(size_t outputs)
{
	size_t quarter = count_all() / 4;
	size_t files = quarter < FILES_MAX ? quarter : FILES_MAX;
	if (outputs > 1)
		files /= outputs;
	return files > FILES_MIN ? files : FILES_MIN;
}
