#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the unit test programs in parallel.  The output of a program is shown only
# if it fails.
#
#     test/unit/run.sh PROGRAM...
set -u
failures=$(mktemp)
trap 'rm -f "$failures"' EXIT
printf '%s\n' "$@" | FAILURES=$failures xargs -P "$(nproc)" -n 1 sh -c '
	out=$("$1" 2>&1) && exit
	echo "$1" >>"$FAILURES"
	printf "%s\nFAILED: %s\n" "$out" "$1"' run
failed=$(wc -l <"$failures")
echo "unit: $(($# - failed)) passed, $failed failed"
[ "$failed" = 0 ]
