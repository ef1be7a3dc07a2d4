/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_block.h"

#include "base/clock.h"
#include "file/append_file.h"
#include "file/held_files.h"
#include "file/output_file.h"

void file_block_begin_flush(struct file_env *env, int64_t now_ns)
{
	struct file_block *b = &env->block;
	int64_t passed_ns = now_ns - b->flush_ns;
	b->used_ns += b->is_used ? passed_ns : -passed_ns / BUSY_REGAIN;
	if (b->used_ns < 0)
		b->used_ns = 0;
	if (b->used_ns > BUSY_BLOCK_S * NS_PER_S)
		b->used_ns = BUSY_BLOCK_S * NS_PER_S;
	b->flush_ns = now_ns;
	b->is_used = false;
}

bool file_block_has_time(const struct file_env *env)
{
	return env->block.used_ns < BUSY_BLOCK_S * NS_PER_S;
}

bool file_block_can_spill(const struct output_file *o)
{
	return (o->env->has_others || o->lines.len == 0) &&
	       held_files_can_spill(o);
}

bool file_block_must(struct output_file *o)
{
	bool by_busy = o->is_busy && !held_files_can_spill(o);
	if (by_busy)
		o->env->block.is_used = true;
	return by_busy || (o->is_disk && !file_block_can_spill(o));
}
