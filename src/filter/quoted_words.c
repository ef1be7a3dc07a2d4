/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/quoted_words.h"

#include <string.h>

#include "base/buf.h"

bool quoted_words_next(const char **at, enum quoted_words_style style,
		       struct buf *word)
{
	const char *p = quoted_words_rest(*at);
	if (*p == '\0')
		return false;
	bool is_quoted =
		*p == '"' || (*p == '\'' && style == QUOTED_WORDS_BOTH);
	char end = is_quoted ? *p++ : ' ';
	buf_clear(word);
	for (; *p != '\0' && *p != end; p++) {
		bool is_escape = is_quoted && *p == '\\' &&
				 (p[1] == end ||
				  (p[1] == '\\' && style == QUOTED_WORDS_BOTH));
		if (is_escape)
			p++;
		buf_put_char(word, *p);
	}
	if (is_quoted && *p++ != end)
		return false;
	*at = p;
	return true;
}

const char *quoted_words_rest(const char *at)
{
	return at + strspn(at, " ");
}
