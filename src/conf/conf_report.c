/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/span.h"
#include "conf/conf.h"
#include "conf/conf_tree.h"
#include "conf/nearest.h"

/* Put the place in front of the sentence in *e. */
static bool put_place(const struct conf_section *s, size_t line, struct err *e)
{
	struct err inner = *e;
	if (line == 0)
		err_set(e, "%s: [%s] %s", s->file, s->name, inner.text);
	else
		err_set(e, "%s:%zu: [%s] %s", s->file, line, s->name,
			inner.text);
	e->exit_code = inner.exit_code;
	return false;
}

bool conf_report_key(const struct conf_section *s, const struct conf_key *k,
		     struct err *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	return put_place(s, k->line, e);
}

/* The key that an error is about; NULL if it is missing. */
static const struct conf_key *key_at(const struct conf_section *s,
				     const char *key)
{
	if (s->last_got != NULL && strcasecmp(s->last_got->name, key) == 0)
		return s->last_got;
	const struct conf_key *k = conf_tree_find(s, key, 0);
	if (k != NULL)
		return k;
	/* The key may exist without a value. */
	for (k = s->keys; k != NULL; k = k->next)
		if (strcasecmp(k->name, key) == 0)
			return k;
	return NULL;
}

static size_t line_of(const struct conf_section *s, const char *key)
{
	const struct conf_key *k = key_at(s, key);
	return k != NULL ? k->line : s->line;
}

bool conf_report_unknown(const struct conf_section *s, const struct conf_key *k,
			 const char *const *known, struct err *e)
{
	char room[LOG_QUOTED_BYTES];
	struct buf hint = {0};
	conf_report_key(s, k, e, "unknown key %s%s",
			log_quoted(span_of(k->name), room),
			nearest_hint(k->name, known, &hint));
	buf_fini(&hint);
	return false;
}

bool conf_err(const struct conf_section *s, struct err *e, const char *format,
	      ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	return put_place(s, s->line, e);
}

bool conf_err_key(const struct conf_section *s, const char *key, struct err *e,
		  const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	return put_place(s, line_of(s, key), e);
}

bool conf_err_in(const struct conf_section *s, const char *key, struct err *e)
{
	if (key != NULL)
		err_in(e, "%s", key);
	return put_place(s, key != NULL ? line_of(s, key) : s->line, e);
}

bool conf_err_unknown(const struct conf_section *s, const char *key,
		      const char *what, const char *const *known, struct err *e)
{
	const struct conf_key *k = key != NULL ? key_at(s, key) : NULL;
	const char *word = k != NULL ? k->value : s->name;
	char room[LOG_QUOTED_BYTES];
	struct buf hint = {0};
	err_set(e, "unknown %s %s%s", what, log_quoted(span_of(word), room),
		nearest_hint(word, known, &hint));
	buf_fini(&hint);
	return put_place(s, k != NULL ? k->line : s->line, e);
}

bool conf_err_missing(const struct conf_section *s, const char *key,
		      struct err *e, const char *hint)
{
	const char *const wanted[] = {key, NULL};
	for (const struct conf_key *k = s->keys; k != NULL; k = k->next)
		if (!k->is_known && nearest_word(k->name, wanted) != NULL)
			return conf_report_unknown(s, k, wanted, e);
	return conf_err_key(s, key, e, "%s is %s: %s", key,
			    key_at(s, key) != NULL ? "empty" : "missing", hint);
}

/* Log a warning with the place of the key or, if k is NULL, of the section. */
PRINTF_LIKE(4, 0)
static void warn(const struct conf_section *s, const struct conf_key *k,
		 const char *action, const char *format, va_list args)
{
	char text[256];
	vsnprintf(text, sizeof text, format, args);
	log_line(LOG_WARN, "conf",
		 "at=%s:%zu section=%s%s%.100s err=\"%s\" action=\"%s\"",
		 s->file, k != NULL ? k->line : s->line, s->name,
		 k != NULL ? " key=" : "", k != NULL ? k->name : "", text,
		 action);
}

void conf_report_warn(const struct conf_section *s, const struct conf_key *k,
		      const char *action, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	warn(s, k, action, format, args);
	va_end(args);
}

void conf_warn(const struct conf_section *s, const char *key,
	       const char *action, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	warn(s, key != NULL ? key_at(s, key) : NULL, action, format, args);
	va_end(args);
}
