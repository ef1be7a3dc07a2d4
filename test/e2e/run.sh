#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the end-to-end tests; a file's output only when it fails.  Most files
# wait more than they work, and each session has its own network and rooms:
# they run side by side, one more than there are processors.  Those that load
# the machine, or measure it, run alone.
# test/e2e/run.sh PYTHON [PYTEST'S OPTION...]
set -u
cd "$(dirname "$0")/../.." || exit 1
alone='burst compat pipelines'
# The longest first, so that none is left over at the end.
first='crash disk_faults shutdown journal_file supervisor two_writers'

failures=$(mktemp)
trap 'rm -f "$failures"' EXIT
# The files named on standard input, so many at once.
run() {
	jobs=$1
	shift
	FAILURES=$failures xargs -P "$jobs" -I '{}' sh -c '
		file=test/e2e/test_$1.py
		shift
		out=$("$@" "$file" 2>&1)
		case $? in
		0 | 5) # 5: -k leaves nothing of it
			echo "$file: $(printf "%s\n" "$out" | tail -n 1)" ;;
		*)
			echo "$file" >>"$FAILURES"
			printf "%s\nFAILED: %s\n" "$out" "$file" ;;
		esac' run '{}' "$@"
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
{ printf '%s\n' $first; others; } | run "$(($(nproc) + 1))" "$@"
failed=$(wc -l <"$failures")
echo "e2e: $failed files failed"
[ "$failed" = 0 ]
