/* SPDX-License-Identifier: Apache-2.0 */
#include "regex/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "regex/alternatives.h"
#include "regex/mended_text.h"
#include "regex/ruby_regex.h"
#include "regex/search_cost.h"
#include "regex/search_steps.h"

enum {
	JIT_STACK_MIN_BYTES = 32 * 1024,
	JIT_STACK_MAX_BYTES = 1024 * 1024,
	/* Each halving can double the number of codes.  The number stays below
	 * SEARCH_STEPS_MIN, so that each code has at least one step. */
	HALVINGS_MAX = 9,
};

/* The compiled codes of an expression.  An expression that is too large for one
 * code has several, and matches if one of them does. */
struct codes {
	pcre2_code **list;
	size_t count;
};

struct pattern {
	struct codes codes;
	struct codes wide; /* for text beyond ASCII; empty: use codes */
	bool is_utf;	   /* `codes` match characters */
	/* For text without a newline; NULL: use codes.  In such text a dot
	 * matches every byte, so `.*` skips the bytes without examining them.
	 * Matching the header of an 800-byte line then takes a third of the
	 * time. */
	pcre2_code *flat_code;
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack; /* NULL: without JIT, the interpreter runs */
	struct span text;	/* of the last match */
	bool is_anchored;	/* a match starts only at the start of a line */
	size_t groups;
	char *all_names;    /* `names` of ruby_regex.h */
	struct span *names; /* [groups + 1], into all_names */
	bool hit_limit;
};

/* How an expression is compiled. */
struct compiler {
	struct span source;
	const struct ruby_regex *regex;
	uint32_t options;
	bool may_halve;
	const char *advice; /* see pattern.h */
	struct err *err;
};

/* NULL on failure, with *error from PCRE2. */
static pcre2_code *compile_one(const struct compiler *c, struct span text,
			       int *error, PCRE2_SIZE *error_at)
{
	uint32_t options = c->options | PCRE2_MULTILINE | PCRE2_DUPNAMES;
	if (c->regex->has_names)
		options |= PCRE2_NO_AUTO_CAPTURE;
	if (c->regex->is_utf)
		options |= PCRE2_UTF | PCRE2_UCP;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	CHECK(context != NULL);
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	PCRE2_SPTR ptr = (PCRE2_SPTR)(text.len > 0 ? text.ptr : "");
	pcre2_code *code =
		pcre2_compile(ptr, text.len, options, error, error_at, context);
	pcre2_compile_context_free(context);
	/* Without JIT, the interpreter runs. */
	if (code != NULL)
		pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}

static bool fail_too_large(const struct compiler *c, const char *why)
{
	return err_set(c->err,
		       "regular expression: larger than 64 KiB when compiled"
		       "%s%s; %s",
		       c->may_halve ? ", and sluiced cannot split it: it " : "",
		       c->may_halve ? why : "", c->advice);
}

static bool halve(const struct compiler *c, struct span text, unsigned halvings,
		  struct buf halves[static 2])
{
	const char *why = "needs too many parts";
	bool ok = c->may_halve && halvings < HALVINGS_MAX &&
		  alternatives_halve(text, halves, &why);
	return ok || fail_too_large(c, why);
}

static void add_code(struct codes *codes, pcre2_code *code)
{
	codes->list =
		mem_grow(codes->list, codes->count + 1, sizeof(pcre2_code *));
	codes->list[codes->count++] = code;
}

/* Add the code of this text or, if that is too large, the codes of its halves.
 */
static bool compile(const struct compiler *c, struct span text,
		    unsigned halvings, struct codes *codes)
{
	int error;
	PCRE2_SIZE error_at;
	pcre2_code *code = compile_one(c, text, &error, &error_at);
	if (code != NULL) {
		add_code(codes, code);
		return true;
	}
	if (error != PCRE2_ERROR_PATTERN_TOO_LARGE) {
		char why[128];
		pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
		return err_set(c->err, "regular expression: %s at offset %zu",
			       why, ruby_regex_source_at(c->source, error_at));
	}
	struct buf halves[2] = {{0}};
	bool ok = halve(c, text, halvings, halves);
	for (size_t i = 0; i < 2; i++) {
		ok = ok &&
		     compile(c, buf_span(&halves[i]), halvings + 1, codes);
		buf_fini(&halves[i]);
	}
	return ok;
}

static void codes_fini(struct codes *codes)
{
	for (size_t i = 0; i < codes->count; i++)
		pcre2_code_free(codes->list[i]);
	free(codes->list);
	*codes = (struct codes){0};
}

/* If the pattern cannot be compiled for characters, the one for bytes is used.
 */
static void take_wide(struct pattern *p, struct compiler c)
{
	struct ruby_regex regex;
	struct err ignored;
	c.regex = &regex;
	c.err = &ignored;
	if (ruby_regex_read(c.source, true, &regex, &ignored) &&
	    !compile(&c, buf_span(&regex.text), 0, &p->wide))
		codes_fini(&p->wide);
	buf_fini(&regex.names);
	buf_fini(&regex.text);
}

static void take_flat(struct pattern *p, struct compiler c)
{
	int error;
	PCRE2_SIZE error_at;
	c.options = PCRE2_DOTALL;
	p->flat_code =
		compile_one(&c, buf_span(&c.regex->text), &error, &error_at);
}

static bool take_codes(struct pattern *p, struct compiler c)
{
	struct ruby_regex regex;
	c.regex = &regex;
	bool ok = ruby_regex_read(c.source, false, &regex, c.err);
	p->is_utf = regex.is_utf;
	ok = ok && compile(&c, buf_span(&regex.text), 0, &p->codes);
	if (ok && !regex.is_utf && p->codes.count == 1 && regex.text.len > 0 &&
	    memchr(regex.text.ptr, '.', regex.text.len) != NULL)
		take_flat(p, c);
	p->all_names = mem_copy(regex.names.ptr, regex.names.len);
	buf_fini(&regex.names);
	buf_fini(&regex.text);
	if (ok && regex.tells_apart)
		take_wide(p, c);
	return ok;
}

static bool is_anchored(const struct codes *codes)
{
	for (size_t i = 0; i < codes->count; i++) {
		const pcre2_code *code = codes->list[i];
		uint32_t options = 0, first_kind = 0;
		pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
		pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODETYPE, &first_kind);
		if ((options & PCRE2_ANCHORED) == 0 && first_kind != 2)
			return false;
	}
	return true;
}

static void read_names(struct pattern *p)
{
	const pcre2_code *code = p->codes.list[0];
	uint32_t groups = 0, count = 0, entry_bytes = 0;
	const unsigned char *entry = NULL;
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
	pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &entry_bytes);
	pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &entry);
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

static struct pattern *make(struct compiler compiler)
{
	struct pattern *p = mem_new(1, sizeof *p);
	if (!take_codes(p, compiler)) {
		pattern_free(p);
		return NULL;
	}
	read_names(p);
	const pcre2_code *code = p->codes.list[0];
	p->match = pcre2_match_data_create_from_pattern(code, NULL);
	p->context = pcre2_match_context_create(NULL);
	CHECK(p->match != NULL && p->context != NULL);
	p->is_anchored = is_anchored(&p->codes);
	size_t jit_bytes = 0;
	if (pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &jit_bytes) == 0 &&
	    jit_bytes > 0) {
		p->stack = pcre2_jit_stack_create(JIT_STACK_MIN_BYTES,
						  JIT_STACK_MAX_BYTES, NULL);
		CHECK(p->stack != NULL);
		pcre2_jit_stack_assign(p->context, NULL, p->stack);
	}
	return p;
}

struct pattern *pattern_new(struct span text, const char *advice, struct err *e)
{
	struct compiler c = {.source = text, .advice = advice, .err = e};
	return make(c);
}

struct pattern *pattern_new_groupless(struct span text, const char *advice,
				      struct err *e)
{
	struct compiler c = {
		.source = text, .may_halve = true, .advice = advice, .err = e};
	return make(c);
}

void pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	pcre2_match_context_free(p->context);
	pcre2_match_data_free(p->match);
	pcre2_jit_stack_free(p->stack);
	codes_fini(&p->wide);
	pcre2_code_free(p->flat_code);
	codes_fini(&p->codes);
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

/* One search.  Nearly all end in the first call of PCRE2, so what the others
 * need is computed later. */
struct search {
	struct pattern *pattern;
	struct span text;
	struct span subject; /* the text, or its mended copy */
	struct search_size size;
	struct search_cost *cost; /* or NULL */
};

static bool is_utf_error(int rc)
{
	return rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21;
}

static inline int try(const struct search *s, const pcre2_code *code,
		      bool is_direct, uint32_t steps)
{
	struct pattern *p = s->pattern;
	PCRE2_SPTR subject = (PCRE2_SPTR)s->subject.ptr;
	pcre2_set_match_limit(p->context, steps);
	return is_direct ? pcre2_jit_match(code, subject, s->subject.len, 0, 0,
					   p->match, p->context)
			 : pcre2_match(code, subject, s->subject.len, 0, 0,
				       p->match, p->context);
}

/* A search of a text that is not long may use all its steps once it has begun,
 * so that the answer depends on the time as little as possible. */
static int search_at_length(const struct search *s, const pcre2_code *code,
			    bool is_direct)
{
	struct search_cost alone = {0};
	struct search_cost *cost = s->cost != NULL ? s->cost : &alone;
	uint32_t steps = search_steps_cheap(&s->size),
		 max = search_steps_max(&s->size);
	int rc = PCRE2_ERROR_MATCHLIMIT;
	if (cost->cpu_ns >= SEARCH_CPU_NS_MAX)
		return rc;
	while (rc == PCRE2_ERROR_MATCHLIMIT && steps < max) {
		int64_t left_ns = SEARCH_CPU_NS_MAX - cost->cpu_ns;
		if (search_is_long(&s->size) && left_ns <= 0)
			break;
		steps = search_steps_next(&s->size, steps, max, left_ns);
		cost->steps += (uint64_t)steps * s->size.starts;
		bool is_timed = search_is_long(&s->size) ||
				cost->steps > SEARCH_STEPS_UNTIMED;
		int64_t began_ns = is_timed ? clock_thread_cpu_ns() : 0;
		rc = try(s, code, is_direct, steps);
		if (is_timed)
			cost->cpu_ns += clock_thread_cpu_ns() - began_ns;
	}
	return rc;
}

/* is_direct: call the JIT code without PCRE2's checks. */
static inline int search(const struct search *s, const pcre2_code *code,
			 bool is_direct)
{
	int rc = try(s, code, is_direct, search_steps_cheap(&s->size));
	return rc == PCRE2_ERROR_MATCHLIMIT
		       ? search_at_length(s, code, is_direct)
		       : rc;
}

/* Search with each code until one matches.  The codes share the steps. */
static int search_each(struct search s, const struct codes *codes)
{
	int answer = PCRE2_ERROR_NOMATCH;
	s.size.codes = codes->count;
	for (size_t i = 0; i < codes->count; i++) {
		int rc = search(&s, codes->list[i], false);
		if (rc >= 0 || is_utf_error(rc))
			return rc;
		if (rc != PCRE2_ERROR_NOMATCH)
			answer = rc;
	}
	return answer;
}

/* Search in a text that is not UTF-8. */
static int search_mended(struct search s, const struct codes *codes)
{
	struct mended_text mended;
	mended_text_init(&mended, s.text);
	s.subject = buf_span(&mended.text);
	int rc = search_each(s, codes);
	PCRE2_SIZE *ends = pcre2_get_ovector_pointer(s.pattern->match);
	for (size_t i = 0; rc > 0 && i < 2 * (s.pattern->groups + 1); i++)
		if (ends[i] != PCRE2_UNSET)
			ends[i] = mended_text_source_at(&mended, ends[i]);
	mended_text_fini(&mended);
	return rc;
}

static int search_characters(const struct search *s, const struct codes *codes)
{
	int rc = search_each(*s, codes); /* PCRE2 checks whether it is UTF-8 */
	return is_utf_error(rc) ? search_mended(*s, codes) : rc;
}

static int search_bytes(const struct search *s, bool has_lines)
{
	const struct pattern *p = s->pattern;
	if (p->codes.count > 1)
		return search_each(*s, &p->codes);
	return search(s,
		      p->flat_code != NULL && !has_lines ? p->flat_code
							 : p->codes.list[0],
		      p->stack != NULL);
}

bool pattern_matches(struct pattern *p, struct span text,
		     struct search_cost *cost)
{
	if (text.ptr == NULL)
		text.ptr = "";
	bool must_look = p->flat_code != NULL || p->is_anchored;
	bool has_lines = must_look && memchr(text.ptr, '\n', text.len) != NULL;
	const struct search s = {
		.pattern = p,
		.text = text,
		.subject = text,
		.size.bytes = text.len,
		.size.starts = p->is_anchored && !has_lines ? 1 : text.len + 1,
		.size.codes = 1,
		.cost = cost,
	};
	/* Without a byte beyond ASCII, bytes and characters are the same. */
	bool has_wide = p->is_utf || p->wide.count > 0;
	int rc = has_wide && !is_ascii(text)
			 ? search_characters(&s,
					     p->is_utf ? &p->codes : &p->wide)
			 : search_bytes(&s, has_lines);
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
