#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install each of the given Debian packages that is missing.  Without root, print
# the command that installs them, and fail.
set -eu
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null |
		grep -q 'install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing" >&2
	echo "run as root: apt-get install$missing" >&2
	exit 1
fi
echo "installing packages:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# This policy-rc.d keeps apt from starting nginx as a service on port 80; the
# tests only need the program.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
