/* SPDX-License-Identifier: Apache-2.0 */
/* file_retry - when an output file that has failed is tried again, and the log
 * lines about it.
 *
 * The delay grows from 100 ms to 5 s.  It does not grow while another process
 * keeps the file busy (EBUSY). */
#ifndef FILE_FILE_RETRY_H
#define FILE_FILE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct output_file;

/* The file has failed.  Without a delay, it is tried again in the next
 * flush. */
void file_retry_failed(struct output_file *, int error, bool has_delay,
		       int64_t now_ns);

/* The file was written. */
void file_retry_worked(struct output_file *);

/* The file is held and got no line in this batch: has a flush anything to do?
 * It would retry to write the lines, or to spill them. */
bool file_retry_is_due(const struct output_file *, int64_t now_ns);

/* Try it in the next flush. */
void file_retry_at_once(struct output_file *);

#endif
