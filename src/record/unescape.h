/* SPDX-License-Identifier: Apache-2.0 */
/* unescape - replace backslash escapes by their meanings, in three dialects.
 *
 * The result has at most as many bytes as the text.  It lies in the arena, or
 * is the text itself if there was nothing to replace. */
#ifndef RECORD_UNESCAPE_H
#define RECORD_UNESCAPE_H

#include "base/span.h"

struct arena;

/* Replaces \n \t \r \a \b \v \f \\; removes any other backslash, except at the
 * end. */
struct span unescape_plain(struct arena *, struct span text);

/* The escapes of JSON and C.  These are the escapes of unescape_plain, and four
 * that give the number of a character, which becomes UTF-8:
 * - \u and four hex digits; two surrogates form one character, and a single
 *   surrogate becomes U+FFFD;
 * - \U and up to eight hex digits;
 * - \x and up to two hex digits;
 * - \ and up to three octal digits. */
struct span unescape_utf8(struct arena *, struct span text);

/* MySQL's escapes in a text that is quoted with ' or ".  The quotes are
 * removed; a text without them is returned unchanged.  Knows \n \r \t \\ \' \"
 * \0 \Z; before any other character the \ stays. */
struct span unescape_mysql(struct arena *, struct span text);

#endif
