#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run fuzz targets under libFuzzer, starting with the stored inputs.  An input
# that fails is left in DIR; commit it to test/fuzz/regress/TARGET together with
# the fix.
#
#     test/fuzz/fuzz.sh SECONDS DIR TARGET...
set -u
seconds=$1 dir=$2 failed=0
shift 2
for target in "$@"; do
	new=$dir/corpus/$target
	log=$dir/$target.log
	mkdir -p "$new"
	if "$dir/fuzzer/$target" -max_total_time="$seconds" -timeout=10 \
		-artifact_prefix="$dir/$target-" \
		"$new" test/fuzz/*/"$target" >"$log" 2>&1; then
		echo "fuzz: $target $(sed -n 's/^Done/done/p' "$log")"
	else
		tail -n 60 "$log"
		echo "FAILED: $target, see $log"
		failed=1
	fi
done
exit "$failed"
