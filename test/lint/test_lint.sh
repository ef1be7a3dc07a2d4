#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Test lint.sh: it finds nothing in a small tree that follows every rule.  Then
# this script breaks every rule in that tree, and lint.sh must report each
# breach.
#
#     test/lint/test_lint.sh COMPILER FLAGS
set -u
here=$(dirname "$(realpath "$0")")
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir -p "$room/tree/test/lint" "$room/tree/lua" "$room/tree/conf" \
	"$room/tree/deploy" "$room/tree/src/base" "$room/tree/src/conf"
cp "$here/lint.sh" "$here/c_rules.py" "$here/document_rules.py" \
	"$room/tree/test/lint/"
cp "$here/../../.clang-format" "$room/tree/"
cd "$room/tree" || exit 1
printf '%s\n' 'main: base conf' 'base:' 'conf: base' >src/layers.txt

# Create the file $1 with a licence line and the other arguments as lines.
file() {
	path=$1
	shift
	printf '%s\n' '/* SPDX-License-Identifier: Apache-2.0 */' "$@" >"$path"
}

# Create a module: its header and its source.
module() {
	guard=$(echo "$1" | tr / _)
	file "src/$1.h" "#ifndef $guard" "#define $guard" '' '#endif'
	file "src/$1.c" "#include \"$1.h\""
}

# Append lines to a file: FILE PATTERN LINE...  Each line is a breach, and lint
# must report each as FILE:PATTERN.
broken() {
	expected="$1:$2"
	path=$1
	shift 2
	for line in "$@"; do
		echo "$line" >>"$path"
		echo "$expected" >>"$room/expected"
	done
}

# Expect one more breach, which lint must report as the pattern $1.
expect() {
	echo "$1" >>"$room/expected"
}

# Print the text $2 on $1 lines.
lines() {
	yes "$2" | head -n "$1"
}

for name in base/low base/log conf/high conf/left conf/right conf/state \
	conf/order conf/needs conf/words conf/long conf/bare conf/loose \
	conf/size conf/tags conf/contract; do
	module "$name"
done
echo 'int log_level;' >>src/base/log.c
file src/main.c '#include "conf/high.h"'
# A source may reach each limit, and may exceed it with an exception.
file src/conf/size.c '#include "conf/size.h"' '' \
	'int five(int a, int b, int c, int d, int e);' \
	'int f(int (*a)(int, int), int b, int c, int d);' \
	"$(printf '/*\t%s */' "$(lines 69 x | tr -d '\n')")" \
	'int sixty(void)' '{' "$(lines 56 '	;')" '	return 1;' '}' \
	'int sixty_one(void)' '{' "$(lines 57 '	;')" '	return 1;' '}' \
	'int six(int a, int b, int c, int d, int e, int f)' '{' '	return a;' '}'
file src/conf/tags.c '#include "conf/tags.h"' '' 'struct one {' '	int i;' \
	'};' '' 'static const struct one *use(const struct one *one)' '{' \
	'	return one;' '}'
file src/conf/contract.h '#ifndef contract' '#define contract' '' \
	'/* What it does. */' 'int explained(void);' 'int grouped(int a,' \
	'	    int b);' '' '#endif'
printf '%s\n' '# A comment.' 'function src/conf/size.c:sixty_one 61 a test' \
	'parameters src/conf/size.c:six 6 a test' >test/lint/exceptions.txt
# Code and an escaped bar are part of a cell; a block of code has no cells.
fourteen='1 2 3 4 5 6 7 8 9 10 11 12 13 14'
printf '%s\n' "| $fourteen \`a b\` | $fourteen \`\` a \` b \`\` |" \
	'|---|---|' "| $fourteen \`a \\| b\` | $fourteen<br>15 |" '' \
	"Prose: $fourteen 15 16" '' '```' "| $fourteen 15 16 |" '```' >README.md
for document in src/README.md conf/keys.md deploy/README.md; do
	cp README.md "$document"
done
! command -v clang-format >/dev/null || clang-format -i src/*.c src/*/*.[ch]
if ! test/lint/lint.sh "$1" "$2" >/dev/null; then
	echo "FAILED: lint reports a clean tree"
	exit 1
fi

# Includes.
broken src/base/low.c '.*base may not include conf/high.h' \
	'#include "conf/high.h"'
broken src/base/low.h '.*base may not include conf/high.h' \
	'#include "conf/high.h"'
broken src/base/log.c '.*<- not #include' \
	'#  include "conf/high.h"' '#	include "conf/high.h"' \
	' #include "conf/high.h"' '#include  "conf/high.h"' \
	'#include"conf/high.h"' '#include "conf/high.h" /* why */' \
	'#include "base/../conf/high.h"' '#include "../conf/high.h"' \
	'#include <../conf/high.h>' '#include "/conf/high.h"' \
	'#include "low.h"' '# /**/ include "conf/high.h"' \
	'#import "conf/high.h"' '%:include "conf/high.h"'
mkdir src/new
module new/one
expect 'src/new is not in src/layers.txt'
broken src/layers.txt '.*loop' 'up: down
down: up'
sed -i '3a #include "conf/right.h"' src/conf/left.h
sed -i '3a #include "conf/left.h"' src/conf/right.h
expect 'headers: .*loop'
file src/conf/order.c
broken src/conf/order.c ' its own header must come first' \
	'#include "base/low.h"
#include "conf/order.h"'
broken src/conf/needs.h ' does not compile alone' '/* What. */
size_t f(void);'

# State.
broken src/conf/state.c ' [a-z.0-9]+ is mutable state' \
	'int a;' 'int b = 1;' 'struct { int i; } c = {.i = 1};' \
	'const char *d[2];' '_Thread_local int e;' 'int (*f)(void);' \
	'static int g; int h(void); int h(void) { return g++; }' \
	'int i(void);  int i(void) { static int n; return n++; }'
broken src/main.c ' count is mutable state' 'int count;'

# Words.
broken src/conf/words.c '.*<- banned function' '/* strcpy(x) */' \
	'/* strcat(x) */' '/* sprintf(x) */' '/* vsprintf(x) */' \
	'/* strtok(x) */' '/* atoi(x) */' '/* alloca (x) */'
broken lua/hook.lua '.*<- unfinished: open an issue instead' '-- TODO'

# Sizes and their exceptions.
broken src/conf/long.h '.* lines, at most 500' "$(lines 500 '/* */')"
broken src/conf/size.c 'long_one:.* a function of 61 lines, at most 60' "int long_one(void)
{
$(lines 57 '	;')
	return 1;
}"
broken src/conf/size.c 'six_more:.* 6 parameters, at most 5' \
	'int six_more(int a, int b, int c, int d, int e, int (*f)(int, int)) { return a; }'
broken src/conf/words.h '.* 81 columns, at most 80' \
	"$(printf '/*\t%s */' "$(lines 70 x | tr -d '\n')")"
broken test/lint/exceptions.txt '4: not KIND PLACE NUMBER REASON' \
	'lines src/conf/long.h 600'
broken test/lint/exceptions.txt '5: .* no longer needed' \
	'lines src/conf/high.h 600 a test'
sed -i 's/^\(function .*\) 61 /\1 60 /' test/lint/exceptions.txt
expect 'src/conf/size.c:sixty_one:.* a function of 61 lines, at most 60'

# Tags and contracts.
echo 'enum one { ONE };' >>src/conf/high.c
expect 'src/conf/high.c:[0-9]+ src/conf/tags.c:4 one: a tag that is defined 2 times, at most 1'
sed -i '7a\\nint unexplained(void);' src/conf/contract.h
expect 'src/conf/contract.h:[0-9]+: 1 functions without a comment, at most 0'

# Documents.
for document in README.md src/README.md conf/keys.md deploy/README.md; do
	broken "$document" '.* a table cell of 16 words, at most 15: ' \
		"| short | $fourteen 15 16 |" "| $fourteen<br>15 16 | short |" \
		"| $fourteen \`a \\| b\`, 16 | short |"
done

# Files.
sed -i 1d src/conf/bare.h
expect 'src/conf/bare.h: no line "SPDX-License-Identifier: Apache-2.0"'
if command -v clang-format >/dev/null; then
	broken src/conf/loose.h '.*<- make format' '/* What. */
int  loose(void);'
fi

if test/lint/lint.sh "$1" "$2" >"$room/out" 2>&1; then
	echo "FAILED: lint reports nothing in a broken tree"
	exit 1
fi
sort "$room/expected" | uniq -c | while read -r count pattern; do
	found=$(grep -cE "^lint: $pattern" "$room/out")
	[ "$found" = "$count" ] ||
		echo "FAILED: lint reports \"$pattern\" $found times, not $count"
done >"$room/failed"
if [ -s "$room/failed" ]; then
	cat "$room/out" "$room/failed"
	exit 1
fi
echo "lint: it reports all $(wc -l <"$room/expected") breaches"
