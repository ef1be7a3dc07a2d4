#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the end-to-end tests; a file's output only when it fails.  Most files
# wait more than they work, and each session has its own network and rooms:
# they run side by side, as many as there are processors.  Those that load the
# machine, or measure it, run alone.
# test/e2e/run.sh PYTHON [PYTEST'S OPTION...]
set -u
cd "$(dirname "$0")/../.." || exit 1
alone='burst compat pipelines'
# The longest first, so that none is left over at the end.
first='crash disk_faults shutdown journal_file supervisor two_writers'

results=$(mktemp)
trap 'rm -f "$results"' EXIT
# The files named on standard input, so many at once.
run() {
	jobs=$1
	shift
	RESULTS=$results xargs -P "$jobs" -I '{}' sh -c '
		file=test/e2e/test_$1.py
		shift
		out=$("$@" "$file" 2>&1)
		code=$?
		result="$file: $(printf "%s\n" "$out" | tail -n 1)"
		case $code in
		0 | 5) # 5: -k leaves nothing of it
			echo "$result" ;;
		*)
			printf "%s\nFAILED: %s\n" "$out" "$file"
			result="$result, FAILED" ;;
		esac
		echo "$result" >>"$RESULTS"' run '{}' "$@"
}
# How many of its tests the files say that they passed, say.
count() {
	grep -o "[0-9]* $1" "$results" | awk '{ n += $1 } END { print n + 0 }'
}
# Every file of the directory, less those named.
others() {
	for file in test/e2e/test_*.py; do
		name=${file##*/test_} name=${name%.py}
		case " $alone $first " in
		*" $name "*) ;;
		*) echo "$name" ;;
		esac
	done
}

python=$1
shift
set -- "$python" -m pytest -p no:cacheprovider "$@"
# shellcheck disable=SC2086
printf '%s\n' $alone | run 1 "$@"
# shellcheck disable=SC2086
{ printf '%s\n' $first; others; } | run "$(nproc)" "$@"
grep 'FAILED$' "$results"
echo "e2e: $(count passed) passed, $(($(count failed) + $(count error))) failed," \
	"$(count skipped) skipped"
! grep -q 'FAILED$' "$results"
