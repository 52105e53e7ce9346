#!/usr/bin/env bash
# Run one job through run_job.sh; send an alert when it fails, and a message when it works again.
# The exit code is the job's, whether or not the alert arrives. This script needs neither Python nor
# venv/, and works even when .env cannot be read.
#
# Usage:
#   ./notify_on_failure.sh JOB [options]      run `./run_job.sh JOB [options]` with alerts; for cron
#   ./notify_on_failure.sh --test [CHANNEL]   send a test message to each channel that is set
#                                             (slack, pagerduty, email, webhook; report_slack and
#                                             report_email, which announce reports), or to one of
#                                             them
#   ./notify_on_failure.sh --outbox           send now what waits in state/outbox/
#   ./notify_on_failure.sh --backup FILE      make a backup (run_job.sh --backup) with alerts, from
#                                             cron
#   ./notify_on_failure.sh --help             print this text
#
# A job that keeps failing causes one alert, then another one whenever its exit code changes or
# ALERT_REPEAT_HOURS have passed, and one message when it works again. "Not now" (75) causes an
# alert only the third time in a row. An alert that cannot be delivered waits in state/outbox/, for
# at most three days: the next run of any job sends it. So does an announcement of a report
# (REPORT_SLACK_WEBHOOK_URL, REPORT_EMAIL; see .env.example). --demo, --dry-run, --help and the scripts in
# jobs/ops/ never cause an alert. How --try and --eval end is kept apart from how the job runs: their
# alerts are about JOB_try and JOB_eval, and the monitor of PING_URL does not hear of them.
#
# Settings are read from the environment, then from .env. A setting for one job, such as
# ALERT_EMAIL_DAILY_REPORT, wins over the general one. You can set any number of channels.
#   SLACK_WEBHOOK_URL       address of a Slack incoming webhook
#   PAGERDUTY_ROUTING_KEY   integration key of Events API v2; each host and job has one incident
#   PAGERDUTY_URL=https://events.pagerduty.com
#                           for accounts in the EU: https://events.eu.pagerduty.com
#   ALERT_EMAIL             one address, or several with commas; this machine's sendmail sends it
#   ALERT_WEBHOOK_URL       gets each alert as a JSON object, whose fields are listed in
#                           jobs/wrappers/alerts/channels/webhook.sh
#   ALERT_REPEAT_HOURS=6    the time without alerts while a job fails in the same way
#   ALERT_LOG_TAIL=1        0: alerts hold no text from the log
#   PING_URL                a monitor such as Healthchecks: gets /start before each run and /CODE
#                           after it; {job} stands for the job's name. Where the address holds
#                           {status} (up or down), {code} or {seconds}, as push URLs do
#                           (?status={status}&msg=exit+{code}), they are filled in after each run,
#                           and nothing is added
#
# Exit codes: the job's, or 2 wrong usage. Of --test: 0 every channel took the message, 69 a channel
# could not be reached, 78 a channel refused it, or no channel is set. Of --outbox: 0 nothing waits
# any more, 69 something still does.

# A newer version may be copied over this file while it runs. bash reads a script bit by bit, so all
# of it stands in a function, which is read to its end before it begins.
main() {
  set -u +e
  set +o posix
  # Elsewhere `i` may be no small `I`, and [a-z] more than 26 letters.
  export LC_ALL=C.UTF-8
  unset LANGUAGE
  shopt -u patsub_replacement 2>/dev/null # with it, & in a replacement has a meaning (bash 5.2)
  [[ -e /dev/fd/1 ]] || exec >/dev/null
  [[ -e /dev/fd/2 ]] || exec 2>/dev/null
  root=$(readlink -f -- "${BASH_SOURCE[0]}")
  root=${root%/*}

  if [[ ${1-} == -* && $1 != --@(test|backup|outbox) || $# == 0 || ${1-} == --test && $# -gt 2 ||
    ${1-} == --outbox && $# -gt 1 ]]; then
    if [[ ${1-} == --help || ${1-} == -h ]]; then
      sed -n '2,/^[^#]*$/ s/^# \{0,1\}//p' "$root/notify_on_failure.sh" 2>/dev/null
      exit 0
    fi
    printf 'usage: ./notify_on_failure.sh JOB [options] | --backup FILE | %s\n' \
      '--test [CHANNEL] | --outbox | --help' >&2
    exit 2
  fi

  # An upgrade that has died is undone first: until then nothing here belongs together. While one is
  # under way, run_job.sh ends with 75, and says so; as it says what keeps one from being undone.
  if [[ -e $root/state/.upgrade ]] && undone=$(bash "$root/state/.upgrade/undo.sh" 2>&1); then
    [[ -z $undone ]] || printf '%s\n' "$undone" >&2
    exec "$root/notify_on_failure.sh" "$@"
  fi
  # shellcheck source=jobs/wrappers/alerts/alerts.sh
  if source "$root/jobs/wrappers/alerts/alerts.sh"; then
    prepare_environment
  else
    printf 'notify_on_failure.sh: %s/jobs/wrappers is incomplete: %s\n' "$root" \
      'nobody is told how this run ends; restore it with git checkout' >&2
    [[ $1 != --test && $1 != --outbox ]] || exit 78
    exec "$root/run_job.sh" "$@"
  fi

  # --- what the caller asks for ---

  if [[ $1 == --test ]]; then
    if [[ -n ${2-} && -z ${channel_setting[${2-}]-} ]]; then
      say "--test takes one of: ${all_channels[*]}"
      exit 2
    fi
    read_settings
    find_secrets
    (LC_ALL=C test_channels "${2-}")
    exit
  elif [[ $1 == --outbox ]]; then
    read_settings
    find_secrets
    (LC_ALL=C send_outbox)
    exit
  fi

  set_places "$@"
  name_of "$1"
  name=$REPLY
  if [[ -n $demo ]] || only_asks "$@" ||
    { is_name "$name" && [[ -f $root/jobs/ops/$name.py ]]; }; then
    exec "$root/run_job.sh" "$@" # no alert: whoever asks this sees the answer
  fi

  # `label` is the job's name in alerts and file names. A name that no job can have, which
  # run_job.sh will refuse, gets a label that no job has.
  if [[ $1 == --backup ]]; then
    label=backup # from cron; typed as `backup`, a person sees how it ends
  elif is_name "$name"; then
    job=$name label=${name:0:80} log=$logs/$name.log
  else
    label=${name,,}
    label=_${label//[!a-z0-9_]/_} label=${label:0:40}
  fi
  # What --eval finds begins no streak of the job's, and ends none.
  [[ -z $measure ]] || label+=_${measure#--}
  streak=$state/$label.alerted
  printf -v rerun ' %q' "$root/run_job.sh" "$@"
  read_settings
  prepare_ping

  # --- the run ---

  listen
  trap : PIPE # the reader of our stderr may go away

  before_pid=''
  if [[ -n $ping_url || -n $(compgen -G "$outbox/[0-9]*") ]]; then
    before </dev/null >/dev/null &
    before_pid=$!
  fi

  utc %Y%m%dT%H%M%SZ
  stamp=$REPLY began=$EPOCHSECONDS stderr_end=''
  [[ -t 0 ]] || exec </dev/null
  if [[ -t 2 ]]; then
    "$root/run_job.sh" "$@" <&0 &
    await_child
  else
    # run_job.sh's stderr goes to ours. We keep the end of it: without a log, the alert quotes that.
    coproc stderr_copy { trap '' TERM INT HUP PIPE; { tee >(exec tail -c 6300 >&3) >&2; } 3>&1; }
    tail_out=${stderr_copy[0]} tee_in=${stderr_copy[1]}
    exec {to_tee}>&"$tee_in" {from_tail}<&"$tail_out" {tee_in}>&- {tail_out}<&-
    "$root/run_job.sh" "$@" <&0 2>&"$to_tee" {to_tee}>&- {from_tail}<&- &
    await_child
    exec {to_tee}>&-
    IFS= read -r -d '' -t 2 -u "$from_tail" stderr_end
  fi
  pid=$!
  elapsed
  seconds=$REPLY
  [[ -z $before_pid ]] || wait "$before_pid"

  # --- alerts and the ping ---

  if ((status)) || [[ -n $ping_url || -e $streak ]]; then
    after "$pid" "$began" "$stamp" "$stderr_end" </dev/null >/dev/null
  fi
  exit "$status"
}

main "$@"
