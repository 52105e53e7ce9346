# shellcheck shell=bash
# Alerts to Slack, or to a service that takes the same requests. Sourced by alerts.sh; uses json.sh
# and http.sh.
#
# The setting SLACK_WEBHOOK_URL holds the address of an incoming webhook. The message is plain text
# with the log in a fence, which Slack is least likely to refuse. It stays below 4,000
# characters, where Slack would fold it; and each of its two parts below 2,900, which fit into a
# section.

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
  [[ ! $text =~ ^(.*)'&'[a-z]*$ ]] || text=${BASH_REMATCH[1]} # it may end with half an &amp;
  if [[ -n $log_tail ]]; then
    slack_escaped "$log_tail"
    local room=$((3900 - ${#text})) whole=$REPLY
    last_bytes $((room < 2900 ? room : 2900)) "$whole"
    [[ $REPLY == "$whole" || ! $REPLY =~ ^(a?m?p|[lg]?t)?';' ]] || REPLY=${REPLY#*;}
    text+=$'\n```'$REPLY'```'
  fi
  json_object text "$text"
}

# slack_send MESSAGE: 0 delivered, 1 refused for good, 2 not now; REPLY = Slack's answer.
slack_send() {
  slack_post SLACK_WEBHOOK_URL "$1"
}

# slack_post SETTING MESSAGE: send it to the address in the SETTING. Returns as slack_send does.
slack_post() {
  local address
  setting "$1" ''
  address=$REPLY
  if ! is_url "$address"; then
    REPLY="$1 is not an address (https://hooks.slack.com/services/...)"
    return 1
  fi
  post "$address" "$2" || return
  [[ $REPLY == '200 ok' ]] || return 2 # a proxy or a login page has answered
}

# REPLY = TEXT, changed so that Slack sees no mention, no link and no end of a fence in it.
slack_escaped() {
  REPLY=${1//&/"&amp;"}
  REPLY=${REPLY//</"&lt;"}
  REPLY=${REPLY//>/"&gt;"}
  REPLY=${REPLY//\`/"'"}
}
