/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_tree.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "conf/conf_file.h"

#define FILE_SCHEME "file://"

const char *conf_tree_text(struct conf *conf, struct span s)
{
	char *text = arena_take(conf->arena, s.len + 1);
	if (s.len > 0)
		memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return text;
}

struct conf_section *conf_tree_add_section(struct conf *conf, struct span name,
					   const char *file, size_t line)
{
	struct conf_section *new = arena_take(conf->arena, sizeof *new);
	*new = (struct conf_section){
		.conf = conf,
		.name = conf_tree_text(conf, name),
		.file = file,
		.line = line,
		.asked = mem_new(1, sizeof *new->asked),
	};
	new->keys_end = &new->keys;
	*conf->sections_end = new;
	conf->sections_end = &new->next;
	return new;
}

struct conf_key *conf_tree_add_key(struct conf_section *section,
				   struct span name, struct span value,
				   size_t line)
{
	struct conf *conf = section->conf;
	struct conf_key *new = arena_take(conf->arena, sizeof *new);
	*new = (struct conf_key){
		.name = conf_tree_text(conf, name),
		.value = conf_tree_text(conf, value),
		.line = line,
	};
	*section->keys_end = new;
	section->keys_end = &new->next;
	return new;
}

bool conf_tree_is_value(const struct conf_key *k, const char *key)
{
	return strcasecmp(k->name, key) == 0 && k->value[0] != '\0';
}

struct conf_key *conf_tree_find(const struct conf_section *s, const char *key,
				size_t nth)
{
	for (struct conf_key *k = s->keys; k != NULL; k = k->next)
		if (conf_tree_is_value(k, key) && nth-- == 0)
			return k;
	return NULL;
}

/* A file with a secret often ends in a newline that is not part of the secret.
 */
static bool read_value(struct conf *conf, const char *path, const char **value,
		       struct err *e)
{
	struct buf text = {0};
	bool ok = conf_file_slurp(path, &text, e);
	if (ok && memchr(buf_text(&text), '\0', text.len) != NULL)
		ok = err_set(e, "%s: it contains a NUL byte", path);
	if (ok) {
		struct span s = buf_span(&text);
		if (s.len > 0 && s.ptr[s.len - 1] == '\n')
			s.len--;
		*value = conf_tree_text(conf, s);
	}
	buf_fini(&text);
	return ok;
}

bool conf_tree_set(struct conf *conf, struct span name, struct span value,
		   struct err *e)
{
	const char *text = conf_tree_text(conf, value);
	size_t scheme = strlen(FILE_SCHEME);
	if (conf->dir != NULL && strncmp(text, FILE_SCHEME, scheme) == 0 &&
	    !read_value(conf, text + scheme, &text, e))
		return false;
	struct conf_set *new = arena_take(conf->arena, sizeof *new);
	*new = (struct conf_set){
		.next = conf->sets,
		.name = conf_tree_text(conf, name),
		.value = text,
	};
	conf->sets = new;
	return true;
}
