/* SPDX-License-Identifier: Apache-2.0 */
#include "parse/decode_field.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/mem.h"
#include "record/json.h"
#include "record/record.h"
#include "record/unescape.h"

struct decode_field {
	struct decode_rule *rules;
	size_t count;
	struct json_reader *json;
};

/* The result of the rules for a field so far. */
struct decoded {
	struct value value;  /* replaces the field */
	struct record *more; /* fields to add, or NULL */
};

static bool decode_json(struct decode_field *d, struct span text,
			const struct record *r, struct record **into)
{
	/* As in Fluent Bit, only spaces may precede the JSON. */
	while (text.len > 0 && text.ptr[0] == ' ')
		text = span_make(text.ptr + 1, text.len - 1);
	if (text.len == 0 || text.ptr[0] != '{')
		return false;
	*into = record_new(r->arena, r->message, r->tag, 0);
	return json_read(d->json, text, *into) == JSON_READ;
}

static struct value map_of(const struct record *r)
{
	return (struct value){
		.type = VALUE_MAP,
		.count = (uint32_t)r->count,
		.fields = r->fields,
	};
}

static struct span unescaped(enum decode_as as, struct arena *a,
			     struct span text)
{
	switch (as) {
	case DECODE_ESCAPED:
		return unescape_plain(a, text);
	case DECODE_ESCAPED_UTF8:
		return unescape_utf8(a, text);
	default:
		return unescape_mysql(a, text);
	}
}

/* False if the text cannot be decoded by the rule.  Decoded text can only
 * replace the field, because an added field needs a name. */
static bool use_rule(struct decode_field *d, const struct decode_rule *rule,
		     const struct record *r, struct decoded *to)
{
	struct span text = to->value.string;
	if (rule->as != DECODE_JSON) {
		if (rule->in_place)
			to->value = value_string(
				unescaped(rule->as, r->arena, text));
		return true;
	}
	struct record *made;
	if (!decode_json(d, text, r, &made))
		return false;
	if (rule->in_place)
		to->value = map_of(made);
	else
		to->more = made;
	return true;
}

static void decode(struct decode_field *d, const struct record *r,
		   struct span key, struct decoded *to)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct decode_rule *rule = &d->rules[i];
		if (!span_equals(span_of(rule->key), key))
			continue;
		if (to->value.type != VALUE_STRING)
			break;
		bool has_added = !rule->in_place && to->more != NULL;
		if (has_added && rule->then == DECODE_DO_NEXT)
			continue;
		bool fits = use_rule(d, rule, r, to);
		if (rule->then == DECODE_STOP ||
		    (fits && rule->then == DECODE_TRY_NEXT))
			break;
	}
}

bool decode_rule_read(const char *text, bool in_place, struct decode_rule *rule)
{
	static const char *const kinds[] = {"json", "escaped", "escaped_utf8",
					    "mysql_quoted"};
	static const char blanks[] = " \t";
	size_t kind_len = strcspn(text, blanks);
	size_t kind = 0;
	while (kind < 4 && (strlen(kinds[kind]) != kind_len ||
			    strncasecmp(kinds[kind], text, kind_len) != 0))
		kind++;
	const char *key = text + kind_len + strspn(text + kind_len, blanks);
	size_t key_len = strcspn(key, blanks);
	const char *then = key + key_len + strspn(key + key_len, blanks);
	if (kind == 4 || key_len == 0)
		return false;

	*rule = (struct decode_rule){
		.as = (enum decode_as)kind,
		.in_place = in_place,
	};
	if (strcasecmp(then, "try_next") == 0)
		rule->then = DECODE_TRY_NEXT;
	else if (strcasecmp(then, "do_next") == 0)
		rule->then = DECODE_DO_NEXT;
	else if (*then != '\0')
		return false;
	rule->key = mem_copy(key, key_len);
	return true;
}

struct decode_field *decode_field_new(const struct decode_rule *rules,
				      size_t count)
{
	struct decode_field *d = mem_new(1, sizeof *d);
	d->json = json_reader_new();
	d->rules = mem_new(count, sizeof *d->rules);
	d->count = count;
	for (size_t i = 0; i < count; i++) {
		d->rules[i] = rules[i];
		d->rules[i].key = mem_text(rules[i].key);
	}
	return d;
}

void decode_field_free(struct decode_field *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->count; i++)
		free(d->rules[i].key);
	free(d->rules);
	json_reader_free(d->json);
	free(d);
}

void decode_field_apply(struct decode_field *d, struct record *r)
{
	size_t count = r->count; /* added fields are not decoded again */
	for (size_t i = 0; i < count; i++) {
		struct field *f = &r->fields[i];
		if (f->value.type != VALUE_STRING)
			continue;
		struct decoded to = {.value = f->value};
		decode(d, r, f->key, &to);
		f->value = to.value;
		for (size_t k = 0; to.more != NULL && k < to.more->count; k++)
			record_add(r, to.more->fields[k].key,
				   to.more->fields[k].value);
	}
}
