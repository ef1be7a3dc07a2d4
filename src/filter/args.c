/* SPDX-License-Identifier: Apache-2.0 */
#include "filter/args.h"

#include <string.h>

#include "base/buf.h"

bool args_next(const char **at, enum args_quotes quotes, struct buf *part)
{
	const char *p = args_rest(*at);
	if (*p == '\0')
		return false;
	bool is_quoted = *p == '"' || (*p == '\'' && quotes == ARGS_BOTH);
	char end = is_quoted ? *p++ : ' ';
	buf_clear(part);
	for (; *p != '\0' && *p != end; p++) {
		bool is_escape =
			is_quoted && *p == '\\' &&
			(p[1] == end || (p[1] == '\\' && quotes == ARGS_BOTH));
		if (is_escape)
			p++;
		buf_put_char(part, *p);
	}
	if (is_quoted && *p++ != end)
		return false;
	*at = p;
	return true;
}

const char *args_rest(const char *at)
{
	return at + strspn(at, " ");
}
