/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/keys.h"

#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "base/log.h"
#include "base/span.h"
#include "setup/plugins.h"

static bool is_wanted(const struct plugin_keys *k, const char *name)
{
	return name == NULL || strcasecmp(k->section, name) == 0 ||
	       (k->plugin != NULL && strcasecmp(k->plugin, name) == 0) ||
	       (k->format != NULL && strcasecmp(k->format, name) == 0);
}

static const char *or_dash(const char *text)
{
	return text != NULL ? text : "-";
}

static void put_plain(const struct plugin_keys *k)
{
	for (const struct conf_key_spec *s = k->keys; s->name != NULL; s++)
		printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k->section,
		       or_dash(k->plugin), or_dash(k->format), s->name,
		       conf_type_name(s->type),
		       s->is_required ? "required" : or_dash(s->default_text),
		       s->ignored != NULL ? "ignored" : "-");
}

static void put_key(const struct conf_key_spec *s)
{
	printf("  %s (%s", s->name, conf_type_name(s->type));
	if (s->is_required)
		fputs(", required", stdout);
	else if (s->default_text != NULL)
		printf(", default %s", s->default_text);
	printf("%s)\n      %s\n", s->is_repeatable ? ", repeatable" : "",
	       or_dash(s->help));
}

static void put_readable(const struct plugin_keys *k)
{
	bool has_ignored = false;
	printf("[%s]", k->section);
	if (k->plugin != NULL)
		printf(" Name %s", k->plugin);
	if (k->format != NULL)
		printf(", Format %s", k->format);
	putchar('\n');
	for (const struct conf_key_spec *s = k->keys; s->name != NULL; s++)
		if (s->ignored == NULL)
			put_key(s);
	for (const struct conf_key_spec *s = k->keys; s->name != NULL; s++) {
		if (s->ignored == NULL)
			continue;
		if (!has_ignored)
			puts("  Keys of Fluent Bit without effect here:");
		has_ignored = true;
		printf("      %s: %s\n", s->name, s->ignored);
	}
	putchar('\n');
}

int keys_list(const struct command_args *args)
{
	struct plugin_keys keys;
	bool is_found = false;
	for (size_t i = 0; plugins_keys(i, &keys); i++) {
		if (!is_wanted(&keys, args->operand))
			continue;
		is_found = true;
		if (args->is_plain)
			put_plain(&keys);
		else
			put_readable(&keys);
	}
	if (is_found)
		return 0;
	char room[LOG_QUOTED_BYTES];
	fprintf(stderr,
		"sluiced keys: no section, plug-in or format is called %s; "
		"`sluiced keys` lists all\n",
		log_quoted(span_of(args->operand), room));
	return EXIT_CODE_USAGE;
}
