/* SPDX-License-Identifier: Apache-2.0 */
/* Format plain: {"key":"value",...} */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "output/format.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "record/json.h"

static struct format *open_plain(struct conf_section *s, struct err *e)
{
	(void)s;
	(void)e;
	return mem_new(1, sizeof(struct format));
}

static void render_plain(struct format *f, const struct record *r,
			 struct buf *out)
{
	json_write_record(out, format_bad_bytes(f), r);
	buf_put_char(out, '\n');
}

static void close_plain(struct format *f)
{
	free(f);
}

const struct format_ops format_plain_ops = {
	.name = "plain",
	.is_json = true,
	.open = open_plain,
	.render = render_plain,
	.close = close_plain,
};
