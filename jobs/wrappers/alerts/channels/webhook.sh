# shellcheck shell=bash
# Alerts to any other service (n8n, a relay, a script). Sourced by alerts.sh; uses json.sh and
# http.sh.
#
# The setting ALERT_WEBHOOK_URL holds the address. It gets a JSON object with these fields:
#   event      string    failure, stuck, recovery or test
#   job        string    the job's name
#   host       string    the machine's name
#   code       number    the run's exit code
#   words      string    what the code means
#   run_id     string    empty when the run has left no trace
#   seconds    number    how long the run took
#   counts     object    the numbers of the run's summary by name; or null
#   reasons    list      the run's last errors, strings
#   unusual    list      what looks wrong in the run's outputs, strings
#   rerun      string    the command that runs the job again
#   log        string    path of the log
#   log_tail   string    the end of the log; empty with ALERT_LOG_TAIL=0
#   text       string    the alert as text for people

# REPLY = the object.
webhook_payload() {
  local counts_object reasons_list unusual_list
  counts_json
  counts_object=$REPLY
  json_lines "$reasons"
  reasons_list=$REPLY
  json_lines "$unusual"
  unusual_list=$REPLY
  json_object event "$event" job "$label" host "$host" code: "$status" words "$words" \
    run_id "$run_id" seconds: "$seconds" counts: "$counts_object" reasons: "$reasons_list" \
    unusual: "$unusual_list" rerun "$rerun" log "$log" log_tail "$log_tail" text "$text"
}

# REPLY = the lines of TEXT as a JSON list of strings.
json_lines() {
  local list='' line
  while IFS= read -r line; do
    [[ -n $line ]] || continue
    json_string "$line"
    list+=${list:+,}$REPLY
  done < <(printf '%s\n' "$1")
  REPLY="[$list]"
}

# webhook_send MESSAGE: 0 delivered, 1 refused for good, 2 not now; REPLY = the service's answer.
webhook_send() {
  setting ALERT_WEBHOOK_URL ''
  if ! is_url "$REPLY"; then
    REPLY='ALERT_WEBHOOK_URL is not an address (https://...)'
    return 1
  fi
  post "$REPLY" "$1"
}
