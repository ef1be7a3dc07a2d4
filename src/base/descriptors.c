/* SPDX-License-Identifier: Apache-2.0 */
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	USEFUL_MAX = 8192,
	/* 16 are always open; up to 5 others are open briefly. */
	OWN = 21,
	CONNECTIONS_MIN = 3, /* including ending ones */
	HTTP_MAX = 128,
	HTTP_ENDING = 2,
	HTTP_MIN = 1,
	FILES_MAX = 2048,
	FILES_MIN = 4, /* of all outputs, idle or in use */
	HOOK_MIN = 2,
	HOOK_MAX = 128,
};

/* Many systems set the soft limit to 1,024, because select() can handle no
 * more. */
void descriptors_reserve_standard(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

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

size_t descriptors_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur > USEFUL_MAX)
		return USEFUL_MAX;
	return (size_t)limit.rlim_cur;
}

static size_t clamped(size_t n, size_t min, size_t max)
{
	if (n < min)
		return min;
	return n < max ? n : max;
}

static size_t hook_of(size_t limit)
{
	return clamped(limit / 32, HOOK_MIN, HOOK_MAX);
}

size_t descriptors_hook(void)
{
	return hook_of(descriptors_limit());
}

bool descriptors_share_out(struct descriptors *d, size_t limit, size_t inputs,
			   size_t outputs, struct err *e)
{
	size_t own = OWN + inputs + hook_of(limit);
	size_t min = own + FILES_MIN + HTTP_MIN + HTTP_ENDING + CONNECTIONS_MIN;
	if (limit < min) {
		err_set(e,
			"this process may have %zu open files, but with %zu "
			"inputs it needs %zu; raise the limit (ulimit -n, "
			"LimitNOFILE of systemd)",
			limit, inputs, min);
		e->exit_code = EXIT_CODE_SYSTEM;
		return false;
	}
	size_t rest = limit - own;
	size_t files = clamped(rest / 4, FILES_MIN, FILES_MAX);
	*d = (struct descriptors){
		.http = clamped(rest / 8, HTTP_MIN, HTTP_MAX),
		.http_ending = HTTP_ENDING,
		.files = clamped(files / (outputs > 0 ? outputs : 1), 1, files),
	};
	size_t left = rest - files - d->http - d->http_ending;
	size_t half = rest / 2;
	/* n connections, and n / 16 + 1 ending ones */
	d->connections = clamped((left < half ? left : half) * 16 / 17 - 1, 1,
				 CONNECTIONS_MAX);
	d->ending = d->connections / 16 + 1;
	return true;
}
