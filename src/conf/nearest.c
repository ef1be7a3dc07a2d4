/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"

enum { NAME_BYTES_MAX = 64, NEAR_MAX = 3 };

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The Damerau-Levenshtein distance: how many insertions, deletions,
 * replacements and swaps of neighbours lead from a to b.  Only the last three
 * rows of the table are kept. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NAME_BYTES_MAX + 1];
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3];
		const size_t *above2 = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t other = same(a[i - 1], b[j - 1]) ? 0 : 1;
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + other);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

const char *nearest_word(const char *word, const char *const *known)
{
	size_t len = strlen(word);
	if (len > NAME_BYTES_MAX)
		return NULL;
	/* A third of the word may be wrong, or one letter of a short word.  A
	 * word of one letter must be right. */
	size_t bound = least(len < 2 ? 0 : len < 6 ? 1 : len / 3, NEAR_MAX);
	const char *nearest = NULL;
	for (size_t i = 0; known[i] != NULL; i++) {
		size_t known_len = strlen(known[i]);
		if (known_len > NAME_BYTES_MAX)
			continue;
		size_t far = distance(word, len, known[i], known_len);
		if (far > bound || (nearest != NULL && far == bound))
			continue;
		nearest = known[i];
		bound = far;
	}
	return nearest;
}

const char *nearest_hint(const char *word, const char *const *known,
			 struct buf *out)
{
	const char *near = nearest_word(word, known);
	if (near != NULL) {
		buf_printf(out, "; did you mean \"%s\"?", near);
		return buf_text(out);
	}
	for (size_t i = 0; known[i] != NULL; i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "; known: ", known[i]);
	return buf_text(out);
}
