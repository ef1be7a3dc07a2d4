/* SPDX-License-Identifier: Apache-2.0 */
/* Format out_file: TAG: [SECONDS.NANOSECONDS, {"key":"value",...}] */
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "output/format.h"
#include "output/kinds.h"
#include "record/json.h"
#include "record/record.h"

static struct format *open_out_file(struct conf_section *s, struct err *e)
{
	(void)e;
	conf_ignore(s, "Template", "only Format template uses it");
	return mem_new(1, sizeof(struct format));
}

static void render_out_file(struct format *f, const struct record *r,
			    struct buf *out)
{
	(void)f;
	int64_t s = r->time_ns / NS_PER_S;
	int64_t ns = r->time_ns % NS_PER_S;
	if (ns < 0) { /* before 1970: the fraction still counts upwards */
		ns += NS_PER_S;
		s--;
	}
	format_put_escaped(out, r->tag);
	buf_printf(out, ": [%lld.%09lld, ", (long long)s, (long long)ns);
	json_write_record(out, r);
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
