# shellcheck shell=bash
# Alerts to PagerDuty's Events API v2: PAGERDUTY_ROUTING_KEY. Sourced by notify_on_failure.sh.
#
# One incident for each host and job: opened or added to by each alert, resolved by the recovery. Accounts of the EU region
# set PAGERDUTY_URL=https://events.eu.pagerduty.com. The routing key is put in when an event is sent, so that none waits on disk.

# REPLY = the event, without its key.
pagerduty_payload() {
  local severity=error summary found key
  json_string "$host/$label"
  key=$REPLY
  if [[ $event == recovery ]]; then
    json_object event_action resolve dedup_key: "$key"
    return
  fi
  case $event in
    stuck) severity=warning ;;
    test) severity=info ;;
  esac
  first_bytes 1000 "$title${reasons:+: ${reasons##*$'\n'}}"
  summary=$REPLY
  counts_json
  json_object exit_code: "$status" words "$words" run_id "$run_id" seconds: "$seconds" counts: "$REPLY" reasons "$reasons" \
    rerun "$rerun" log "$log" log_tail "$log_tail"
  found=$REPLY
  json_object summary "$summary" source "$host" severity "$severity" component "$label" group claude-batch-jobs \
    custom_details: "$found"
  json_object event_action trigger dedup_key: "$key" payload: "$REPLY"
}

# 0 delivered, 1 refused for good, 2 not now; REPLY = what PagerDuty said.
pagerduty_send() {
  local key address
  setting PAGERDUTY_ROUTING_KEY ''
  key=$REPLY
  setting PAGERDUTY_URL https://events.pagerduty.com
  address=${REPLY%/} address=${address%/v2/enqueue}/v2/enqueue
  if [[ ! $key =~ ^[A-Za-z0-9_-]{1,64}$ ]]; then
    REPLY='PAGERDUTY_ROUTING_KEY is not an integration key (32 letters and digits)'
    return 1
  elif ! is_url "$address"; then
    REPLY='PAGERDUTY_URL is not an address (https://events.eu.pagerduty.com)'
    return 1
  fi
  post "$address" "{\"routing_key\":\"$key\",${1#\{}" || return
  [[ $http_code == 202 ]] || return 2 # some proxy or login page
}
