#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The laws of the tree that a compiler does not check.  Each rule prints what
# it finds; the tree is clean when nothing was printed.
# test/lint/lint.sh COMPILER FLAGS
set -u
cc=$1 flags=$2
cd "$(dirname "$0")/../.." || exit 1
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT

# All that includes is written in one form, so that the rules below see it:
# from column 0, one blank, a folder and a name; no "..", no path of its own.
includes_have_one_form() {
	grep -rnE '^[[:space:]]*(#|%:|\?\?=)[[:space:]]*(include|import|\\$|/)' \
		src --include='*.[ch]' |
		grep -vE ':#include (<[a-z0-9_/]+\.h>|"[a-z]+/[a-z0-9_]+\.h")$' |
		sed 's/$/   <- not #include "folder\/name.h" or <name.h>/'
}

# The quoted includes of a file.
includes() {
	sed -n 's/^#include "\(.*\)"$/\1/p' "$1"
}

# A folder includes only what src/layers.txt allows.
layers_hold() {
	find src -name '*.[ch]' | while read -r file; do
		layer=${file#src/} layer=${layer%%/*} layer=${layer%.c}
		if ! grep -q "^$layer:" src/layers.txt; then
			echo "$file: $layer is not in src/layers.txt"
			continue
		fi
		allowed=$(sed -n "s/^$layer:[[:space:]]*//p" src/layers.txt)
		for header in $(includes "$file"); do
			case " $allowed $layer " in
			*" ${header%%/*} "*) ;;
			*) echo "$file: $layer may not include $header" ;;
			esac
		done
	done
}

# Each line names what it needs: "from to", for tsort.
folder_edges() {
	sed -n 's/^\([a-z]*\):/\1/p' src/layers.txt | while read -r from all; do
		for to in $all; do echo "$from $to"; done
	done
}
header_edges() {
	for header in src/*/*.h; do
		includes "$header" | sed "s,^,${header#src/} ,"
	done
}
no_circles() {
	folder_edges | tsort 2>&1 >/dev/null | sed 's/^/src\/layers.txt: /'
	header_edges | tsort 2>&1 >/dev/null | sed 's/^/headers: /'
}

own_header_comes_first() {
	for source in src/*/*.c; do
		own=${source#src/} own=${own%.c}.h
		[ -e "src/$own" ] || continue
		[ "$(includes "$source" | head -n 1)" = "$own" ] ||
			echo "$source: its own header comes first"
	done
}

# Each header compiles alone.
headers_compile() {
	for header in src/*/*.h; do echo "$header"; done |
		xargs -P "$(nproc)" -I '{}' sh -c '
		echo "#include \"$(echo {} | sed s,^src/,,)\"" |
			$1 $2 -fsyntax-only -x c - 2>&1 ||
			echo "{}: does not compile alone"' sh "$cc" "$flags"
}

# No mutable state but in base/log.c, at file scope or in a function: what the
# compiler puts into .data or .bss (tables of const are in .data.rel.ro).
no_mutable_state() {
	for source in src/*.c src/*/*.c; do
		[ "$source" = src/base/log.c ] || echo "$source"
	done | xargs -P "$(nproc)" -I '{}' sh -c '
		mkdir -p "$1/$(dirname {})" &&
			$2 $3 -DSLUICED_VERSION=\"\" -O0 -w -c -o "$1/{}.o" {}
		' sh "$objects" "$cc" "$flags" 2>&1
	(cd "$objects" && find src -name '*.o' | xargs nm -A -f sysv) | sed -nE \
		"s,^(.*)\.o:([^ |]+) *\|.*\|(\.t?(data|bss)|\*COM\*)$,\1: \2 is mutable state,p"
}

# What has a better way; a note without an issue.
banned_words() {
	grep -rnE '\<(strcpy|strcat|v?sprintf|strtok|ato[ilf]|gets|alloca)[[:space:]]*\(' \
		src --include='*.[ch]' | sed 's/$/   <- banned function/'
	grep -rnE 'TODO|FIXME|XXX' src lua conf deploy |
		sed 's/$/   <- a note without an issue/'
}

# Every source has its licence line; files stay rooms.
files_are_well_kept() {
	find src test -name '*.[ch]' -o -name '*.py' -o -name '*.sh' |
		while read -r file; do
			grep -q 'SPDX-License-Identifier: Apache-2.0' "$file" ||
				echo "$file: no SPDX line"
		done
	find src -name '*.[ch]' | while read -r file; do
		[ "$(wc -l <"$file")" -le 600 ] || echo "$file: over 600 lines"
	done
}

is_formatted() {
	command -v clang-format >/dev/null || return 0
	find src test -name '*.[ch]' -exec clang-format --dry-run -Werror {} + 2>&1 |
		grep 'error:' | sed 's/$/   <- make format/'
}

findings=$(
	includes_have_one_form
	layers_hold
	no_circles
	own_header_comes_first
	headers_compile
	no_mutable_state
	banned_words
	files_are_well_kept
	is_formatted
)
if [ -n "$findings" ]; then
	printf '%s\n' "$findings" | sed 's/^/lint: /' >&2
	exit 1
fi
echo "lint: clean"
