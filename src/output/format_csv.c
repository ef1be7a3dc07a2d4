/* SPDX-License-Identifier: Apache-2.0 */
/* Format csv: SECONDS.NANOSECONDS,"value",5,...  With csv_column_names, an
 * empty file begins with timestamp,"key","key",...
 *
 * The lines are Fluent Bit's, except that a quote inside a string is doubled
 * (RFC 4180), so that no value can forge a column.  Strings in a map or an
 * array are escaped in the same way. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_keys.h"
#include "output/format.h"
#include "output/format_delimiter.h"
#include "output/format_text.h"
#include "output/kinds.h"
#include "record/record.h"

struct csv {
	struct format format;
	char delimiter;
};

static const struct conf_key_spec keys[] = {
	{"Delimiter", CONF_CHOICE, .default_text = "comma",
	 .help = "What separates columns: a character, or comma, tab, space."},
	{"csv_column_names", CONF_BOOL, .default_text = "off",
	 .help = "Begin an empty file with a line of column names."},
	{.name = NULL},
};

static unsigned escape_of(const struct format *f)
{
	return f->escape | (f->is_raw ? 0 : FORMAT_QUOTES);
}

static struct format *open_csv(struct conf_section *s, struct err *e)
{
	char delimiter = ',';
	bool has_names = false;
	if (!format_delimiter_get(s, "Delimiter", &delimiter, e) ||
	    !conf_get_bool(s, "csv_column_names", &has_names, e))
		return NULL;
	struct csv *csv = mem_new(1, sizeof *csv);
	csv->delimiter = delimiter;
	csv->format.has_head = has_names;
	return &csv->format;
}

static void render_csv(struct format *f, const struct record *r,
		       struct buf *out)
{
	const struct csv *csv = (const struct csv *)f;
	unsigned escape = escape_of(f);
	format_put_exact_time(out, r->time_ns);
	for (size_t i = 0; i < r->count; i++) {
		buf_put_char(out, csv->delimiter);
		format_put_value(out, &r->fields[i].value, escape);
	}
	buf_put_char(out, '\n');
}

static void render_names(struct format *f, const struct record *r,
			 struct buf *out)
{
	const struct csv *csv = (const struct csv *)f;
	unsigned escape = escape_of(f);
	buf_put_text(out, "timestamp");
	for (size_t i = 0; i < r->count; i++) {
		buf_put_char(out, csv->delimiter);
		format_put_quoted(out, r->fields[i].key, escape);
	}
	buf_put_char(out, '\n');
}

static void close_csv(struct format *f)
{
	free(f);
}

const struct format_ops format_csv_ops = {
	.name = "csv",
	.keys = keys,
	.open = open_csv,
	.render = render_csv,
	.render_head = render_names,
	.close = close_csv,
};
