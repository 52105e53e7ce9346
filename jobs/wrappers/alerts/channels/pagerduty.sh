# shellcheck shell=bash
# Alerts to PagerDuty, by its Events API v2. Sourced by alerts.sh; uses json.sh and http.sh.
#
# The setting PAGERDUTY_ROUTING_KEY holds the integration key; accounts in the EU also set
# PAGERDUTY_URL=https://events.eu.pagerduty.com. Each host and job has one incident: an alert opens
# it, or adds to it; the recovery resolves it.

# REPLY = the event, without the routing key: pagerduty_send adds it, so that no key waits in the
# outbox.
pagerduty_payload() {
  local severity=error summary custom_details incident
  json_string "$host/$label"
  incident=$REPLY
  if [[ $event == recovery ]]; then
    json_object event_action resolve dedup_key: "$incident"
    return
  fi
  case $event in
    stuck) severity=warning ;;
    test) severity=info ;;
  esac
  first_bytes 1000 "$title${reasons:+: ${reasons##*$'\n'}}"
  summary=$REPLY
  counts_json
  json_object exit_code: "$status" words "$words" run_id "$run_id" seconds: "$seconds" \
    counts: "$REPLY" reasons "$reasons" unusual "$unusual" rerun "$rerun" log "$log" \
    log_tail "$log_tail"
  custom_details=$REPLY
  json_object summary "$summary" source "$host" severity "$severity" component "$label" \
    group claude-batch-jobs custom_details: "$custom_details"
  json_object event_action trigger dedup_key: "$incident" payload: "$REPLY"
}

# pagerduty_send EVENT: 0 delivered, 1 refused for good, 2 not now; REPLY = PagerDuty's answer.
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
  [[ $http_code == 202 ]] || return 2 # a proxy or a login page has answered
}
