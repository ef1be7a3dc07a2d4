/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* RFC 3629 4.  The check of the second byte excludes overlong sequences,
 * surrogates and characters above U+10FFFF. */
static size_t length(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (left < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

size_t utf8_read_several(const unsigned char *p, size_t left,
			 uint32_t *character)
{
	static const unsigned char masks[] = {0, 0, 0x1f, 0x0f, 0x07};
	size_t len = length(p, left);
	*character = p[0] & masks[len];
	for (size_t i = 1; i < len; i++)
		*character = *character << 6 | (p[i] & 0x3f);
	return len;
}
