# shellcheck shell=bash
# Alerts by e-mail, through the machine's own sendmail. Sourced by alerts.sh; uses text.sh.
#
# The setting ALERT_EMAIL holds one address, or several with commas between them. A message that
# sendmail has accepted counts as delivered: we cannot know more.

# REPLY = the message, without the line To:. A line of mail has at most 998 bytes: we break longer
# ones.
email_payload() {
  local LC_ALL=C rest=$text${log_tail:+$'\n\n'$log_tail} line body=''
  while [[ -n $rest ]]; do
    line=${rest%%$'\n'*}
    first_bytes 900 "$line"
    body+=$REPLY$'\n' rest=${rest:${#REPLY}}
    rest=${rest#$'\n'}
  done
  first_bytes 200 "${title//[!\ -~]/?}" # a header is ASCII, on one line
  REPLY="Subject: $REPLY
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

$body"
}

# email_send MESSAGE: 0 delivered, 1 refused for good, 2 not now; REPLY = what sendmail printed.
email_send() {
  mail ALERT_EMAIL < <(printf '%s' "$1")
}

# mail SETTING: send the message on stdin, which has no line To:, to the addresses in the SETTING.
# Returns as email_send does.
mail() {
  local addresses program status
  setting "$1" ''
  addresses=$REPLY
  local address='[A-Za-z0-9.!#$%&*+/=?^_{|}~-]+(@[A-Za-z0-9.-]+)?'
  if [[ ! $addresses =~ ^$address(\ *,\ *$address)*$ ]]; then
    REPLY="$1 is not an address, or addresses with commas between them"
    return 1
  fi
  program=$(PATH=$PATH:/usr/sbin:/usr/lib type -P sendmail) || {
    REPLY='sendmail is missing: apt-get install msmtp-mta (or postfix, exim4)'
    return 2
  }
  REPLY=$({ { printf 'To: %s\n' "$addresses" && cat; } 2>/dev/null; } | (
    shed
    exec timeout 20 "$program" -t -i 2>&1 >/dev/null
  ) 2>&1)
  status=$?
  presentable 200 "$REPLY"
  REPLY="sendmail: ${REPLY:-exit $status}"
  case $status in
    0) REPLY='sendmail took it' ;;
    124)
      REPLY='sendmail has not ended within 20 seconds'
      return 2
      ;;
    64 | 65 | 67 | 68) return 1 ;; # usage, data, no such user, no such host
    *) return 2 ;;
  esac
}
