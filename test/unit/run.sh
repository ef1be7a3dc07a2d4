#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the unit test programs; their output only when one fails.
set -u
passed=0 failed=0
for t in "$@"; do
	if out=$("$t" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf '%s\n' "$out"
		echo "FAILED: $t"
	fi
done
echo "unit: $passed passed, $failed failed"
[ "$failed" = 0 ]
