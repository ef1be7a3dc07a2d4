/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_keys.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "conf/conf_tree.h"

void conf_declare(struct conf_section *s, const struct conf_key_spec *table)
{
	for (size_t i = 0; i < s->table_count; i++)
		if (s->tables[i] == table)
			return;
	CHECK(s->table_count < CONF_TABLES_MAX);
	s->tables[s->table_count++] = table;
}

bool conf_key_covers(const struct conf_key_spec *spec, const char *key)
{
	size_t len = strlen(spec->name);
	if (len > 0 && spec->name[len - 1] == '*')
		return strncasecmp(spec->name, key, len - 1) == 0;
	return strcasecmp(spec->name, key) == 0;
}

const char *conf_type_name(enum conf_type type)
{
	static const char *const names[CONF_TYPE_COUNT] = {
		[CONF_TEXT] = "text",	  [CONF_BOOL] = "boolean",
		[CONF_INT] = "integer",	  [CONF_OCTAL] = "octal mode",
		[CONF_SIZE] = "size",	  [CONF_SECONDS] = "seconds",
		[CONF_CHOICE] = "choice", [CONF_PATH] = "path",
		[CONF_REGEX] = "regex",	  [CONF_TAG_GLOB] = "tag glob",
		[CONF_FIELD] = "field",	  [CONF_TEMPLATE] = "template",
		[CONF_WORDS] = "words",
	};
	return names[type];
}
