/* SPDX-License-Identifier: Apache-2.0 */
#include "file/file_keys.h"

#include <stddef.h>
#include <string.h>

#include "conf/conf.h"

#define NO_FIELDS "sluiced reads $key in Path and File as text, not as a field"

const struct conf_key_spec file_keys_table[] = {
	{"Path", CONF_PATH,
	 .help = "The directory below which the files are. A symbolic link "
		 "that leads out of it is followed only with "
		 "Follow_Symlinks on."},
	{"File", CONF_TEXT, .default_text = "the tag",
	 .help = "The file, below Path if Path is set. Without File, the tag "
		 "is used in its place."},
	{"Tag_Path", CONF_CHOICE, .default_text = "verbatim",
	 .help = "How a tag becomes a file name: verbatim, or sanitized, which "
		 "replaces characters that are unusual in names."},
	{"Mkdir", CONF_BOOL, .default_text = "on",
	 .help = "Create missing directories."},
	{"Follow_Symlinks", CONF_BOOL, .default_text = "off",
	 .help = "Follow symbolic links that lead out of Path or, without "
		 "Path, out of the directory of File or out of the fixed "
		 "directory at a tag's start."},
	{"rotate", CONF_BOOL, .default_text = "off",
	 .help = "Only off is supported. Use logrotate; sluiced needs no "
		 "signal."},
	{"enable_strftime", CONF_BOOL, .default_text = "off",
	 .help = "Only off is supported. Let a Lua hook put the date into the "
		 "tag."},
	{"rotate_*", .ignored = "sluiced does not rotate files"},
	{"fallback_*", .ignored = NO_FIELDS},
	{"on_missing_field", .ignored = NO_FIELDS},
	{"on_limit_reached", .ignored = NO_FIELDS},
	{"max_dynamic_files", .ignored = NO_FIELDS},
	{.name = NULL},
};

/* A switch of Fluent Bit that sluiced does not support: on is an error. */
static bool read_switch(struct conf_section *s, const char *key,
			const char *instead, struct err *e)
{
	bool is_on = false;
	if (!conf_get_bool(s, key, &is_on, e))
		return false;
	return !is_on ||
	       conf_err_key(s, key, e, "%s is not supported; %s", key, instead);
}

/* Fluent Bit 5 reads $key in a path as a field of the record and then requires
 * fallback_file.  Fluent Bit 1.8 reads it as text, and so does sluiced. */
static bool check_dynamic(struct conf_section *s, const struct file_keys *keys,
			  struct err *e)
{
	const char *fallback = NULL;
	if (!conf_get_text(s, "fallback_file", &fallback, e))
		return false;
	bool is_dynamic =
		(keys->path != NULL && strchr(keys->path, '$') != NULL) ||
		(keys->file != NULL && strchr(keys->file, '$') != NULL);
	if (fallback != NULL && is_dynamic)
		return conf_err_key(s, "fallback_file", e,
				    "Path and File cannot contain fields; "
				    "leave out File, so that the tag is the "
				    "name, and make the tag with rewrite_tag");
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
	    (keys->file != NULL &&
	     !conf_refuse_unused(s, "Tag_Path", "an output with File",
				 "the tag is not part of the path", e)) ||
	    !conf_get_choice(s, "Tag_Path", tag_paths, &tag_path, e) ||
	    !conf_get_bool(s, "Mkdir", &keys->mkdir, e) ||
	    !conf_get_bool(s, "Follow_Symlinks", &keys->follow_symlinks, e))
		return false;
	keys->is_sanitized = tag_path == 1;
	return read_switch(s, "rotate",
			   "use logrotate, which need not signal sluiced", e) &&
	       read_switch(s, "enable_strftime",
			   "let a lua filter put the date into the tag", e) &&
	       check_dynamic(s, keys, e);
}
