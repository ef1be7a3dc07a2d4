/* SPDX-License-Identifier: Apache-2.0 */
#include "output/format_delimiter.h"

#include <stddef.h>
#include <strings.h>

#include "conf/conf.h"

static const struct {
	const char *name;
	char delimiter;
} names[] = {{"\\t", '\t'}, {"tab", '\t'}, {"space", ' '}, {"comma", ','}};

enum { NAME_COUNT = sizeof names / sizeof *names };

static const char *name_of(char delimiter)
{
	for (size_t i = NAME_COUNT; i-- > 0;)
		if (names[i].delimiter == delimiter)
			return names[i].name;
	return "a colon";
}

bool format_delimiter_get(struct conf_section *s, const char *key, char *out,
			  struct err *e)
{
	const char *text = NULL;
	if (!conf_get_text(s, key, &text, e))
		return false;
	if (text == NULL)
		return true;
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (strcasecmp(text, names[i].name) != 0)
			continue;
		*out = names[i].delimiter;
		return true;
	}
	conf_warn(s, key, "\"%s\" is not tab, space or comma; using %s", text,
		  name_of(*out));
	return true;
}
