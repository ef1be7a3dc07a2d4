#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A small tree that is as it should be passes; then every law of lint.sh is
# broken in it, and each breach must be told.
# test/lint/test_lint.sh COMPILER FLAGS
set -u
here=$(dirname "$(realpath "$0")")
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
mkdir -p "$room/tree/test/lint" "$room/tree/lua" "$room/tree/conf" \
	"$room/tree/deploy" "$room/tree/src/base" "$room/tree/src/conf"
cp "$here/lint.sh" "$room/tree/test/lint/"
cp "$here/../../.clang-format" "$room/tree/"
cd "$room/tree" || exit 1
printf '%s\n' 'main: base conf' 'base:' 'conf: base' >src/layers.txt

# $1 path, then its lines behind the licence.
file() {
	path=$1
	shift
	printf '%s\n' '/* SPDX-License-Identifier: Apache-2.0 */' "$@" >"$path"
}

# A module: its header and its source.
module() {
	guard=$(echo "$1" | tr / _)
	file "src/$1.h" "#ifndef $guard" "#define $guard" '' '#endif'
	file "src/$1.c" "#include \"$1.h\""
}

# $1 file, $2 what must be told of it, then lines to append, each a breach.
broken() {
	told="$1:$2"
	path=$1
	shift 2
	for line in "$@"; do
		echo "$line" >>"$path"
		echo "$told" >>"$room/told"
	done
}

for name in base/low base/log conf/high conf/left conf/right conf/state \
	conf/order conf/needs conf/words conf/long conf/bare conf/loose; do
	module "$name"
done
echo 'int say_level;' >>src/base/log.c
file src/main.c '#include "conf/high.h"'
if ! test/lint/lint.sh "$1" "$2" >/dev/null; then
	echo "FAILED: lint finds something in a clean tree"
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
broken src/new/one.c ' new is not in src/layers.txt' ''
broken src/layers.txt '.*loop' 'up: down
down: up'
sed -i '3a #include "conf/right.h"' src/conf/left.h
sed -i '3a #include "conf/left.h"' src/conf/right.h
echo 'headers: .*loop' >>"$room/told"
file src/conf/order.c
broken src/conf/order.c ' its own header comes first' \
	'#include "base/low.h"
#include "conf/order.h"'
broken src/conf/needs.h ' does not compile alone' 'size_t f(void);'

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
broken lua/hook.lua '.*<- a note without an issue' '-- TODO'

# Files.
sed -i 1d src/conf/bare.h
echo 'src/conf/bare.h: no SPDX line' >>"$room/told"
broken src/conf/long.h ' over 600 lines' "$(yes '/* */' | head -n 600)"
if command -v clang-format >/dev/null; then
	broken src/conf/loose.h '.*<- make format' 'int  loose(void);'
fi

if test/lint/lint.sh "$1" "$2" >"$room/out" 2>&1; then
	echo "FAILED: lint finds nothing"
	exit 1
fi
failed=0
sort "$room/told" | uniq -c | while read -r count pattern; do
	found=$(grep -cE "^lint: $pattern" "$room/out")
	[ "$found" = "$count" ] ||
		echo "FAILED: \"$pattern\" is told $found times of $count"
done >"$room/failed"
if [ -s "$room/failed" ]; then
	cat "$room/out" "$room/failed"
	exit 1
fi
echo "lint: all $(wc -l <"$room/told") breaches told"
