#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the end-to-end tests, and the tests of the benchmark's own tools.
#
# A file's output is shown only if it fails.  Most tests wait more than they
# work, and each pytest process has its own network and directories, so the
# files run side by side, three for each processor.  Files that use all
# processors by themselves run alone.  At the end the ten slowest tests are
# listed.
#
# test/e2e/run.sh PYTHON [OPTION OF PYTEST...]
# SEED   repeats the random choices of an earlier run
# SAN    the sanitizers that the binary was built with
set -u
cd "$(dirname "$0")/../.." || exit 1
alone='test/e2e/test_compat.py test/e2e/test_pipelines.py'
# The longest files start first, so that no long file runs alone at the end.
first='crash disk_faults shutdown watchdog supervisor spill_kill two_writers'
first="$first slow_clients reload_journal journal_file documents reload_hang main_job"
first="$first quarantine config_errors"

SEED=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
export SEED
results=$(mktemp)
times=$(mktemp)
trap 'rm -f "$results" "$times"' EXIT

# Run the files named on standard input, $1 at the same time.
run() {
	jobs=$1
	shift
	RESULTS=$results TIMES=$times xargs -P "$jobs" -I '{}' sh -c '
		file=$1
		shift
		out=$("$@" "$file" 2>&1)
		code=$?
		printf "%s\n" "$out" |
			grep -E "^ *[0-9.]+s (call|setup|teardown) " >>"$TIMES"
		result="$file: $(printf "%s\n" "$out" | tail -n 1)"
		case $code in
		0 | 5) # 5: -k selects no test of this file
			echo "$result" ;;
		*)
			printf "%s\nFAILED: %s\n" "$out" "$file"
			result="$result, FAILED" ;;
		esac
		echo "$result" >>"$RESULTS"' run '{}' "$@"
}
# The sum of one figure that the files report: passed, failed, error, skipped.
count() {
	grep -o "[0-9]* $1" "$results" | awk '{ n += $1 } END { print n + 0 }'
}
side_by_side() {
	for name in $first; do echo "test/e2e/test_$name.py"; done
	for file in test/e2e/test_*.py; do
		name=${file##*/test_} name=${name%.py}
		case " $alone " in *" $file "*) continue ;; esac
		case " $first " in *" $name "*) continue ;; esac
		echo "$file"
	done
	# A sanitizer adds nothing to the tests of the benchmark's tools.
	[ -n "${SAN:-}" ] || printf '%s\n' test/bench/test_*.py
}

python=$1
shift
set -- "$python" -m pytest -p no:cacheprovider --durations=10 \
	--durations-min=1 "$@"
# shellcheck disable=SC2086
printf '%s\n' $alone | run 1 "$@"
side_by_side | run "$((3 * $(nproc)))" "$@"
grep 'FAILED$' "$results"
echo "e2e: the ten slowest tests"
sort -rn "$times" | head -n 10
echo "e2e: $(count passed) passed, $(($(count failed) + $(count error)))" \
	"failed, $(count skipped) skipped (SEED=$SEED)"
! grep -q 'FAILED$' "$results"
