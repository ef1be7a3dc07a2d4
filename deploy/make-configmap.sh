#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print the ConfigMaps that deploy/istio-operator.yaml mounts.  Their content
# comes from conf/ and lua/:
#
#     deploy/make-configmap.sh >deploy/configmap.yaml
set -eu
cd "$(dirname "$0")/.."

# Print a ConfigMap: NAME FILE...  Each file becomes a literal block under its
# own name.
configmap() {
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n' "$1"
	printf '  namespace: istio-system\ndata:\n'
	shift
	for file in "$@"; do
		printf '  %s: |\n' "${file##*/}"
		sed 's/^\(..*\)$/    \1/' "$file"
	done
}

echo '# Made by deploy/make-configmap.sh from conf/ and lua/: do not edit.'
configmap sidecar-sluiced \
	conf/sluiced.conf lua/create-log-file-path.lua
echo '---'
configmap ingressgateway-sidecar-nginx-conf conf/nginx.conf
