/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_error.h"

#include <errno.h>
#include <string.h>

#include "file/disk_probe.h"

enum append_result file_error_classify(const struct append_file *f, int error)
{
	switch (error) {
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
		return APPEND_BLOCKED;
	case ENOSPC:
	case EDQUOT:
		break;
	default:
		if (!disk_is_lost(error))
			return APPEND_HELD;
	}
	return append_file_probe(f, error) ? APPEND_HELD : APPEND_BLOCKED;
}

const char *file_error_text(int error)
{
	if (error == EBUSY)
		return "another process uses the file";
	if (error == EXDEV)
		return "a symbolic link leads out of the output directory";
	return strerror(error);
}
