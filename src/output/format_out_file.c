/* SPDX-License-Identifier: Apache-2.0 */
/* Format out_file: TAG: [SECONDS.NANOSECONDS, {"key":"value",...}] */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "output/format.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "record/json.h"
#include "record/record.h"

static struct format *open_out_file(struct conf_section *s, struct err *e)
{
	(void)s;
	(void)e;
	return mem_new(1, sizeof(struct format));
}

static void render_out_file(struct format *f, const struct record *r,
			    struct buf *out)
{
	format_put_text(out, r->tag, f->escape);
	buf_put(out, ": [", 3);
	format_put_exact_time(out, r->time_ns);
	buf_put(out, ", ", 2);
	json_write_record(out, format_bad_bytes(f), r);
	buf_put(out, "]\n", 2);
}

static void close_out_file(struct format *f)
{
	free(f);
}

const struct format_ops format_out_file_ops = {
	.name = "out_file",
	.open = open_out_file,
	.render = render_out_file,
	.close = close_out_file,
};
