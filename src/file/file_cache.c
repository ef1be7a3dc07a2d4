/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

enum { BUCKET_COUNT = 1024 };

struct file_cache {
	struct file_env *env;
	struct cached_file *last;	      /* the last one found, or NULL */
	struct cached_file heads[FILE_LISTS]; /* of the rings */
	size_t resting_count;
	size_t resting_max;
	uint64_t seed; /* random */
	struct cached_file *buckets[BUCKET_COUNT];
};

/* Clients can choose names.  They do not know the seed, so they cannot choose
 * names that share a bucket. */
static uint64_t hash_of(const struct file_cache *c, struct span name)
{
	return XXH3_64bits_withSeed(name.ptr, name.len, c->seed);
}

static void list_init(struct cached_file *head)
{
	head->prev = head->next = head;
}

static void list_remove(struct cached_file *f)
{
	f->prev->next = f->next;
	f->next->prev = f->prev;
}

static void list_append(struct cached_file *head, struct cached_file *f)
{
	f->prev = head->prev;
	f->next = head;
	head->prev->next = f;
	head->prev = f;
}

static void forget(struct file_cache *c, struct cached_file *f)
{
	struct cached_file **at = &c->buckets[f->hash % BUCKET_COUNT];
	while (*at != f)
		at = &(*at)->bucket_next;
	*at = f->bucket_next;
	if (c->last == f)
		c->last = NULL;
	list_remove(f);
	output_file_free(f->output_file);
	free(f);
}

static void forget_first_resting(struct file_cache *c)
{
	forget(c, c->heads[FILES_RESTING].next);
	c->resting_count--;
}

static void move(struct file_cache *c, struct cached_file *f,
		 enum file_list list)
{
	c->resting_count -= f->list == FILES_RESTING;
	c->resting_count += list == FILES_RESTING;
	f->list = list;
	list_remove(f);
	list_append(&c->heads[list], f);
}

struct file_cache *file_cache_new(struct file_env *env, size_t resting_max)
{
	struct file_cache *c = mem_new(1, sizeof *c);
	c->env = env;
	c->resting_max = resting_max;
	CHECK(getrandom(&c->seed, sizeof c->seed, 0) == sizeof c->seed);
	for (int i = 0; i < FILE_LISTS; i++)
		list_init(&c->heads[i]);
	return c;
}

void file_cache_free(struct file_cache *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < FILE_LISTS; i++)
		while (c->heads[i].next != &c->heads[i])
			forget(c, c->heads[i].next);
	free(c);
}

struct cached_file *file_cache_find(struct file_cache *c, struct span name)
{
	if (c->last != NULL && span_equals(c->last->name, name))
		return c->last;
	uint64_t hash = hash_of(c, name);
	struct cached_file *f = c->buckets[hash % BUCKET_COUNT];
	while (f != NULL && !(f->hash == hash && span_equals(f->name, name)))
		f = f->bucket_next;
	if (f != NULL)
		c->last = f;
	return f;
}

struct cached_file *file_cache_add(struct file_cache *c, const char *path,
				   size_t name_len)
{
	struct cached_file *f = mem_new(1, sizeof *f);
	f->output_file = output_file_new(path, c->env);
	const char *end = f->output_file->path + strlen(path);
	f->name = span_make(end - name_len, name_len);
	f->hash = hash_of(c, f->name);
	struct cached_file **bucket = &c->buckets[f->hash % BUCKET_COUNT];
	f->bucket_next = *bucket;
	*bucket = f;
	f->list = FILES_BATCH;
	list_append(&c->heads[FILES_BATCH], f);
	c->last = f;
	return f;
}

void file_cache_wait(struct file_cache *c, struct cached_file *f)
{
	if (f->list != FILES_BATCH)
		move(c, f, FILES_BATCH);
}

void file_cache_hold(struct file_cache *c, struct cached_file *f)
{
	move(c, f, FILES_HELD);
}

void file_cache_rest(struct file_cache *c, struct cached_file *f,
		     int64_t now_ns)
{
	CHECK(f->list != FILES_RESTING);
	f->used_ns = now_ns;
	move(c, f, FILES_RESTING);
	if (c->resting_count > c->resting_max)
		forget_first_resting(c);
}

void file_cache_tidy(struct file_cache *c, int64_t now_ns)
{
	while (c->resting_count > 0 &&
	       now_ns - c->heads[FILES_RESTING].next->used_ns >
		       FILE_IDLE_S * NS_PER_S)
		forget_first_resting(c);
}

struct cached_file *file_cache_next(struct file_cache *c, enum file_list list,
				    const struct cached_file *after)
{
	struct cached_file *head = &c->heads[list];
	struct cached_file *f = after != NULL ? after->next : head->next;
	return f != head ? f : NULL;
}

struct cached_file *file_cache_held_before(struct file_cache *c,
					   const struct cached_file *f)
{
	return f->prev != &c->heads[FILES_HELD] ? f->prev : NULL;
}

struct cached_file *file_cache_last_held(struct file_cache *c)
{
	return file_cache_held_before(c, &c->heads[FILES_HELD]);
}

struct cached_file *file_cache_waiting(struct file_cache *c,
				       const struct cached_file *after)
{
	enum file_list list = after != NULL ? after->list : FILES_BATCH;
	struct cached_file *f = file_cache_next(c, list, after);
	if (f == NULL && list == FILES_BATCH)
		f = file_cache_next(c, FILES_HELD, NULL);
	return f;
}

void file_cache_each(struct file_cache *c, void (*call)(struct output_file *))
{
	struct cached_file *f = NULL;
	for (enum file_list list = 0; list < FILE_LISTS; list++)
		while ((f = file_cache_next(c, list, f)) != NULL)
			call(f->output_file);
}
