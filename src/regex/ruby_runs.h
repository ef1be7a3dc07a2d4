/* SPDX-License-Identifier: Apache-2.0 */
/* ruby_runs - finds regular expressions that would split a character if they
 * matched bytes.
 *
 * A run is a greedy repetition without bound of an atom that matches all bytes
 * beyond ASCII, such as [^ ]* or .+.  In valid UTF-8, a run ends within a
 * character only if backtracking shortens it, byte by byte.  If what follows
 * the run then cannot begin within a character, the match fails there, as it
 * should.  ASCII characters and anchors cannot begin there; only a run can:
 *     ([^ ]*) "([^"]*)"    matching bytes is correct
 *     (.*)([^/]+)          splits a character: [^/]+ may begin within it
 *     ([^,]*,?){3}         splits: the repeated group may begin within it
 *     ([^ ]+)(.*)          correct: .* cannot fail, so there is no backtracking
 *     ([^ ]+)(.*)$         splits
 * This file is a part of ruby_regex. */
#ifndef REGEX_RUBY_RUNS_H
#define REGEX_RUBY_RUNS_H

#include <stdbool.h>

enum { RUBY_DEPTH_MAX = 200 }; /* of groups; 0 is the whole expression */

/* A position in the expression. */
struct ruby_place {
	unsigned opens;	  /* groups of this depth and deeper may begin here */
	bool follows_run; /* directly, or after optional items */
	bool is_suspect;  /* a failure from here on may shorten two runs that
			     follow each other */
	bool splits;	  /* an item that can fail follows a suspect one */
};

struct ruby_run_group {
	struct ruby_place entry;
	struct ruby_place branch; /* where the next | continues */
	struct ruby_place exit;	  /* the ends of the branches so far */
	bool begins_with_run;	  /* perhaps after optional items */
	bool has_suspect;	  /* two runs in it follow each other */
	bool has_begin;		  /* ^ or \A is in it */
	bool is_lookaround, is_atomic;
};

struct ruby_runs {
	struct ruby_place now;
	bool has_run, has_reference;
	/* the last item, which a quantifier would repeat: */
	struct ruby_place before;
	bool begins_with_run, has_suspect, has_begin;
	bool is_run; /* a run without its quantifier */
	unsigned depth;
	struct ruby_run_group groups[RUBY_DEPTH_MAX];
};

/* The start of an expression. */
void ruby_runs_init(struct ruby_runs *);

/* An item begins: an anchor, a character or a class.  If it turns out to be the
 * atom of a run, call ruby_runs_run, too, before ruby_runs_repeat. */
void ruby_runs_item(struct ruby_runs *);
void ruby_runs_run(struct ruby_runs *);

/* The last item has a quantifier, which begins with ? * + or {.  is_optional:
 * the item may be left out. */
void ruby_runs_repeat(struct ruby_runs *, char quantifier, bool is_optional);

/* The last item is ^ or \A, which cannot hold within a character. */
void ruby_runs_note_begin(struct ruby_runs *);

/* The last item matches only in the first way that it finds.  If ^ is in it,
 * the first way within a character may be another one than before it. */
void ruby_runs_make_atomic(struct ruby_runs *);

/* A group begins, with '=', '!', '<' or '>' after "(?", or another one.  The
 * depth must not reach RUBY_DEPTH_MAX. */
void ruby_runs_open(struct ruby_runs *, char kind);

/* "(?i)" begins a group that ends with the surrounding one: the | after it
 * belongs to it. */
void ruby_runs_open_options(struct ruby_runs *);

/* The characters | and ) */
void ruby_runs_next_branch(struct ruby_runs *);
void ruby_runs_close(struct ruby_runs *);

/* The expression has a part whose effect is not examined: a reference to a
 * group, \K; also a negative lookahead, a lookbehind, an atomic item with ^. */
void ruby_runs_note_reference(struct ruby_runs *);

/* Whether the complete expression may split a character. */
bool ruby_runs_split(const struct ruby_runs *);

#endif
