/* SPDX-License-Identifier: Apache-2.0 */
#include "record/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "record/ruby_regex.h"

enum {
	STEPS_MAX = 1000000,
	JIT_STACK_MIN_BYTES = 32 * 1024,
	JIT_STACK_MAX_BYTES = 1024 * 1024,
};

struct pattern {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack; /* NULL: no JIT here, the interpreter works */
	struct span text;	/* of the last match */
	size_t groups;
	struct span *names; /* [groups + 1], into the code */
	bool gave_up;
};

static bool compile(struct pattern *p, struct span source, struct err *e)
{
	struct ruby_regex regex;
	int error;
	PCRE2_SIZE error_at;
	uint32_t options = PCRE2_MULTILINE | PCRE2_DUPNAMES;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	CHECK(context != NULL);
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);

	bool ok = ruby_regex_read(source, &regex, e);
	if (regex.has_names)
		options |= PCRE2_NO_AUTO_CAPTURE;
	if (regex.is_utf)
		options |= PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF;
	if (ok) {
		const char *text = buf_text(&regex.text);
		p->code = pcre2_compile((PCRE2_SPTR)text, regex.text.len,
					options, &error, &error_at, context);
		ok = p->code != NULL;
		if (!ok) {
			char why[128];
			pcre2_get_error_message(error, (PCRE2_UCHAR *)why,
						sizeof why);
			err_set(e, "regular expression: %s at %zu", why,
				ruby_regex_source_at(source, error_at));
		}
	}
	buf_fini(&regex.text);
	pcre2_compile_context_free(context);
	return ok;
}

static void read_names(struct pattern *p)
{
	uint32_t groups = 0, count = 0, entry_bytes = 0;
	const unsigned char *entry = NULL;
	pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &entry_bytes);
	pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &entry);
	p->groups = groups;
	p->names = mem_new((size_t)groups + 1, sizeof *p->names);
	/* An entry: u16 big-endian group, the name, NUL. */
	for (; count > 0; count--, entry += entry_bytes)
		p->names[entry[0] << 8 | entry[1]] =
			span_of((const char *)entry + 2);
}

struct pattern *pattern_new(struct span text, struct err *e)
{
	struct pattern *p = mem_new(1, sizeof *p);
	if (!compile(p, text, e)) {
		pattern_free(p);
		return NULL;
	}
	read_names(p);
	p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
	p->context = pcre2_match_context_create(NULL);
	CHECK(p->match != NULL && p->context != NULL);
	pcre2_set_match_limit(p->context, STEPS_MAX);
	if (pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0) {
		p->stack = pcre2_jit_stack_create(JIT_STACK_MIN_BYTES,
						  JIT_STACK_MAX_BYTES, NULL);
		CHECK(p->stack != NULL);
		pcre2_jit_stack_assign(p->context, NULL, p->stack);
	}
	return p;
}

void pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	pcre2_match_context_free(p->context);
	pcre2_match_data_free(p->match);
	pcre2_jit_stack_free(p->stack);
	pcre2_code_free(p->code);
	free(p->names);
	free(p);
}

bool pattern_matches(struct pattern *p, struct span text)
{
	if (text.ptr == NULL)
		text.ptr = "";
	PCRE2_SPTR subject = (PCRE2_SPTR)text.ptr;
	int rc = p->stack != NULL ? pcre2_jit_match(p->code, subject, text.len,
						    0, 0, p->match, p->context)
				  : pcre2_match(p->code, subject, text.len, 0,
						0, p->match, p->context);
	p->text = text;
	p->gave_up = rc < 0 && rc != PCRE2_ERROR_NOMATCH;
	return rc >= 0;
}

bool pattern_gave_up(const struct pattern *p)
{
	return p->gave_up;
}

size_t pattern_groups(const struct pattern *p)
{
	return p->groups;
}

struct span pattern_group(const struct pattern *p, size_t index, bool *present)
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(p->match);
	*present = index <= p->groups && ends[2 * index] != PCRE2_UNSET;
	if (!*present)
		return span_make(NULL, 0);
	return span_make(p->text.ptr + ends[2 * index],
			 ends[2 * index + 1] - ends[2 * index]);
}

struct span pattern_group_name(const struct pattern *p, size_t index)
{
	return index <= p->groups ? p->names[index] : span_make(NULL, 0);
}
