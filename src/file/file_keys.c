/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_keys.h"

#include <stddef.h>
#include <string.h>

#include "conf/conf.h"

/* One that is on asks for what is not there. */
static bool read_switch(struct conf_section *s, const char *key,
			const char *instead, struct err *e)
{
	bool is_on = false;
	if (!conf_get_bool(s, key, &is_on, e))
		return false;
	return !is_on ||
	       conf_err_key(s, key, e, "there is no %s here; %s", key, instead);
}

/* Fluent Bit 5 reads a $ as a field of the record, and then wants a
 * fallback_file; to 1.8 it is a $. */
static bool check_dynamic(struct conf_section *s, const struct file_keys *keys,
			  struct err *e)
{
	static const char why[] = "the path is not made of a record's fields";
	const char *fallback = NULL;
	if (!conf_get_text(s, "fallback_file", &fallback, e))
		return false;
	bool is_dynamic =
		(keys->path != NULL && strchr(keys->path, '$') != NULL) ||
		(keys->file != NULL && strchr(keys->file, '$') != NULL);
	if (fallback != NULL && is_dynamic)
		return conf_err_key(s, "fallback_file", e,
				    "Path and File take no fields of the "
				    "record; without File the tag is the "
				    "name, and rewrite_tag makes it");
	conf_ignore(s, "fallback_*", why);
	conf_ignore(s, "on_missing_field", why);
	conf_ignore(s, "on_limit_reached", why);
	conf_ignore(s, "max_dynamic_files", why);
	return true;
}

bool file_keys_read(struct conf_section *s, struct file_keys *keys,
		    struct err *e)
{
	static const char *const tag_paths[] = {"verbatim", "sanitized", NULL};
	size_t tag_path = 0;
	*keys = (struct file_keys){.mkdir = true};
	if (!conf_get_text(s, "Path", &keys->path, e) ||
	    !conf_get_text(s, "File", &keys->file, e) ||
	    !conf_get_choice(s, "Tag_Path", tag_paths, &tag_path, e) ||
	    !conf_get_bool(s, "Mkdir", &keys->mkdir, e) ||
	    !conf_get_bool(s, "Follow_Symlinks", &keys->follow_symlinks, e))
		return false;
	keys->is_sanitized = tag_path == 1;
	conf_ignore(s, "rotate_*", "nothing is rotated");
	return read_switch(s, "rotate", "logrotate needs no signal", e) &&
	       read_switch(s, "enable_strftime",
			   "a lua filter can make a tag of the time", e) &&
	       check_dynamic(s, keys, e);
}
