# shellcheck shell=bash
# Alerts as one JSON object to any address: ALERT_WEBHOOK_URL (n8n, a relay, a script). Sourced by notify_on_failure.sh.
#
#   event      failure, stuck, recovery or test        host, job, words, run_id, rerun, log, text    strings
#   code       exit code, a number                     seconds      how long the run took, a number
#   counts     the summary's numbers by name, or null  reasons      the last errors, a list of strings
#   log_tail   the log's end; empty with ALERT_LOG_TAIL=0

# REPLY = the object.
webhook_payload() {
  local counts_found list='' line
  counts_json
  counts_found=$REPLY
  while IFS= read -r line; do
    [[ -n $line ]] || continue
    json_string "$line"
    list+=${list:+,}$REPLY
  done < <(printf '%s\n' "$reasons")
  json_object event "$event" job "$label" host "$host" code: "$status" words "$words" run_id "$run_id" seconds: "$seconds" \
    counts: "$counts_found" reasons: "[$list]" rerun "$rerun" log "$log" log_tail "$log_tail" text "$text"
}

# 0 delivered, 1 refused for good, 2 not now; REPLY = what the receiver said.
webhook_send() {
  setting ALERT_WEBHOOK_URL ''
  if ! is_url "$REPLY"; then
    REPLY='ALERT_WEBHOOK_URL is not an address (https://...)'
    return 1
  fi
  post "$REPLY" "$1"
}
