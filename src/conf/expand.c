/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/expand.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf_tree.h"

/* NULL if the name is not set.  `host` is a buffer for the host's name. */
static const char *look_up(const struct conf *conf, const char *name,
			   char host[static HOST_NAME_MAX + 1])
{
	const struct conf_set *set = conf->sets;
	while (set != NULL && strcmp(set->name, name) != 0)
		set = set->next;
	if (set != NULL && set->value[0] != '\0')
		return set->value;
	const char *value = getenv(name);
	if (value != NULL && value[0] != '\0')
		return value;
	if (strcmp(name, "HOSTNAME") == 0 &&
	    gethostname(host, HOST_NAME_MAX + 1) == 0)
		return host;
	return NULL;
}

/* Expand the text between "${" and "}". */
static void put_variable(struct buf *out, const struct conf_section *s,
			 const struct conf_key *k, struct span inner)
{
	struct span fallback = {0};
	const char *minus = memmem(inner.ptr, inner.len, ":-", 2);
	if (minus != NULL) {
		const char *behind = minus + 2;
		size_t used = (size_t)(behind - inner.ptr);
		fallback = span_make(behind, inner.len - used);
		inner.len = used - 2;
	}
	char host[HOST_NAME_MAX + 1];
	char *name = mem_copy(inner.ptr, inner.len);
	const char *value = look_up(s->conf, name, host);
	if (value != NULL)
		buf_put_text(out, value);
	else if (minus != NULL)
		buf_put_span(out, fallback);
	else
		log_line(
			LOG_WARN, "conf",
			"at=%s:%zu key=%s err=\"variable ${%.100s} is used but "
			"not set\" action=\"using an empty text\"",
			s->file, k->line, k->name, name);
	free(name);
}

static void expand_value(const struct conf_section *s, struct conf_key *k,
			 struct buf *out)
{
	buf_clear(out);
	const char *at = k->value;
	const char *open, *close;
	while ((open = strstr(at, "${")) != NULL &&
	       (close = strchr(open, '}')) != NULL) {
		buf_put(out, at, (size_t)(open - at));
		const char *inner = open + 2;
		put_variable(out, s, k,
			     span_make(inner, (size_t)(close - inner)));
		at = close + 1;
	}
	if (at == k->value)
		return;
	buf_put(out, at, strlen(at) + 1);
	k->value = arena_copy(s->conf->arena, buf_span(out)).ptr;
}

void expand_values(struct conf *conf)
{
	struct buf out = {0};
	for (struct conf_section *s = conf->sections; s != NULL; s = s->next)
		for (struct conf_key *k = s->keys; k != NULL; k = k->next)
			expand_value(s, k, &out);
	buf_fini(&out);
}
