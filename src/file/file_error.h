/* SPDX-License-Identifier: Apache-2.0 */
/* file_error - what an errno of a file means. */
#ifndef FILE_FILE_ERROR_H
#define FILE_FILE_ERROR_H

#include "base/check.h"
#include "file/append_file.h"
#include "file/output_file.h"

/* Does the error affect all files (APPEND_BLOCKED), or this one only
 * (APPEND_HELD)?  output_file.h lists the errors of both kinds. */
enum append_result file_error_classify(const struct append_file *,
				       int error) MUST_USE;

/* The error in words. */
const char *file_error_text(int error);

#endif
