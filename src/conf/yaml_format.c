/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml makes a tree of nodes for each document.  One function for each level
 * of the format walks down that tree.  Nothing here knows a plug-in or its
 * keys. */
#include "conf/yaml_format.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "conf/conf_file.h"
#include "conf/conf_tree.h"
#include "conf/nearest.h"

enum {
	FILES_MAX = 1000,
	DEPTH_MAX = 64, /* of maps and lists; sluiced needs only 5 */
};

/* A file, and its document that is being read. */
struct file {
	struct conf *conf;
	const char *name;
	yaml_document_t *document;
};

typedef bool (*take_fn)(struct file *, yaml_node_t *key, yaml_node_t *value,
			void *data, struct err *);
typedef bool (*item_fn)(struct file *, yaml_node_t *item, void *data,
			struct err *);

static size_t line_of(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

static PRINTF_LIKE(4, 5) bool bad(const struct file *f, const yaml_node_t *at,
				  struct err *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	err_vset(e, format, args);
	va_end(args);
	return err_in(e, "%s:%zu", f->name, line_of(at));
}

static struct span text_of(const yaml_node_t *scalar)
{
	return span_make((const char *)scalar->data.scalar.value,
			 scalar->data.scalar.length);
}

/* Get the text of a scalar node. */
static bool get_text(const struct file *f, const yaml_node_t *node,
		     struct span *out, const char *what, struct err *e)
{
	if (node->type != YAML_SCALAR_NODE)
		return bad(f, node, e, "%s must be one text or number", what);
	*out = text_of(node);
	if (out->len > 0 && memchr(out->ptr, '\0', out->len) != NULL)
		return bad(f, node, e, "%s has a NUL byte", what);
	while (out->len > 0 && isspace((unsigned char)out->ptr[0]))
		*out = span_make(out->ptr + 1, out->len - 1);
	while (out->len > 0 && isspace((unsigned char)out->ptr[out->len - 1]))
		out->len--;
	return true;
}

static bool is_nothing(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && text_of(node).len == 0 &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* Call `take` for each pair.  An empty node counts as a map without pairs. */
static bool each_pair(struct file *f, yaml_node_t *map, const char *what,
		      take_fn take, void *data, struct err *e)
{
	if (is_nothing(map))
		return true;
	if (map->type != YAML_MAPPING_NODE)
		return bad(f, map, e, "%s must have keys: `key: value`", what);
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start;
	     p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *key = yaml_document_get_node(f->document, p->key);
		yaml_node_t *value =
			yaml_document_get_node(f->document, p->value);
		if (key->type != YAML_SCALAR_NODE)
			return bad(f, key, e, "a key must be one word");
		if (!take(f, key, value, data, e))
			return false;
	}
	return true;
}

static bool each_item(struct file *f, yaml_node_t *list, const char *what,
		      item_fn take, void *data, struct err *e)
{
	if (is_nothing(list))
		return true;
	if (list->type != YAML_SEQUENCE_NODE)
		return bad(f, list, e, "%s must be a list: `- ...`", what);
	for (yaml_node_item_t *i = list->data.sequence.items.start;
	     i < list->data.sequence.items.top; i++)
		if (!take(f, yaml_document_get_node(f->document, *i), data, e))
			return false;
	return true;
}

/* Convert camelCase as Fluent Bit does: flushTimeout is flush_timeout.  A key
 * that begins with a capital letter or contains "_" stays unchanged. */
static void put_key(struct buf *out, struct span key)
{
	bool is_camel = key.len > 0 && islower((unsigned char)key.ptr[0]) &&
			memchr(key.ptr, '_', key.len) == NULL;
	for (size_t i = 0; i < key.len; i++) {
		if (is_camel && isupper((unsigned char)key.ptr[i])) {
			buf_put_char(out, '_');
			buf_put_char(out,
				     (char)tolower((unsigned char)key.ptr[i]));
		} else {
			buf_put_char(out, key.ptr[i]);
		}
	}
}

struct list_key {
	struct conf_section *section;
	struct span name;
};

static bool add_value(struct file *f, yaml_node_t *value, void *data,
		      struct err *e)
{
	struct list_key *key = data;
	struct span text;
	char what[LOG_QUOTED_BYTES];
	if (!get_text(f, value, &text, log_quoted(key->name, what), e))
		return false;
	conf_tree_add_key(key->section, key->name, text, line_of(value));
	return true;
}

static bool add_key(struct file *f, yaml_node_t *key, yaml_node_t *value,
		    void *section, struct err *e)
{
	struct span word;
	if (!get_text(f, key, &word, "a key", e))
		return false;
	if (span_equals(word, SPAN("processors")))
		return bad(f, key, e,
			   "processors are not supported: use filters "
			   "under pipeline instead");
	struct buf name = {0};
	put_key(&name, word);
	struct list_key list = {section, buf_span(&name)};
	bool ok = value->type == YAML_SEQUENCE_NODE
			  ? each_item(f, value, "a value", add_value, &list, e)
			  : add_value(f, value, &list, e);
	buf_fini(&name);
	return ok;
}

static bool add_section(struct file *f, yaml_node_t *map, void *name,
			struct err *e)
{
	struct conf_section *s = conf_tree_add_section(f->conf, span_of(name),
						       f->name, line_of(map));
	return each_pair(f, map, name, add_key, s, e);
}

static bool bad_word(const struct file *f, const yaml_node_t *key,
		     const char *const *known, struct err *e)
{
	char room[LOG_QUOTED_BYTES];
	struct buf hint = {0};
	char *word = mem_copy(text_of(key).ptr, text_of(key).len);
	bad(f, key, e, "unknown key %s%s", log_quoted(text_of(key), room),
	    nearest_hint(word, known, &hint));
	free(word);
	buf_fini(&hint);
	return false;
}

static size_t index_of(const yaml_node_t *key, const char *const *words)
{
	size_t i = 0;
	while (words[i] != NULL &&
	       (strlen(words[i]) != text_of(key).len ||
		strncasecmp(words[i], text_of(key).ptr, text_of(key).len) != 0))
		i++;
	return i;
}

static bool take_pipeline(struct file *f, yaml_node_t *key, yaml_node_t *value,
			  void *data, struct err *e)
{
	static const char *const words[] = {"inputs", "filters", "outputs",
					    NULL};
	static const char *const names[] = {"INPUT", "FILTER", "OUTPUT"};
	(void)data;
	size_t i = index_of(key, words);
	if (words[i] == NULL)
		return bad_word(f, key, words, e);
	return each_item(f, value, words[i], add_section, (void *)names[i], e);
}

static bool set_variable(struct file *f, yaml_node_t *key, yaml_node_t *value,
			 void *data, struct err *e)
{
	struct span name, text;
	(void)data;
	if (!get_text(f, key, &name, "a variable's name", e) ||
	    !get_text(f, value, &text, "a variable", e))
		return false;
	return conf_tree_set(f->conf, name, text, e) ||
	       err_in(e, "%s:%zu: env", f->name, line_of(value));
}

/* An item of `env: [{name: X, value: y}]` or of `env: [{X: y}]`. */
struct variable {
	yaml_node_t *name;
	yaml_node_t *value;
};

static bool note_variable(struct file *f, yaml_node_t *key, yaml_node_t *value,
			  void *data, struct err *e)
{
	static const char *const words[] = {"name", "value", "uri",
					    "refresh_interval", NULL};
	struct variable *v = data;
	(void)f;
	(void)e;
	switch (index_of(key, words)) {
	case 0:
		v->name = value;
		break;
	case 1:
	case 2:
		v->value = value;
		break;
	case 3:
		log_line(LOG_INFO, "conf",
			 "at=%s:%zu key=refresh_interval msg=\"has no effect: "
			 "a reload reads the file again\"",
			 f->name, line_of(key));
		break;
	default:
		v->name = key;
		v->value = value;
	}
	return true;
}

static bool set_item(struct file *f, yaml_node_t *item, void *data,
		     struct err *e)
{
	struct variable v = {0};
	(void)data;
	if (!each_pair(f, item, "env", note_variable, &v, e))
		return false;
	if (v.name == NULL || v.value == NULL)
		return bad(f, item, e, "env: a name and a value are needed");
	return set_variable(f, v.name, v.value, NULL, e);
}

/* The file may include others.  The recursion ends because no file is read
 * twice. */
static bool include_file(struct file *f, const yaml_node_t *at,
			 const char *path, struct err *e)
{
	size_t count = 0;
	for (struct conf_file *i = f->conf->files; i != NULL; i = i->next)
		count++;
	if (count > FILES_MAX)
		return bad(f, at, e,
			   "includes: a configuration may include at most %d "
			   "files",
			   FILES_MAX);
	return yaml_format_file(f->conf, path, e) ||
	       err_in(e, "%s:%zu: includes", f->name, line_of(at));
}

/* As in Fluent Bit, look first in `dir`, the directory part of the including
 * file's path, in which no symlinks are resolved.  If the file does not exist
 * in `dir`, look where @INCLUDE looks. */
static char *find_file(const struct file *f, const char *dir, const char *path)
{
	struct buf beside = {0};
	buf_printf(&beside, "%s%s%s", path[0] == '/' ? "" : dir,
		   path[0] == '/' ? "" : "/", path);
	char *found = access(buf_text(&beside), F_OK) == 0
			      ? mem_text(buf_text(&beside))
			      : conf_find_file(f->conf->dir, path);
	buf_fini(&beside);
	return found;
}

static bool include_all(struct file *f, const yaml_node_t *at, const char *dir,
			const char *pattern, struct err *e)
{
	glob_t found;
	if (conf_file_find_in(dir, pattern, &found) != 0) {
		log_line(LOG_WARN, "conf",
			 "at=%s:%zu key=includes err=\"no file matches\" "
			 "path=%s action=\"including nothing\"",
			 f->name, line_of(at), pattern);
		return true;
	}
	bool ok = true;
	for (size_t i = 0; ok && i < found.gl_pathc; i++)
		ok = include_file(f, at, found.gl_pathv[i], e);
	globfree(&found);
	return ok;
}

static bool include(struct file *f, yaml_node_t *item, void *data,
		    struct err *e)
{
	struct span text;
	(void)data;
	if (f->conf->dir == NULL)
		return bad(f, item, e, "includes are possible only in a file");
	if (!get_text(f, item, &text, "the name of an included file", e))
		return false;
	const char *path = conf_tree_text(f->conf, text);
	const char *slash = strrchr(f->name, '/');
	char *dir = slash == NULL
			    ? mem_text(".")
			    : mem_copy(f->name, (size_t)(slash - f->name));
	bool ok;
	if (strchr(path, '*') != NULL) {
		ok = include_all(f, item, dir, path, e);
	} else {
		char *found = find_file(f, dir, path);
		ok = include_file(f, item, found, e);
		free(found);
	}
	free(dir);
	return ok;
}

/* Read a top-level key: a section or a list of sections. */
static bool take_top(struct file *f, yaml_node_t *key, yaml_node_t *value,
		     void *data, struct err *e)
{
	static const char *const words[] = {"env",	  "includes",
					    "service",	  "parsers",
					    "pipeline",	  "multiline_parsers",
					    "customs",	  "stream_processor",
					    "plugins",	  "upstream_servers",
					    "extensions", NULL};
	/* The names in the classic format. */
	static const char *const names[] = {"",		 "",
					    "SERVICE",	 "PARSER",
					    "",		 "MULTILINE_PARSER",
					    "CUSTOM",	 "STREAM_TASK",
					    "PLUGINS",	 "UPSTREAM",
					    "EXTENSIONS"};
	(void)data;
	size_t i = index_of(key, words);
	switch (i) {
	case 0:
		return value->type == YAML_SEQUENCE_NODE
			       ? each_item(f, value, "env", set_item, NULL, e)
			       : each_pair(f, value, "env", set_variable, NULL,
					   e);
	case 1:
		return each_item(f, value, "includes", include, NULL, e);
	case 2:
		return add_section(f, value, (void *)names[i], e);
	case 3:
		return each_item(f, value, "parsers", add_section,
				 (void *)names[i], e);
	case 4:
		return each_pair(f, value, "pipeline", take_pipeline, NULL, e);
	}
	if (words[i] == NULL)
		return bad_word(f, key, words, e);
	/* The reader of the sections rejects unknown names. */
	conf_tree_add_section(f->conf, span_of(names[i]), f->name,
			      line_of(key));
	return true;
}

static bool read_documents(struct file *f, yaml_parser_t *parser, struct err *e)
{
	for (;;) {
		yaml_document_t document;
		if (!yaml_parser_load(parser, &document))
			return err_set(e, "%s:%zu: invalid YAML: %s", f->name,
				       parser->problem_mark.line + 1,
				       parser->problem);
		f->document = &document;
		yaml_node_t *root = yaml_document_get_root_node(&document);
		bool ok = root != NULL && each_pair(f, root, "a configuration",
						    take_top, NULL, e);
		yaml_document_delete(&document);
		if (!ok)
			return root == NULL; /* the end of the file */
	}
}

bool yaml_format_is_name(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot != NULL &&
	       (strcasecmp(dot, ".yaml") == 0 || strcasecmp(dot, ".yml") == 0);
}

/* Reject nesting that is deeper than DEPTH_MAX, because libyaml's time grows
 * with the square of the depth.  read_documents reports all other errors. */
static bool check_depth(const char *name, const char *text, size_t length,
			struct err *e)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool is_end = false;
	int depth = 0;
	size_t line = 0;
	CHECK(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *)text,
				     length);
	while (!is_end && depth <= DEPTH_MAX &&
	       yaml_parser_parse(&parser, &event)) {
		depth += (event.type == YAML_SEQUENCE_START_EVENT) +
			 (event.type == YAML_MAPPING_START_EVENT) -
			 (event.type == YAML_SEQUENCE_END_EVENT) -
			 (event.type == YAML_MAPPING_END_EVENT);
		is_end = event.type == YAML_STREAM_END_EVENT;
		line = event.start_mark.line + 1;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return depth <= DEPTH_MAX ||
	       err_set(e, "%s:%zu: maps and lists are nested deeper than %d",
		       name, line, DEPTH_MAX);
}

bool yaml_format_text(struct conf *conf, const char *name, const char *text,
		      size_t length, struct err *e)
{
	struct file f = {.conf = conf,
			 .name = conf_tree_text(conf, span_of(name))};
	yaml_parser_t parser;
	if (!check_depth(f.name, text, length, e))
		return false;
	CHECK(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *)text,
				     length);
	bool ok = read_documents(&f, &parser, e);
	yaml_parser_delete(&parser);
	return ok;
}

bool yaml_format_file(struct conf *conf, const char *path, struct err *e)
{
	struct buf text = {0};
	bool ok = conf_file_read(conf, path, &text, e) &&
		  yaml_format_text(conf, path, text.ptr, text.len, e);
	buf_fini(&text);
	return ok;
}
