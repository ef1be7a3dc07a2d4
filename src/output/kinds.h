/* SPDX-License-Identifier: Apache-2.0 */
/* kinds - what the tables in router.c and format.c list. */
#ifndef OUTPUT_KINDS_H
#define OUTPUT_KINDS_H

#include "output/format.h"
#include "output/sink.h"

extern const struct sink_ops file_sink_ops;   /* Name file */
extern const struct sink_ops stdout_sink_ops; /* Name stdout */
extern const struct sink_ops null_sink_ops;   /* Name null */

extern const struct format_ops format_template_ops; /* Format template */
extern const struct format_ops format_plain_ops;    /* Format plain */
extern const struct format_ops format_out_file_ops; /* Format out_file */
extern const struct format_ops format_csv_ops;	    /* Format csv */
extern const struct format_ops format_ltsv_ops;	    /* Format ltsv */

#endif
