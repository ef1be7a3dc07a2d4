#!/bin/sh
# The laws of the tree that a compiler does not check.  $1 compiler, $2 flags.
cc=$1 flags=$2 bad=0
cd "$(dirname "$0")/../.." || exit 1
fail() { echo "lint: $*" >&2; bad=1; }

# 1. A folder includes only what src/layers.txt allows.
for dir in src/*/ src/main.c; do
	layer=$(basename "$dir" .c)
	allowed=$(sed -n "s/^$layer:[[:space:]]*//p" src/layers.txt)
	grep -q "^$layer:" src/layers.txt || fail "$layer is not in src/layers.txt"
	hits=$(grep -rnoE '#include "[a-z_]+/' "$dir" 2>/dev/null |
		sed 's/#include "//; s,/$,,')
	for hit in $hits; do
		to=${hit##*:}
		case " $allowed $layer " in
		*" $to "*) ;;
		*) fail "$hit: $layer may not include $to" ;;
		esac
	done
done

# 2. No cycle between headers and none between folders.
sed -n 's/^\([a-z]*\):/\1/p' src/layers.txt | while read -r from rest; do
	for to in $rest; do echo "$from $to"; done
done | tsort >/dev/null 2>&1 || fail "src/layers.txt has a cycle"
for h in src/*/*.h; do
	sed -n 's/^#include "\(.*\)"/\1/p' "$h" |
		sed "s,^,${h#src/} ,"
done | tsort >/dev/null || fail "headers include one another in a circle"

# 3. Includes are folder-qualified, own header first.
grep -rnE '#include "[^/"]+"' src && fail "include without a folder"
for c in src/*/*.c; do
	own=${c#src/}; own=${own%.c}.h
	[ -e "src/$own" ] || continue
	first=$(sed -n 's/^#include "\(.*\)"/\1/p' "$c" | head -n 1)
	[ "$first" = "$own" ] || fail "$c: its own header comes first"
done

# 4. Each header compiles alone.
for h in src/*/*.h; do
	# shellcheck disable=SC2086
	echo "#include \"${h#src/}\"" |
		$cc $flags -fsyntax-only -x c - || fail "$h does not compile alone"
done

# 5. Functions that have a better way, and words for later.
grep -rnE '\<(strcpy|strcat|v?sprintf|strtok|ato[ilf]|gets|alloca)\(' \
	src --include='*.[ch]' && fail "banned function"
grep -rnE 'TODO|FIXME|XXX' src lua conf deploy && fail "a note without an issue"

# 6. Every source has its licence line; files stay rooms.
for f in src/*.c src/*/*.[ch]; do
	grep -q 'SPDX-License-Identifier: Apache-2.0' "$f" || fail "$f: no SPDX line"
	[ "$(wc -l <"$f")" -le 600 ] || fail "$f: over 600 lines"
done
# 7. No mutable state at file scope but in base/say.c.
for f in src/*/*.c; do
	[ "$f" = src/base/say.c ] && continue
	grep -nE '^static [a-z_ ]*\*?[a-z_]+(\[[^]]*\])?( = [^(]*)?;$' "$f" |
		grep -v const | sed "s,^,$f:," | grep . &&
		fail "$f: mutable variable at file scope"
done
[ "$bad" = 0 ] && echo "lint: clean"
exit "$bad"
