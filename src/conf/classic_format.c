/* SPDX-License-Identifier: Apache-2.0 */
/* One loop reads line after line from the file on top of a stack.  @INCLUDE
 * pushes a file; a file that has been read is popped, and the one below
 * continues after its @INCLUDE. */
#include "conf/classic_format.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/conf_file.h"
#include "conf/conf_tree.h"
#include "conf/nearest.h"

enum { LINE_BYTES_MAX = 32 << 20 }; /* as in Fluent Bit */

struct reader_source {
	struct reader_source *below;
	struct conf *conf;
	const char *name;
	struct buf text; /* of a file */
	struct span rest;
	size_t line;
	struct span indent;
	size_t indent_line; /* the first indented line; 0: none yet */
	struct conf_section *section;
};

static PRINTF_LIKE(3, 4) bool bad(const struct reader_source *s, struct err *e,
				  const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	return err_in(e, "%s:%zu", s->name, s->line);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span skip(struct span s, size_t bytes)
{
	return span_make(s.ptr + bytes, s.len - bytes);
}

static struct span trim_start(struct span s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = skip(s, 1);
	return s;
}

static struct span trim_end(struct span s)
{
	while (s.len > 0 &&
	       (is_blank(s.ptr[s.len - 1]) || s.ptr[s.len - 1] == '\r'))
		s.len--;
	return s;
}

static void push(struct reader_source **top, struct conf *conf,
		 const char *name, struct span rest)
{
	struct reader_source *s = mem_new(1, sizeof *s);
	s->below = *top;
	s->conf = conf;
	s->name = conf_tree_text(conf, span_of(name));
	s->rest = rest;
	*top = s;
}

static void pop(struct reader_source **top)
{
	struct reader_source *s = *top;
	*top = s->below;
	buf_fini(&s->text);
	free(s);
}

static bool push_file(struct reader_source **top, struct conf *conf,
		      const char *path, struct err *e)
{
	struct buf text = {0};
	if (!conf_file_read(conf, path, &text, e)) {
		buf_fini(&text);
		return false;
	}
	push(top, conf, path, buf_span(&text));
	(*top)->text = text;
	return true;
}

static bool include_all(struct reader_source **top, struct conf *conf,
			const char *pattern, struct err *e)
{
	glob_t found;
	int rc = conf_file_find(conf->dir, pattern, &found);
	if (rc == GLOB_NOMATCH)
		return err_set(e, "no file matches %s", pattern);
	if (rc != 0)
		return err_set(e, "cannot search for files that match %s",
			       pattern);
	/* The last one first, because the stack reverses the order. */
	bool ok = true;
	for (size_t i = found.gl_pathc; ok && i-- > 0;)
		ok = push_file(top, conf, found.gl_pathv[i], e);
	globfree(&found);
	return ok;
}

static bool include(struct reader_source **top, const char *path, struct err *e)
{
	struct reader_source *s = *top;
	if (s->conf->dir == NULL)
		return bad(s, e, "@INCLUDE is possible only in a file");
	bool ok;
	if (strchr(path, '*') != NULL) {
		ok = include_all(top, s->conf, path, e);
	} else {
		char *found = conf_find_file(s->conf->dir, path);
		ok = push_file(top, s->conf, found, e);
		free(found);
	}
	return ok || err_in(e, "%s:%zu: @INCLUDE", s->name, s->line);
}

static bool set(struct reader_source *s, struct span value, struct err *e)
{
	const char *equals = memchr(value.ptr, '=', value.len);
	if (equals == NULL || equals == value.ptr)
		return bad(s, e, "@SET needs NAME=value");
	struct span name = span_make(value.ptr, (size_t)(equals - value.ptr));
	if (is_blank(equals[-1]) ||
	    (value.len > name.len + 1 && is_blank(equals[1])))
		return bad(s, e, "@SET must have no blanks around the \"=\"");
	value = skip(value, name.len + 1);
	if (!conf_tree_set(s->conf, name, value, e))
		return err_in(e, "%s:%zu: @SET", s->name, s->line);
	if (memmem(value.ptr, value.len, "${", 2) != NULL)
		log_line(LOG_WARN, "conf",
			 "at=%s:%zu key=@SET err=\"${...} is not expanded in "
			 "the value of @SET\" action=\"using the value as it "
			 "is\"",
			 s->name, s->line);
	return true;
}

/* Split "Key  value" at the first space.  The text has no trailing blank. */
static bool split(const struct reader_source *s, struct span text,
		  struct span *key, struct span *value, struct err *e)
{
	char room[LOG_QUOTED_BYTES];
	const char *space = memchr(text.ptr, ' ', text.len);
	size_t len = space != NULL ? (size_t)(space - text.ptr) : text.len;
	*key = trim_end(span_make(text.ptr, len));
	const char *tab = memchr(key->ptr, '\t', key->len);
	if (tab != NULL) {
		key->len = (size_t)(tab - key->ptr);
		return bad(s, e,
			   "a tab after key %s: a space must separate it "
			   "from its value",
			   log_quoted(*key, room));
	}
	if (space == NULL)
		return bad(s, e, "key %s has no value", log_quoted(*key, room));
	*value = trim_start(skip(text, len));
	return true;
}

static bool read_command(struct reader_source **top, struct span line,
			 struct err *e)
{
	static const char *const commands[] = {"@INCLUDE", "@SET", NULL};
	struct reader_source *s = *top;
	struct span name, value;
	if (!split(s, line, &name, &value, e))
		return false;
	const char *command = conf_tree_text(s->conf, name);
	if (strcasecmp(command, "@INCLUDE") == 0)
		return include(top, conf_tree_text(s->conf, value), e);
	if (strcasecmp(command, "@SET") == 0)
		return set(s, value, e);
	char room[LOG_QUOTED_BYTES];
	struct buf hint = {0};
	bad(s, e, "unknown command %s%s", log_quoted(name, room),
	    nearest_hint(command, commands, &hint));
	buf_fini(&hint);
	return false;
}

static bool read_section(struct reader_source *s, struct span line,
			 struct err *e)
{
	const char *close = memchr(line.ptr, ']', line.len);
	if (close == NULL || close == line.ptr + 1) {
		char room[LOG_QUOTED_BYTES];
		return bad(s, e, "%s is not a section; write [NAME]",
			   log_quoted(line, room));
	}
	struct span name =
		span_make(line.ptr + 1, (size_t)(close - line.ptr) - 1);
	struct span behind = trim_start(skip(line, name.len + 2));
	s->section = conf_tree_add_section(s->conf, name, s->name, s->line);
	if (!span_is_empty(behind) && behind.ptr[0] != '#')
		log_line(LOG_WARN, "conf",
			 "at=%s:%zu err=\"text after [%s]\" "
			 "action=\"ignoring the text\"",
			 s->name, s->line, s->section->name);
	return true;
}

static bool has_comment(struct span value)
{
	for (size_t i = 0; i + 1 < value.len; i++)
		if (value.ptr[i] == '#' && is_blank(value.ptr[i + 1]) &&
		    (i == 0 || is_blank(value.ptr[i - 1])))
			return true;
	return false;
}

static bool read_key(struct reader_source *s, struct span text, struct err *e)
{
	struct span name, value;
	if (!split(s, text, &name, &value, e))
		return false;
	if (s->section == NULL) {
		char room[LOG_QUOTED_BYTES];
		return bad(s, e, "key %s before any [SECTION]",
			   log_quoted(name, room));
	}
	struct conf_key *new =
		conf_tree_add_key(s->section, name, value, s->line);
	if (has_comment(value))
		log_line(LOG_WARN, "conf",
			 "at=%s:%zu key=%s err=\"a # after a value does not "
			 "start a comment\" action=\"keeping it in the value\"",
			 s->name, s->line, new->name);
	return true;
}

/* "4 spaces", "1 tab", or the quoted bytes of a mixture. */
static const char *describe(struct span indent,
			    char room[static LOG_QUOTED_BYTES])
{
	bool mixed = false;
	for (size_t i = 1; i < indent.len; i++)
		mixed |= indent.ptr[i] != indent.ptr[0];
	if (mixed)
		return log_quoted(indent, room);
	snprintf(room, LOG_QUOTED_BYTES, "%zu %s%s", indent.len,
		 indent.ptr[0] == '\t' ? "tab" : "space",
		 indent.len > 1 ? "s" : "");
	return room;
}

static bool read_indented(struct reader_source *s, struct span line,
			  struct err *e)
{
	struct span text = trim_start(line);
	struct span indent = span_make(line.ptr, line.len - text.len);
	char room[LOG_QUOTED_BYTES], expected[LOG_QUOTED_BYTES];
	if (text.ptr[0] == '[' || text.ptr[0] == '@')
		return bad(s, e, "%s must start in column 0: move it there",
			   log_quoted(text, room));
	if (s->indent_line == 0) {
		s->indent = indent;
		s->indent_line = s->line;
	}
	if (!span_equals(indent, s->indent))
		return bad(s, e, "indented by %s, not by %s as in line %zu",
			   describe(indent, room),
			   describe(s->indent, expected), s->indent_line);
	if (text.ptr[0] == '#')
		return true;
	return read_key(s, text, e);
}

static bool read_line(struct reader_source **top, struct span line,
		      struct err *e)
{
	struct reader_source *s = *top;
	char room[LOG_QUOTED_BYTES];
	if (line.len > LINE_BYTES_MAX)
		return bad(s, e, "the line is longer than %d MiB",
			   LINE_BYTES_MAX >> 20);
	if (memchr(line.ptr, '\0', line.len) != NULL)
		return bad(s, e,
			   "a NUL byte: the file is not text, "
			   "or is not in UTF-8");
	line = trim_end(line);
	if (span_is_empty(line) || line.ptr[0] == '#')
		return true;
	if (line.ptr[0] == '[')
		return read_section(s, line, e);
	if (line.ptr[0] == '@')
		return read_command(top, line, e);
	if (is_blank(line.ptr[0]))
		return read_indented(s, line, e);
	if (s->indent_line == 0)
		return bad(s, e, "%s: a key must be indented",
			   log_quoted(line, room));
	char expected[LOG_QUOTED_BYTES];
	return bad(s, e, "%s: a key must be indented, by %s as in line %zu",
		   log_quoted(line, room), describe(s->indent, expected),
		   s->indent_line);
}

static bool read_next_line(struct reader_source **top, struct err *e)
{
	struct reader_source *s = *top;
	const char *end = memchr(s->rest.ptr, '\n', s->rest.len);
	struct span line = s->rest;
	if (end != NULL)
		line.len = (size_t)(end - line.ptr);
	s->rest = skip(s->rest, line.len + (end != NULL));
	s->line++;
	if (s->line == 1 && line.len >= 3 &&
	    memcmp(line.ptr, "\xef\xbb\xbf", 3) == 0)
		return bad(s, e,
			   "the file starts with a byte order mark "
			   "(BOM): save it as UTF-8 without one");
	return read_line(top, line, e);
}

static bool read_all(struct reader_source *top, struct err *e)
{
	bool ok = true;
	while (top != NULL) {
		if (ok && !span_is_empty(top->rest))
			ok = read_next_line(&top, e);
		else
			pop(&top);
	}
	return ok;
}

bool classic_format_file(struct conf *conf, const char *path, struct err *e)
{
	struct reader_source *top = NULL;
	return push_file(&top, conf, path, e) && read_all(top, e);
}

bool classic_format_text(struct conf *conf, const char *name, const char *text,
			 size_t length, struct err *e)
{
	struct reader_source *top = NULL;
	push(&top, conf, name, span_make(text, length));
	return read_all(top, e);
}
