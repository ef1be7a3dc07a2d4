/* SPDX-License-Identifier: Apache-2.0 */
/* unescape - text with backslashes to what it means, in three dialects.
 *
 * Nothing grows: the result has at most as many bytes as the text.  It lies in
 * the arena, or is the text itself when there was nothing to do. */
#ifndef RECORD_UNESCAPE_H
#define RECORD_UNESCAPE_H

#include "base/span.h"

struct arena;

/* \n \t \r \a \b \v \f \\; before anything else the \ is dropped. */
struct span unescape_plain(struct arena *, struct span text);

/* JSON's and C's: these, and for a character in UTF-8 \u and four hex digits
 * (two surrogates are one character, half a pair is U+FFFD), \U and up to
 * eight, \x and up to two, \ and up to three octal digits. */
struct span unescape_utf8(struct arena *, struct span text);

/* MySQL's, of a text in ' or ", which are taken off; of any other text nothing
 * is changed.  \n \r \t \\ \' \" \0 \Z; before anything else the \ stays. */
struct span unescape_mysql(struct arena *, struct span text);

#endif
