# shellcheck shell=bash
# Alerts by e-mail: ALERT_EMAIL (several addresses with commas between them), through the machine's own sendmail.
# Sourced by notify_on_failure.sh. What sendmail takes over is delivered, as far as we can know.

# REPLY = the message, without the line To:. Lines of mail end after 998 bytes at most: longer ones are folded.
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

# 0 delivered, 1 refused for good, 2 not now; REPLY = what sendmail said.
email_send() {
  local addresses program status
  setting ALERT_EMAIL ''
  addresses=$REPLY
  local one='[A-Za-z0-9.!#$%&*+/=?^_{|}~-]+(@[A-Za-z0-9.-]+)?'
  if [[ ! $addresses =~ ^$one(\ *,\ *$one)*$ ]]; then
    REPLY='ALERT_EMAIL is not an address, or addresses with commas between them'
    return 1
  fi
  program=$(PATH=$PATH:/usr/sbin:/usr/lib type -P sendmail) || {
    REPLY='sendmail is missing: apt-get install msmtp-mta (or postfix, exim4)'
    return 2
  }
  REPLY=$({ printf 'To: %s\n%s' "$addresses" "$1" 2>/dev/null; } | (
    shed
    exec timeout 20 "$program" -t -i 2>&1 >/dev/null
  ) 2>&1)
  status=$?
  presentable 200 "$REPLY"
  REPLY="sendmail: ${REPLY:-exit $status}"
  case $status in
    0) REPLY='sendmail took it' ;;
    64 | 65 | 67 | 68) return 1 ;; # usage, data, no such user, no such host
    *) return 2 ;;
  esac
}
