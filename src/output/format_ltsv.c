/* SPDX-License-Identifier: Apache-2.0 */
/* Format ltsv: "time":SECONDS.MICROSECONDS<TAB>"key":"value"<TAB>"key":5...
 * Fluent Bit writes the quotes, although LTSV itself has none. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_keys.h"
#include "output/format.h"
#include "output/format_delimiter.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "record/record.h"

struct ltsv {
	struct format format;
	char delimiter;
	char label_delimiter;
};

static const struct conf_key_spec keys[] = {
	{"Delimiter", CONF_CHOICE, .default_text = "tab",
	 .help = "What separates fields: a character, or comma, tab, space."},
	{"Label_Delimiter", CONF_CHOICE, .default_text = ":",
	 .help = "What separates a label from its value."},
	{.name = NULL},
};

static struct format *open_ltsv(struct conf_section *s, struct err *e)
{
	char delimiter = '\t', label_delimiter = ':';
	if (!format_delimiter_get(s, "Delimiter", &delimiter, e) ||
	    !format_delimiter_get(s, "Label_Delimiter", &label_delimiter, e))
		return NULL;
	struct ltsv *ltsv = mem_new(1, sizeof *ltsv);
	ltsv->delimiter = delimiter;
	ltsv->label_delimiter = label_delimiter;
	return &ltsv->format;
}

static void render_ltsv(struct format *f, const struct record *r,
			struct buf *out)
{
	const struct ltsv *ltsv = (const struct ltsv *)f;
	buf_put_text(out, "\"time\"");
	buf_put_char(out, ltsv->label_delimiter);
	format_put_time(out, r->time_ns);
	for (size_t i = 0; i < r->count; i++) {
		buf_put_char(out, ltsv->delimiter);
		format_put_quoted(out, r->fields[i].key, f->escape);
		buf_put_char(out, ltsv->label_delimiter);
		format_put_value(out, &r->fields[i].value, f->escape);
	}
	buf_put_char(out, '\n');
}

static void close_ltsv(struct format *f)
{
	free(f);
}

const struct format_ops format_ltsv_ops = {
	.name = "ltsv",
	.keys = keys,
	.open = open_ltsv,
	.render = render_ltsv,
	.close = close_ltsv,
};
