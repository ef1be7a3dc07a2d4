#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Check the rules that the compiler does not check.  Each rule prints its
# findings.  The tree is clean if there is none.
#
#     test/lint/lint.sh COMPILER FLAGS [OBJECTS]
#
# OBJECTS is the directory of a build of this tree without a sanitizer.  Without
# it, lint compiles the sources itself to look for mutable state.
set -u
cc=$1 flags=$2 built=${3:-}
[ -z "$built" ] || built=$(realpath "$built")
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-python3}
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# All includes have the same form, so that the rules below find them: "#" in
# column 1, one blank, and a folder and a name without "..".
includes_have_one_form() {
	grep -rnE '^[[:space:]]*(#|%:|\?\?=)[[:space:]]*(include|import|\\$|/)' \
		src --include='*.[ch]' |
		grep -vE ':#include (<[a-z0-9_/]+\.h>|"[a-z]+/[a-z0-9_]+\.h")$' |
		sed 's/$/   <- not #include "folder\/name.h" or <name.h>/'
}

# Every quoted include of src, as "file header".
quoted_includes() {
	grep -rH '^#include "' src --include='*.[ch]' |
		sed 's/^\([^:]*\):#include "\(.*\)"$/\1 \2/'
}

# A folder includes only what src/layers.txt allows.
layers_hold() {
	find src -name '*.[ch]' | sed 's,^src/,,; s,/.*,,; s,\.c$,,' | sort -u |
		while read -r layer; do
			grep -q "^$layer:" src/layers.txt ||
				echo "src/$layer is not in src/layers.txt"
		done
	quoted_includes | awk '
		NR == FNR && /^[a-z]+:/ {
			from = substr($1, 1, length($1) - 1)
			allowed[from, from] = 1
			for (i = 2; i <= NF; i++) allowed[from, $i] = 1
		}
		NR == FNR { next }
		{
			from = $1; sub("^src/", "", from); sub("/.*", "", from)
			sub("[.]c$", "", from)
			to = $2; sub("/.*", "", to)
			if (!((from, to) in allowed))
				print $1 ": " from " may not include " $2
		}' src/layers.txt -
}

# Dependencies as lines "from to" for tsort, which finds cycles.
folder_edges() {
	sed -n 's/^\([a-z]*\):/\1/p' src/layers.txt | while read -r from all; do
		for to in $all; do echo "$from $to"; done
	done
}
header_edges() {
	quoted_includes | sed -n 's,^src/\([^ ]*\.h\) ,\1 ,p'
}
there_are_no_cycles() {
	folder_edges | tsort 2>&1 >/dev/null | sed 's/^/src\/layers.txt: /'
	header_edges | tsort 2>&1 >/dev/null | sed 's/^/headers: /'
}

own_header_comes_first() {
	quoted_includes | while read -r file header; do
		[ "$file" = "${previous:-}" ] && continue
		previous=$file own=${file#src/} own=${own%.c}.h
		[ "$own" = "$header" ] || [ ! -e "src/$own" ] ||
			[ "${file%.h}" != "$file" ] ||
			echo "$file: its own header must come first"
	done
}

headers_compile_alone() {
	find src -name '*.h' | xargs -P "$(nproc)" -n 8 sh -c '
		cc=$1 flags=$2
		shift 2
		for header; do
			$cc $flags -fsyntax-only -x c "$header" 2>&1 ||
				echo "$header: does not compile alone"
		done' sh "$cc" "$flags"
}

compile_all() {
	find src -name '*.c' | xargs -P "$(nproc)" -I '{}' sh -c '
		mkdir -p "$1/$(dirname {})" && source={} &&
			$2 $3 -DSLUICED_VERSION=\"\" -O0 -w -c \
				-o "$1/${source%.c}.o" {}' \
		sh "$temporary" "$cc" "$flags" 2>&1
}

# There is no mutable state, at file scope or in a function, except in
# base/log.c and base/log_output.c.  The compiler puts mutable state into .data
# or .bss and constant tables into .data.rel.ro.
there_is_no_mutable_state() {
	objects=$built
	[ -n "$objects" ] || { objects=$temporary && compile_all; }
	find src -name '*.c' ! -path 'src/base/log*.c' | sed 's/\.c$/.o/' |
		(cd "$objects" && xargs nm -A -f sysv) | sed -nE \
		"s,^(.*)\.o:([^ |]+) *\|.*\|(\.t?(data|bss)|\*COM\*)$,\1.c: \2 is mutable state,p"
}

there_are_no_banned_words() {
	grep -rnE '\<(strcpy|strcat|v?sprintf|strtok|ato[ilf]|gets|alloca)[[:space:]]*\(' \
		src --include='*.[ch]' | sed 's/$/   <- banned function/'
	grep -rnE 'TODO|FIXME|XXX' src lua conf deploy |
		sed 's/$/   <- unfinished: open an issue instead/'
}

every_source_has_a_licence() {
	find src test -name '*.[ch]' -o -name '*.py' -o -name '*.sh' |
		xargs grep -L 'SPDX-License-Identifier: Apache-2.0' |
		sed 's/$/: no line "SPDX-License-Identifier: Apache-2.0"/'
}

# Limits of size, unique tags, and contracts: see c_rules.py.
c_rules_hold() {
	"$python" test/lint/c_rules.py
}

# A table cell of a document is short: see document_rules.py.
table_cells_are_short() {
	"$python" test/lint/document_rules.py
}

is_formatted() {
	command -v clang-format >/dev/null || return 0
	find src test -name '*.[ch]' | xargs -P "$(nproc)" -n 32 \
		clang-format --dry-run -Werror 2>&1 |
		grep 'error:' | sed 's/$/   <- make format/'
}

findings=$(
	includes_have_one_form
	layers_hold
	there_are_no_cycles
	own_header_comes_first
	headers_compile_alone
	there_is_no_mutable_state
	there_are_no_banned_words
	every_source_has_a_licence
	c_rules_hold
	table_cells_are_short
	is_formatted
)
if [ -n "$findings" ]; then
	printf '%s\n' "$findings" | sed 's/^/lint: /' >&2
	exit 1
fi
echo "lint: clean"
