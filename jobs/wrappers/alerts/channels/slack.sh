# shellcheck shell=bash
# Alerts to Slack, or what speaks as it does: SLACK_WEBHOOK_URL. Sourced by notify_on_failure.sh.
#
# Plain text with the log in a fence: the message least able to be refused. It stays below the 4,000 characters from
# which on Slack folds a message, and each of its two parts below the 2,900 that fit a section.

# REPLY = the message.
slack_payload() {
  local LC_ALL=C sign=':rotating_light:' text line
  case $event in
    recovery) sign=':white_check_mark:' ;;
    stuck) sign=':hourglass:' ;;
    test) sign=':wave:' ;;
  esac
  slack_escaped "$title"
  text="$sign *$REPLY*"
  for line in "${details[@]}"; do
    slack_escaped "${line#*: }"
    text+=$'\n'"${line%%: *}: \`$REPLY\`"
  done
  first_bytes 2500 "$text"
  text=$REPLY
  [[ ! $text =~ ^(.*)'&'[a-z]*$ ]] || text=${BASH_REMATCH[1]} # never half an &amp;
  if [[ -n $log_tail ]]; then
    slack_escaped "$log_tail"
    local room=$((3900 - ${#text})) whole=$REPLY
    last_bytes $((room < 2900 ? room : 2900)) "$whole"
    [[ $REPLY == "$whole" || ! $REPLY =~ ^(a?m?p|[lg]?t)?';' ]] || REPLY=${REPLY#*;}
    text+=$'\n```'$REPLY'```'
  fi
  json_object text "$text"
}

# 0 delivered, 1 refused for good, 2 not now; REPLY = what Slack said.
slack_send() {
  local address
  setting SLACK_WEBHOOK_URL ''
  address=$REPLY
  if ! is_url "$address"; then
    REPLY='SLACK_WEBHOOK_URL is not an address (https://hooks.slack.com/services/...)'
    return 1
  fi
  post "$address" "$1" || return
  [[ $REPLY == '200 ok' ]] || return 2 # some proxy or login page
}

# REPLY = TEXT with nothing in it that Slack would take for a mention, a link or the end of a fence.
slack_escaped() {
  REPLY=${1//&/"&amp;"}
  REPLY=${REPLY//</"&lt;"}
  REPLY=${REPLY//>/"&gt;"}
  REPLY=${REPLY//\`/"'"}
}
