/* SPDX-License-Identifier: Apache-2.0 */
/* syslog - the built-in parser: reads the header in front of a message.
 *
 *     <190>Nov 21 02:08:26 host nginx: {...}       RFC 3164 as nginx writes it
 *     <190>Nov 21 02:08:26 nginx: {...}            with nohostname
 *     <190>Nov 21 02:08:26 10.0.0.1 host nginx: {...}  from a relay; host is
 *                                                  the second name
 *     <34>Oct 11 22:14:15 mymachine su[123]: ...   RFC 3164 with a pid
 *     <165>1 2003-10-11T22:14:15.003Z host app 111 ID47 [a b="c"] text
 *                                                  RFC 5424
 *
 * It adds these fields in this order, named as in Fluent Bit's stock parsers,
 * and leaves out missing and empty ones and the nil value "-": pri, time, host,
 * ident, pid, (RFC 5424: msgid, extradata), message.  Without "TAG: ",
 * everything after the time is the message; without a time, everything after
 * the PRI.  A trailing newline or NUL is not part of the message.  The fields
 * are spans of the text; nothing is copied. */
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
	SYSLOG_BAD_TIME, /* parsed; the time was wrong and is left out */
	SYSLOG_NO_PRI,	 /* no <PRI> of 0..191: everything is the message */
};

/* NULL on failure. */
struct syslog_parser *syslog_parser_new(struct err *);

/* NULL is allowed. */
void syslog_parser_free(struct syslog_parser *);

/* Append the fields to a record without fields, and set its time if the header
 * has one.  now_ns gives the year if the time has none. */
enum syslog_verdict syslog_parse(struct syslog_parser *, struct span text,
				 int64_t now_ns, struct record *into);

#endif
