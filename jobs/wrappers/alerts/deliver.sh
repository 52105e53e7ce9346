# shellcheck shell=bash
# Send an alert to the channels that are set. Sourced by alerts.sh; uses outbox.sh and channels/.
#
# A channel X is a file in channels/ with two functions:
#   X_payload   REPLY = the message, made from what describe() has set; it holds no secret
#   X_send      send a message: 0 delivered, 1 refused for good, 2 not now; REPLY = the answer

#
# Alerts go to `channels`. What announces a finished report (channels/reports.sh) has the same
# outbox.

channels=(slack pagerduty email webhook)
report_channels=(report_slack report_email)
all_channels=("${channels[@]}" "${report_channels[@]}")
declare -gA channel_setting=([slack]=SLACK_WEBHOOK_URL [pagerduty]=PAGERDUTY_ROUTING_KEY
  [email]=ALERT_EMAIL [webhook]=ALERT_WEBHOOK_URL [report_slack]=REPORT_SLACK_WEBHOOK_URL
  [report_email]=REPORT_EMAIL)

# Is this CHANNEL set?
has_channel() {
  setting "${channel_setting[$1]}" ''
  [[ -n $REPLY ]]
}

# Set `configured`: the channels that are set.
find_channels() {
  local channel
  configured=()
  for channel in "${channels[@]}"; do
    ! has_channel "$channel" || configured+=("$channel")
  done
}

# Send the alert to all channels at the same time, so that a channel that is down does not delay the
# others. Succeeds when a channel took it, or when it waits in the outbox.
send_to_all() {
  local channel pid pids=() result=1
  for channel in "${configured[@]}"; do
    (send_to "$channel") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    ! wait "$pid" || result=0
  done
  return "$result"
}

# Send the alert to CHANNEL, or keep it in the outbox; say so when it is not delivered.
send_to() {
  trap '' TERM INT HUP PIPE # finish: it takes less than a minute
  deadline=$((SECONDS + 40))
  local channel=$1 message this_job=$job
  "${channel}_payload"
  message=$REPLY
  if [[ -z ${locked-} ]] || flush "$channel"; then
    job=$this_job # flush() has set it to the jobs of earlier alerts
    "${channel}_send" "$message"
  else
    REPLY='an earlier alert still waits'
    (exit 2)
  fi
  case $? in
    0) return 0 ;;
    1)
      say "$channel: $REPLY: this alert is lost there; check ${channel_setting[$channel]}, then \
./notify_on_failure.sh --test"
      ;;
    *)
      local answer=$REPLY
      if keep "$channel" "$message"; then
        say "$channel: $answer: kept in state/outbox/, the next run of any job sends it"
        return 0
      fi
      say "$channel: $answer: lost there, since state/outbox/ cannot be written"
      ;;
  esac
  return 1
}

# test_channels [CHANNEL], for --test: send a message to each channel that is set, or to the named
# one alone, and print how it answered. Returns 0, 69 or 78 (see the manual).
test_channels() {
  local channel result worst=0
  event='test' label='test' run_id='' status=0 seconds=0 since=$EPOCHSECONDS
  counts='' reasons='' unusual='' log_tail='' log='' rerun=''
  describe
  find_channels
  for channel in "${all_channels[@]}"; do
    [[ -z $1 || $1 == "$channel" ]] || continue
    if [[ $channel == report_* ]]; then
      [[ -n $1 ]] || has_channel "$channel" || continue
      title="test from $host: reports of claude-batch-jobs arrive here" text=$title
    fi
    if ! has_channel "$channel"; then
      printf '%-10s not set: %s\n' "$channel" "${channel_setting[$channel]}"
      [[ -z $1 ]] || worst=78
      continue
    fi
    deadline=$((SECONDS + 40))
    "${channel}_payload"
    "${channel}_send" "$REPLY"
    result=$?
    case $result in
      0) printf '%-10s ok: %s\n' "$channel" "$REPLY" ;;
      1)
        printf '%-10s REFUSED: %s; check %s\n' "$channel" "$REPLY" "${channel_setting[$channel]}"
        worst=78
        ;;
      *)
        printf '%-10s NOT REACHED: %s\n' "$channel" "$REPLY"
        ((worst)) || worst=69
        ;;
    esac
    if [[ $channel == pagerduty && $result == 0 ]]; then
      event=recovery pagerduty_payload && pagerduty_send "$REPLY" # leave no incident open
      event='test'
    fi
  done
  if ((${#configured[@]} == 0)) && [[ $1 != report_* ]]; then
    say 'no alert channel is set: put one into .env (see .env.example)'
    worst=78
  fi
  return "$worst"
}
