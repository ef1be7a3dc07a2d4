/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "regex/ruby_regex.h"

enum {
	/* PCRE2 restarts its count of steps at each start position, and a text
	 * has one start position per byte.  So the limit shrinks with the
	 * length: all start positions together take at most about STEPS_TOTAL
	 * steps, which is 0.1 to 0.2 s of CPU. */
	STEPS_TOTAL = 200000000,
	STEPS_MAX = 1000000,
	STEPS_MIN = 1000,
	JIT_STACK_MIN_BYTES = 32 * 1024,
	JIT_STACK_MAX_BYTES = 1024 * 1024,
};

struct pattern {
	pcre2_code *code;
	pcre2_code *wide_code; /* for text beyond ASCII; NULL: use code */
	/* For text without a newline; NULL: use code.  There a dot matches
	 * every byte, so `.*` need not look at them.  This takes a third of the
	 * time for the header of an 800-byte line. */
	pcre2_code *flat_code;
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack; /* NULL: without JIT, the interpreter runs */
	struct span text;	/* of the last match */
	bool is_anchored;	/* a match starts only at the start of a line */
	size_t groups;
	char *all_names;    /* in the form of ruby_regex.h */
	struct span *names; /* [groups + 1], into all_names */
	bool hit_limit;
};

static pcre2_code *compile(struct span source, const struct ruby_regex *regex,
			   uint32_t options, struct err *e)
{
	int error;
	PCRE2_SIZE error_at;
	options |= PCRE2_MULTILINE | PCRE2_DUPNAMES;
	if (regex->has_names)
		options |= PCRE2_NO_AUTO_CAPTURE;
	if (regex->is_utf)
		options |= PCRE2_UTF | PCRE2_UCP;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	CHECK(context != NULL);
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)regex->text.ptr, regex->text.len,
			      options, &error, &error_at, context);
	pcre2_compile_context_free(context);
	if (code == NULL) {
		char why[128];
		pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
		err_set(e, "regular expression: %s at offset %zu", why,
			ruby_regex_source_at(source, error_at));
	} else {
		/* Without JIT, the interpreter runs. */
		pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	}
	return code;
}

/* If the pattern cannot be compiled for characters, the one for bytes is used.
 */
static void take_wide_code(struct pattern *p, struct span source)
{
	struct ruby_regex regex;
	struct err ignored;
	if (ruby_regex_read(source, true, &regex, &ignored)) {
		buf_text(&regex.text);
		p->wide_code = compile(source, &regex, 0, &ignored);
	}
	buf_fini(&regex.names);
	buf_fini(&regex.text);
}

static bool take_code(struct pattern *p, struct span source, struct err *e)
{
	struct ruby_regex regex;
	bool ok = ruby_regex_read(source, false, &regex, e);
	if (ok) {
		buf_text(&regex.text);
		p->code =
			compile(source, &regex,
				regex.is_utf ? PCRE2_MATCH_INVALID_UTF : 0, e);
		ok = p->code != NULL;
	}
	if (ok && !regex.is_utf &&
	    memchr(regex.text.ptr, '.', regex.text.len) != NULL)
		p->flat_code =
			compile(source, &regex, PCRE2_DOTALL, &(struct err){0});
	p->all_names = mem_copy(regex.names.ptr, regex.names.len);
	buf_fini(&regex.names);
	buf_fini(&regex.text);
	if (ok && regex.tells_apart)
		take_wide_code(p, source);
	return ok;
}

static bool is_anchored(const pcre2_code *code)
{
	uint32_t options = 0, first_kind = 0;
	pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
	pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODETYPE, &first_kind);
	return (options & PCRE2_ANCHORED) != 0 || first_kind == 2;
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
	/* An entry: the group as big-endian u16, "n", an index, NUL. */
	for (; count > 0; count--, entry += entry_bytes) {
		const char *name = p->all_names;
		unsigned long i = strtoul((const char *)entry + 3, NULL, 10);
		for (; i > 0; i--)
			name += strlen(name) + 1;
		p->names[entry[0] << 8 | entry[1]] = span_of(name);
	}
}

struct pattern *pattern_new(struct span text, struct err *e)
{
	struct pattern *p = mem_new(1, sizeof *p);
	if (!take_code(p, text, e)) {
		pattern_free(p);
		return NULL;
	}
	read_names(p);
	p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
	p->context = pcre2_match_context_create(NULL);
	CHECK(p->match != NULL && p->context != NULL);
	p->is_anchored = is_anchored(p->code);
	size_t jit_bytes = 0;
	if (pcre2_pattern_info(p->code, PCRE2_INFO_JITSIZE, &jit_bytes) == 0 &&
	    jit_bytes > 0) {
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
	pcre2_code_free(p->wide_code);
	pcre2_code_free(p->flat_code);
	pcre2_code_free(p->code);
	free(p->all_names);
	free(p->names);
	free(p);
}

static bool is_ascii(struct span s)
{
	size_t i = 0;
	for (; i + 8 <= s.len; i += 8) {
		uint64_t bytes;
		memcpy(&bytes, s.ptr + i, sizeof bytes);
		if ((bytes & UINT64_C(0x8080808080808080)) != 0)
			return false;
	}
	for (; i < s.len; i++)
		if ((unsigned char)s.ptr[i] >= 0x80)
			return false;
	return true;
}

/* Whether STEPS_MAX at each start position would exceed STEPS_TOTAL. */
static bool is_long(size_t len)
{
	return len > STEPS_TOTAL / STEPS_MAX;
}

static uint32_t steps_max(const struct pattern *p, size_t len, bool has_lines)
{
	if (!is_long(len) || (p->is_anchored && !has_lines))
		return STEPS_MAX;
	size_t steps = STEPS_TOTAL / len;
	return steps > STEPS_MIN ? (uint32_t)steps : STEPS_MIN;
}

bool pattern_matches(struct pattern *p, struct span text)
{
	if (text.ptr == NULL)
		text.ptr = "";
	PCRE2_SPTR subject = (PCRE2_SPTR)text.ptr;
	bool must_look = p->flat_code != NULL || is_long(text.len);
	bool has_lines = must_look && memchr(text.ptr, '\n', text.len) != NULL;
	pcre2_set_match_limit(p->context, steps_max(p, text.len, has_lines));
	int rc = PCRE2_ERROR_UTF8_ERR1;
	if (p->wide_code != NULL &&
	    !is_ascii(text)) /* PCRE2 checks whether it is UTF-8 */
		rc = pcre2_match(p->wide_code, subject, text.len, 0, 0,
				 p->match, p->context);
	const pcre2_code *code = p->code;
	if (p->flat_code != NULL && !has_lines)
		code = p->flat_code;
	bool is_done =
		rc > PCRE2_ERROR_UTF8_ERR1 || rc < PCRE2_ERROR_UTF8_ERR21;
	if (!is_done)
		rc = p->stack != NULL
			     ? pcre2_jit_match(code, subject, text.len, 0, 0,
					       p->match, p->context)
			     : pcre2_match(code, subject, text.len, 0, 0,
					   p->match, p->context);
	p->text = text;
	p->hit_limit = rc < 0 && rc != PCRE2_ERROR_NOMATCH;
	return rc >= 0;
}

bool pattern_hit_limit(const struct pattern *p)
{
	return p->hit_limit;
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
