-- SPDX-License-Identifier: Apache-2.0
-- Read the fields from the tag
-- kube.var.log.containers.POD_NAMESPACE_CONTAINER-ID.log
function hook(tag, timestamp, record)
	local name = string.match(tag, "containers%.(.+)%.log$")
	if name then
		local pod, namespace, container, id = string.match(name, "^([^_]+)_([^_]+)_(.+)%-(%x+)$")
		record["kubernetes"] = {
			pod_name = pod,
			namespace_name = namespace,
			container_name = container,
			docker_id = id and id:sub(1, 12),
			labels = { app = pod and pod:gsub("%-%w+%-%w+$", "") },
		}
	end
	local k = record["kubernetes"] or {}
	record["service"] = (k.namespace_name or "?") .. "." .. (k.labels and k.labels.app or "?")
	return 1, timestamp, record
end
