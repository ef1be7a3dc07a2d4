/* SPDX-License-Identifier: Apache-2.0 */
#include "run/assemble.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/embedded.h"
#include "base/mem.h"
#include "base/span.h"
#include "conf/conf.h"
#include "filter/chain.h"
#include "output/router.h"
#include "record/parser.h"
#include "run/decoder.h"
#include "run/input_conf.h"
#include "run/parser_conf.h"

static struct conf *add_conf(struct assembly *a, struct conf *conf)
{
	if (conf == NULL)
		return NULL;
	a->confs = mem_grow(a->confs, a->conf_count + 1, sizeof *a->confs);
	a->confs[a->conf_count++] = conf;
	return conf;
}

static bool check_section_names(const struct conf *conf, struct err *e)
{
	static const char *const names[] = {"SERVICE", "INPUT",	 "PARSER",
					    "FILTER",  "OUTPUT", NULL};
	struct conf_section *s;
	size_t services = 0;
	for (size_t i = 0; (s = conf_section(conf, i)) != NULL; i++) {
		size_t n = 0;
		while (names[n] != NULL && !conf_is(s, names[n]))
			n++;
		if (names[n] == NULL) {
			const char *near =
				conf_nearest(conf_section_name(s), names);
			return conf_err(
				s, e,
				"unknown section; %s%s%sthere are "
				"SERVICE, INPUT, PARSER, FILTER, OUTPUT",
				near ? "did you mean [" : "", near ? near : "",
				near ? "]? " : "");
		}
		if (n == 0 && ++services > 1)
			return conf_err(s, e,
					"there can be only one [SERVICE]");
	}
	return true;
}

static bool read_service(struct assembly *a, const struct assemble_opts *opts,
			 struct err *e)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(a->confs[0], i)) != NULL; i++)
		if (conf_is(s, "SERVICE"))
			break;
	if (s != NULL && !settings_read(&a->settings, s, e))
		return false;
	if (!say_open(a->settings.log_file,
		      a->settings.has_log_level ? a->settings.log_level
						: opts->log_level,
		      e))
		return err_in(e, "Log_File");
	return true;
}

/* The built-in ones first, so that a configured one takes their name. */
static bool read_parsers(struct assembly *a, const struct assemble_opts *opts,
			 struct err *e)
{
	a->parsers = parser_set_new();
	struct span text = embedded_parsers_conf();
	struct conf *conf = add_conf(
		a, conf_read_text("built-in parsers", text.ptr, text.len, e));
	if (conf == NULL || !parser_conf_read(a->parsers, conf, NULL, e))
		return false;

	struct parser_names names = {0};
	bool ok = opts->parsers_path == NULL ||
		  ((conf = add_conf(a, conf_read(opts->parsers_path, e))) &&
		   parser_conf_read(a->parsers, conf, &names, e));
	struct conf_section *s;
	for (size_t i = 0; ok && (s = conf_section(a->confs[0], i)); i++) {
		if (!conf_is(s, "SERVICE"))
			continue;
		const char *file;
		for (size_t n = 0;
		     ok && (file = conf_get_each(s, "Parsers_File", n)); n++) {
			char *path =
				conf_find_file(conf_dir(a->confs[0]), file);
			conf = add_conf(a, conf_read(path, e));
			if (conf == NULL)
				ok = conf_err_in(s, "Parsers_File", e);
			else
				ok = parser_conf_read(a->parsers, conf, &names,
						      e);
			free(path);
		}
		ok = ok && conf_section_end(s, e);
	}
	ok = ok && parser_conf_read(a->parsers, a->confs[0], &names, e);
	free(names.sections);
	return ok;
}

static bool read_inputs(struct assembly *a, const struct assemble_opts *opts,
			struct err *e)
{
	struct conf_section *s;
	for (size_t i = 0; (s = conf_section(a->confs[0], i)) != NULL; i++) {
		if (!conf_is(s, "INPUT"))
			continue;
		size_t n = a->input_count;
		a->inputs = mem_grow(a->inputs, n + 1, sizeof *a->inputs);
		a->decoders = mem_grow(a->decoders, n + 1, sizeof *a->decoders);
		a->decoders[n] =
			input_conf_read(s, n, a->parsers, &a->inputs[n], e);
		if (a->decoders[n] == NULL)
			return false;
		a->input_count++;
	}
	if (a->input_count == 0)
		return err_set(e,
			       "%s: there is no [INPUT]; one with Name syslog "
			       "and a Path is needed",
			       opts->conf_path);
	return true;
}

static bool read_filters(struct assembly *a, struct err *e)
{
	struct filter_env env = {.parsers = a->parsers,
				 .conf_dir = conf_dir(a->confs[0])};
	struct conf_section *s;
	a->chain = chain_new();
	for (size_t i = 0; (s = conf_section(a->confs[0], i)) != NULL; i++)
		if (conf_is(s, "FILTER") && !chain_add(a->chain, s, &env, e))
			return false;
	return true;
}

static bool read_outputs(struct assembly *a, const struct assemble_opts *opts,
			 struct err *e)
{
	struct sink_env env = {.conf_dir = conf_dir(a->confs[0]),
			       .dry_run = opts->dry_run};
	struct conf_section *s;
	size_t count = 0;
	a->router = router_new();
	for (size_t i = 0; (s = conf_section(a->confs[0], i)) != NULL; i++) {
		if (!conf_is(s, "OUTPUT"))
			continue;
		if (!router_add(a->router, s, &env, e))
			return false;
		count++;
	}
	if (count == 0)
		return err_set(e,
			       "%s: there is no [OUTPUT]; one with Name file "
			       "and a Match is needed",
			       opts->conf_path);
	return true;
}

struct assembly *assemble(const struct assemble_opts *opts, struct err *e)
{
	struct assembly *a = mem_new(1, sizeof *a);
	settings_init(&a->settings);
	if (add_conf(a, conf_read(opts->conf_path, e)) == NULL)
		goto fail;
	if (!check_section_names(a->confs[0], e) || !read_service(a, opts, e) ||
	    !read_parsers(a, opts, e))
		goto fail;
	if (!read_inputs(a, opts, e) || !read_filters(a, e) ||
	    !read_outputs(a, opts, e))
		goto fail;
	return a;
fail:
	assembly_free(a);
	return NULL;
}

void assembly_free(struct assembly *a)
{
	if (a == NULL)
		return;
	router_free(a->router);
	chain_free(a->chain);
	for (size_t i = 0; i < a->input_count; i++)
		decoder_free(a->decoders[i]);
	free(a->decoders);
	free(a->inputs);
	parser_set_free(a->parsers);
	for (size_t i = 0; i < a->conf_count; i++)
		conf_free(a->confs[i]);
	free(a->confs);
	free(a);
}
