/* SPDX-License-Identifier: Apache-2.0 */
/* syslog - the built-in parser: the header in front of a message.
 *
 *     <190>Nov 21 02:08:26 host nginx: {...}       RFC 3164 as nginx writes it
 *     <190>Nov 21 02:08:26 nginx: {...}            with nohostname
 *     <34>Oct 11 22:14:15 mymachine su[123]: ...   RFC 3164 with a pid
 *     <165>1 2003-10-11T22:14:15.003Z host app 111 ID47 [a b="c"] text
 *                                                  RFC 5424
 *
 * Fields, in this order, each only when there and not empty: pri, time, host,
 * ident, pid, (RFC 5424: msgid, extradata), message; named as in Fluent Bit's
 * stock parsers.  A nil value "-" is left out.
 * Without "TAG: " all behind the time is the message, without a time all
 * behind the PRI.
 * Spans into the text, nothing is copied.  A trailing newline or NUL is not
 * part of the message. */
#ifndef PARSE_SYSLOG_H
#define PARSE_SYSLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct record;
struct syslog_parser;

enum syslog_verdict {
	SYSLOG_PARSED,
	SYSLOG_BAD_TIME, /* parsed, but for the time: left out */
	SYSLOG_NO_PRI,	 /* no <PRI> of 0..191: all of it is the message */
};

struct syslog_parser *syslog_parser_new(struct err *);
void syslog_parser_free(struct syslog_parser *);

/* Append the fields to an empty record and set its time when there is one. */
enum syslog_verdict syslog_parse(struct syslog_parser *, struct span text,
				 int64_t now_ns, struct record *into);

#endif
