/* SPDX-License-Identifier: Apache-2.0 */
/* disk_probe - does a file system take the write of another file?
 *
 * ENOSPC, EDQUOT and EIO do not tell whether the disk or one file rejects
 * writes: a directory may have a quota, the inodes may be exhausted, which
 * concerns new files only, or a path may lead to a full device.  A client that
 * chooses the paths of files can make one file fail so, and the other files
 * must not wait for it.  So the probe writes a block to a file without a name
 * (O_TMPFILE), which leaves no trace.  After ENOSPC and EDQUOT, there must also
 * be room for the bytes that could not be written: a file system can reject a
 * large write as a whole while a small one still fits.  Where such a file
 * cannot be created, the free space decides: files that exist can be written as
 * long as some space is free.
 *
 * If a file system is lost (read-only, broken or gone), the probe writes in the
 * root of the file: the lost file system may be mounted below it. */
#ifndef FILE_DISK_PROBE_H
#define FILE_DISK_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

/* Does the errno mean that a file system is read-only, broken or gone? */
bool disk_is_lost(int error) MUST_USE;

/* After `error` about the file at the path, in which wanted_bytes could not be
 * written: can other files be written?  The first root_bytes of the path are
 * the root that files share, as in file_path_open(). */
bool disk_probe(const char *path, size_t root_bytes, int error,
		size_t wanted_bytes) MUST_USE;

#endif
