# shellcheck shell=bash
# Announcements of finished reports, in Slack and by e-mail. Sourced by alerts.sh; uses slack.sh and
# email.sh.
#
# jobs/common/publish/outbox.py puts them into state/outbox/: for Slack the message itself; for mail
# the report's name, reports/JOB/DAY, and the subject. The mail is made when it is sent, from the
# report as it is by then, so that no text of a record waits in the outbox.
#
# The settings REPORT_SLACK_WEBHOOK_URL and REPORT_EMAIL hold the addresses.

# Bytes of a page: in base64 it is a third longer, and many servers take 10 MB.
report_mail_most=7000000

# A test message, for --test. Nothing else is made here.
report_slack_payload() {
  slack_payload
}

# report_slack_send MESSAGE: 0 delivered, 1 refused for good, 2 not now; REPLY = Slack's answer.
report_slack_send() {
  local unsure=stop # nobody is in a hurry: better late than twice
  slack_post REPORT_SLACK_WEBHOOK_URL "$1"
}

report_email_payload() {
  email_payload
}

# report_email_send MESSAGE: 0 delivered, 1 refused for good, 2 not now; REPLY = what sendmail
# printed. A MESSAGE that is a mail already, as that of --test, is sent as it is.
report_email_send() {
  local report=${1%%$'\n'*} subject=${1#*$'\n'}
  if [[ $1 == Subject:\ * ]]; then
    mail REPORT_EMAIL < <(printf '%s' "$1")
    return
  fi
  subject=${subject%%$'\n'*}
  if [[ $1 != *$'\n'* || ! $report =~ ^reports/[a-z][a-z0-9_]*/[0-9A-Za-z-]+$ ||
    ! $subject =~ ^[\ -~]{1,200}$ ]]; then
    REPLY='what waits in state/outbox/ is no announcement of a report'
    return 1
  fi
  report=$root/$report
  if [[ ! -e $report.md && ! -e $report.html ]] || ! is_ours "$report.md" ||
    ! is_ours "$report.html"; then
    REPLY="$report is no longer there"
    return 1
  fi
  mail REPORT_EMAIL < <(report_mail "$report" "$subject")
}

# report_mail REPORT SUBJECT: print the mail: the Markdown as plain text, and beside it the page,
# without its links to other days, which lead nowhere in a mail.
report_mail() {
  local part='=_a_report' size=0 # base64 has no such line
  printf '%s\n' "Subject: $2" 'Auto-Submitted: auto-generated' 'MIME-Version: 1.0' \
    "Content-Type: multipart/alternative; boundary=\"$part\"" ''
  if [[ -e $1.html ]]; then
    size=$(stat -Lc %s -- "$1.html")
  fi
  report_part plain
  {
    if ((size > report_mail_most)); then
      printf 'The page is too large for a mail: it is %s.html on %s.\n\n' "$1" "$host"
    fi
    if [[ -e $1.md ]]; then cat -- "$1.md"; else printf 'The report is in the other part.\n'; fi
  } | base64
  if ((size > 0 && size <= report_mail_most)); then
    report_part html
    sed '/^<nav class="days"/d' -- "$1.html" | base64
  fi
  printf '%s\n' "--$part--"
} 2>/dev/null

# report_part KIND: print the beginning of a part of the mail.
report_part() {
  printf '%s\n' "--$part" "Content-Type: text/$1; charset=utf-8" \
    'Content-Transfer-Encoding: base64' ''
}
