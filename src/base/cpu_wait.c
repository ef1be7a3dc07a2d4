/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu_wait.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int64_t cpu_wait_ns(pid_t thread)
{
	char path[64], text[128];
	snprintf(path, sizeof path, "/proc/self/task/%d/schedstat",
		 (int)thread);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t len = read(fd, text, sizeof text - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	int64_t ran_ns, waited_ns;
	int count = sscanf(text, "%" SCNd64 " %" SCNd64, &ran_ns, &waited_ns);
	return count == 2 ? waited_ns : 0;
}
