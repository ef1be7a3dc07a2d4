-- create-log-file-path.lua
function create_log_file_path(tag, timestamp, record)
  new_record = record
  new_record["log_file_path"] = os.date("%Y-%m%d",timestamp).."/istio-ingressgateway-access.log"
  return 1, timestamp, new_record
end
