/* SPDX-License-Identifier: Apache-2.0 */
/* lua51_token - the tokens of a Lua script, copied one by one. */
#ifndef HOOK_LUA51_TOKEN_H
#define HOOK_LUA51_TOKEN_H

#include <stddef.h>

#include "base/span.h"

enum lua51_token {
	TOKEN_END,
	TOKEN_OPERAND, /* a name, a number, nil, ... */
	TOKEN_STRING,
	TOKEN_OPEN,	 /* ( [ { */
	TOKEN_CLOSE,	 /* ) ] } */
	TOKEN_MEMBER,	 /* . and : */
	TOKEN_POWER,	 /* ^ */
	TOKEN_PRODUCT,	 /* * / // */
	TOKEN_REMAINDER, /* % */
	TOKEN_SUM,	 /* + */
	TOKEN_SIGN,	 /* -, also binary */
	TOKEN_PREFIX,	 /* # not, and ~, which is also binary */
	TOKEN_CONCAT,	 /* .. */
	TOKEN_FUNCTION,	 /* function; with its end, it is an operand */
	TOKEN_BLOCK,	 /* do if repeat */
	TOKEN_BLOCK_END, /* end until */
	TOKEN_OTHER,	 /* any other token */
};

/* A script, and the copy of its first part. */
struct lua51_text {
	const char *at; /* the rest of the script */
	const char *end;
	char *out;     /* with room for the copy */
	size_t length; /* of the copy */
};

/* Copy blanks and comments. */
void lua51_token_take_blanks(struct lua51_text *);

/* Copy the next token, which must follow immediately.  A hexadecimal numeral
 * beyond 63 bits becomes a decimal one: 0xffffffffffffffff must not become -1.
 */
enum lua51_token lua51_token_take(struct lua51_text *);

#endif
