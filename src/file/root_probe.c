/* SPDX-License-Identifier: Apache-2.0 */
#include "file/root_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "file/file_path.h"

static int append(int fd)
{
	static const char line[] = "sluiced tries to write here\n";
	ssize_t n = write(fd, line, sizeof line - 1);
	if (n < 0)
		return errno;
	return n < (ssize_t)sizeof line - 1 ? ENOSPC : 0;
}

bool root_probe(const char *directory, bool may_make, struct err *e)
{
	char path[PATH_MAX];
	/* Several pods may share the directory. */
	int n = snprintf(path, sizeof path, "%s.sluiced-probe-%d-%" PRId64,
			 directory, (int)getpid(), clock_real_ns());
	if (n < 0 || (size_t)n >= sizeof path)
		return err_sys(e, ENAMETOOLONG, "output directory %s",
			       directory);
	int error = may_make ? file_path_make_parents(path, 0) : 0;
	if (error != 0)
		return err_sys(e, error, "create the output directory %s",
			       directory);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
		      0600);
	if (fd < 0)
		return err_sys(e, errno, "create a file in %s", directory);
	error = append(fd);
	if (unlink(path) != 0 && error == 0)
		error = errno;
	if (close(fd) != 0 && error == 0)
		error = errno; /* a network file system writes only now */
	return error == 0 || err_sys(e, error, "write a file in %s", directory);
}
