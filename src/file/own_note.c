/* SPDX-License-Identifier: Apache-2.0 */
#include "file/own_note.h"

#include "file/append_file.h"

static bool may_be_ours(const struct file_env *env, const struct append_note *n)
{
	return n->sink == env->sink ||
	       (env->has_sink != NULL && !env->has_sink(env->router, n->sink));
}

const struct append_note *own_note_next(const struct file_env *env,
					const struct append_note *note)
{
	const struct append_notes *notes = env->notes;
	if (notes == NULL)
		return NULL;
	while ((note = notes->next(notes->data, note)) != NULL)
		if (may_be_ours(env, note))
			return note;
	return NULL;
}

const struct append_note *own_note_better(const struct file_env *env,
					  const struct append_note *earlier,
					  const struct append_note *later)
{
	bool is_earlier = earlier != NULL && earlier->sink == env->sink &&
			  later->sink != env->sink;
	return is_earlier ? earlier : later;
}

void own_note_claim(const struct file_env *env, const struct append_note *n)
{
	if (n != NULL && env->notes->claim != NULL)
		env->notes->claim(env->notes->data, n);
}

static bool is_of(const struct append_note *n, const struct append_file *f)
{
	return n->device == f->device && n->inode == f->inode &&
	       (n->path_hash == f->path_hash || n->path_hash == 0);
}

const struct append_note *own_note_last(const struct append_file *f,
					enum append_kind kind)
{
	const struct append_note *n = NULL, *last = NULL;
	while ((n = own_note_next(f->env, n)) != NULL)
		if (n->kind == (uint16_t)kind && is_of(n, f))
			last = own_note_better(f->env, last, n);
	own_note_claim(f->env, last);
	return last;
}

bool own_note_tore(const struct append_file *f)
{
	const struct append_note *n = NULL;
	while ((n = own_note_next(f->env, n)) != NULL)
		if (is_of(n, f) &&
		    (f->size_bytes == n->offset_bytes ||
		     f->size_bytes == n->offset_bytes + n->length_bytes))
			return true;
	return false;
}
