/* SPDX-License-Identifier: Apache-2.0 */
#include "setup/plugins.h"

#include "filter/kinds.h"
#include "output/kinds.h"
#include "setup/input_conf.h"
#include "setup/parser_conf.h"
#include "setup/settings.h"

/* clang-format off */
const struct sink_ops *const output_kinds[] = {
#define X(name) &name##_sink_ops,
	OUTPUT_KINDS(X)
#undef X
	NULL,
};
/* clang-format on */

const struct input_kind input_kinds[] = {
	{"syslog", input_syslog_keys},
	{NULL, NULL},
};

/* Each of these functions has a list of tables.  If the index lies within the
 * list, it returns that table and true.  Otherwise it subtracts the length of
 * the list from `*index`, for the next list. */
static bool take(size_t *index, struct plugin_keys *out, struct plugin_keys row)
{
	if ((*index)-- > 0)
		return false;
	*out = row;
	return true;
}

static bool find_section(size_t *index, struct plugin_keys *out)
{
	const struct plugin_keys rows[] = {
		{"SERVICE", NULL, NULL, settings_keys},
		{"PARSER", NULL, NULL, parser_conf_keys},
		{"INPUT", NULL, NULL, input_common_keys},
		{"FILTER", NULL, NULL, filter_common_keys},
		{"OUTPUT", NULL, NULL, output_common_keys},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (take(index, out, rows[i]))
			return true;
	return false;
}

static bool find_format(size_t *index, struct plugin_keys *out)
{
	struct plugin_keys row = {"OUTPUT", "file", NULL, format_common_keys};
	if (take(index, out, row))
		return true;
	for (size_t i = 0; format_kinds[i] != NULL; i++) {
		row.format = format_kinds[i]->name;
		row.keys = format_kinds[i]->keys;
		if (row.keys != NULL && take(index, out, row))
			return true;
	}
	return false;
}

bool plugins_keys(size_t index, struct plugin_keys *out)
{
	if (find_section(&index, out))
		return true;
	for (size_t i = 0; input_kinds[i].name != NULL; i++)
		if (take(&index, out,
			 (struct plugin_keys){"INPUT", input_kinds[i].name,
					      NULL, input_kinds[i].keys}))
			return true;
	for (size_t i = 0; filter_kinds[i] != NULL; i++)
		if (take(&index, out,
			 (struct plugin_keys){"FILTER", filter_kinds[i]->name,
					      NULL, filter_kinds[i]->keys}))
			return true;
	for (size_t i = 0; output_kinds[i] != NULL; i++)
		if (output_kinds[i]->keys != NULL &&
		    take(&index, out,
			 (struct plugin_keys){"OUTPUT", output_kinds[i]->name,
					      NULL, output_kinds[i]->keys}))
			return true;
	return find_format(&index, out);
}
