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

/* A quote is excluded because it would end a text in quotes, and a control
 * character because values escape it. */
static bool is_delimiter(const char *text)
{
	unsigned char c = (unsigned char)text[0];
	return c > ' ' && c < 0x7f && c != '"' && text[1] == '\0';
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
	if (is_delimiter(text)) {
		*out = text[0];
		return true;
	}
	return conf_err(
		s, e,
		"%s \"%s\" is not a delimiter; use one character such as "
		"; or |, or tab, space, comma",
		key, text);
}
