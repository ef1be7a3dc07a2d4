#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run replay programs on the stored inputs of their targets.  The output of a
# program is shown only if it fails; the last file that it names caused the
# failure.
#
#     test/fuzz/replay.sh PROGRAM...
set -u
inputs=0 failed=0
for program in "$@"; do
	target=${program##*/}
	set -- test/fuzz/*/"$target"/*
	if [ ! -e "$1" ]; then
		echo "FAILED: test/fuzz/corpus/$target has no files"
		failed=$((failed + 1))
	elif out=$("$program" "$@" 2>&1); then
		inputs=$((inputs + $#))
	else
		printf '%s\n' "$out"
		echo "FAILED: $program"
		failed=$((failed + 1))
	fi
done
echo "fuzz: $inputs inputs replayed, $failed targets failed"
[ "$failed" = 0 ]
