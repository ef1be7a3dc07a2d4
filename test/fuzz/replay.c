/* SPDX-License-Identifier: Apache-2.0 */
/* Run a fuzz target on each of the named files, with any compiler and without
 * libFuzzer, so that a bug that was found once does not come back. */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static bool read_file(const char *path, struct buf *bytes)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	size_t n;
	do {
		n = fread(buf_reserve(bytes, 4096), 1, 4096, file);
		bytes->len += n;
	} while (n > 0);
	bool is_good = ferror(file) == 0;
	fclose(file);
	return is_good;
}

/* An exact copy, so that the sanitizers notice a read past its end. */
static void run(struct span bytes)
{
	char *copy = mem_grow(NULL, bytes.len, 1);
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	LLVMFuzzerTestOneInput((const uint8_t *)copy, bytes.len);
	free(copy);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct buf bytes = {0};
		fprintf(stderr, "%s\n",
			argv[i]); /* the last one printed failed */
		if (!read_file(argv[i], &bytes))
			return 1;
		run(buf_span(&bytes));
		buf_fini(&bytes);
	}
	return 0;
}
