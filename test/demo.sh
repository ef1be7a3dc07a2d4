#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Show how sluiced works: run nginx and sluiced with the files of conf/ and lua/,
# send 300 requests, and show the lines and the metrics.
#
#     test/demo.sh build/sluiced
set -eu
bin=$(realpath "$1")
cd "$(dirname "$0")/.."

room=$(mktemp -d /tmp/sluiced-demo.XXXXXX)
chmod 755 "$room" # for the workers of nginx, which are not root
out=$room/log
pids=
cleanup() {
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill $pids 2>/dev/null || true
	wait
	rm -rf "$room"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
fail() {
	echo "demo: $*" >&2
	cat "$room"/*.err >&2
	exit 1
}
# Wait until a command succeeds: WHAT COMMAND...  Fails after two minutes.
await() {
	what=$1
	shift
	tries=1200
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "waited two minutes for $what"
		sleep 0.1
	done
}
free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket()
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
start_nginx() {
	nginx -e stderr -p "$room" -c "$1" -g 'daemon off;' 2>"$1.err" &
	pids="$pids $!"
}

# This gateway answers the requests that nginx passes on.
gateway=$(free_port)
cat >"$room/gateway.conf" <<END
pid $room/gateway.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path $room/gateway-body;
	proxy_temp_path $room/gateway-proxy;
	fastcgi_temp_path $room/gateway-fastcgi;
	uwsgi_temp_path $room/gateway-uwsgi;
	scgi_temp_path $room/gateway-scgi;
	server {
		listen 127.0.0.1:$gateway;
		location / { return 200 "from the gateway\n"; }
		location /missing { return 404; }
	}
}
END
start_nginx "$room/gateway.conf"

# sluiced runs with conf/sluiced.conf; the environment sets other paths.
export SLUICED_SOCKET="$room/sys-log.sock" SLUICED_OUT="$out"
export SLUICED_HOOK="$PWD/lua/create-log-file-path.lua"
export SLUICED_HTTP_LISTEN=127.0.0.1 SLUICED_HTTP_PORT=0
"$bin" -c conf/sluiced.conf 2>"$room/sluiced.err" &
sluiced=$!
pids="$pids $sluiced"
await "sluiced" grep -q 'mod=worker state=ready' "$room/sluiced.err"
metrics=$(sed -n 's/.*mod=http listening=\([^ ]*\).*/http:\/\/\1\/metrics/p' \
	"$room/sluiced.err")

# nginx runs with conf/nginx.conf, with other paths and ports.
port=$(free_port)
sed -e "s,/tmp/sidecar-nginx,$room," \
	-e "s,/var/run/nginx.pid,$room/nginx.pid," \
	-e "s,/var/cache/nginx,$room," \
	-e "s,listen  8080,listen  127.0.0.1:$port," \
	-e "s,server     127.0.0.1:8081;,server     127.0.0.1:$gateway;," \
	conf/nginx.conf >"$room/nginx.conf"
start_nginx "$room/nginx.conf"
front=$!
await "nginx" curl -s -o /dev/null "http://127.0.0.1:$port/"

say "three hundred requests through nginx"
url=http://127.0.0.1:$port
sent=1 # the request that waited for nginx
has_received_all() {
	curl -s "$metrics" | grep -qx "sluiced_messages_received_total $sent"
}
# Send requests: COUNT FIRST PATH [CURL_OPTION...].  nginx drops a line if the
# queue of the socket is full, and without privileges the queue is short.  So
# this sends ten requests at a time and waits until sluiced has received them.
request() {
	n=$2 end=$(($2 + $1)) path=$3
	shift 3
	while [ "$n" -lt "$end" ]; do
		last=$((n + 9 < end ? n + 9 : end - 1))
		curl -s -o /dev/null "$@" "$url$path[$n-$last]"
		sent=$((sent + last - n + 1)) n=$((last + 1))
		await "the lines of $path" has_received_all
	done
}
await "the first line" has_received_all
request 200 1 /item/ -H 'Host: shop.example' -G -d lang=ja
request 50 1 /%E3%81%82/ -A 'demo "quoted" 日本語'
request 30 1 /form/ -d x=1
request 19 1 /missing/
request 1 1 /evil%0Atime:forged
echo "sent $sent requests"

lines() { cat "$out"/*/*.log 2>/dev/null | wc -l; }
has_all_lines() { [ "$(lines)" -ge "$sent" ]; }
await "all lines" has_all_lines

say "the files below the output path"
(cd "$out" && find . -type f | sort | while read -r file; do
	echo "$file: $(wc -l <"$file") lines"
done)

say "some of the lines (LTSV; each tab is shown as two blanks)"
cat "$out"/*/*.log | grep -e item/200 -e quoted -e form/30 -e evil |
	sed -n -e '1p' -e '2p' -e '$p' -e '/form/p' | expand -t 2

say "the metrics: every message is accounted for"
curl -s "$metrics" >"$room/metrics"
grep -e '^sluiced_messages' -e '^sluiced_input_queue_length' "$room/metrics"
awk '/^sluiced_messages_received/ { received = $2 }
	/^sluiced_messages_written/ { written = $2 }
	/^sluiced_messages_dropped/ { dropped += $2 }
	/^sluiced_messages_dead_lettered/ { letters = $2 }
	/^sluiced_messages_queued/ { queued = $2 }
	END {
		printf "received %d = written %d + dropped %d + ", received,
			written, dropped
		printf "dead-lettered %d + queued %d\n", letters, queued
		exit received != written + dropped + letters + queued
	}' "$room/metrics" || fail "the accounting equation does not hold"

say "SIGTERM: sluiced drains its socket, writes all lines, and exits"
# sluiced waits for its senders, so nginx ends first, as in a pod.
kill -QUIT "$front"
wait "$front"
kill -TERM "$sluiced"
wait "$sluiced" || fail "sluiced exited with $?"
tail -n 1 "$room/sluiced.err"

[ "$(lines)" = "$sent" ] || fail "$(lines) lines for $sent requests"
[ ! -e "$out/unparsed.log" ] || fail "$out/unparsed.log holds lines that could not be parsed"
say "$sent requests, $sent lines"
