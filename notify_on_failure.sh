#!/usr/bin/env bash
# Run one job by run_job.sh, say so when it fails, and say so when it works again. The exit status is the job's, whatever
# becomes of the alert. Nothing here needs Python, venv/ or a .env that can be read.
#
# Usage:
#   ./notify_on_failure.sh JOB [options]      ./run_job.sh JOB [options], with alerts: what cron calls
#   ./notify_on_failure.sh --test [CHANNEL]   send a test message to each channel (slack, pagerduty, email, webhook)
#   ./notify_on_failure.sh --help             this text
#
# A streak of failures gives one alert, another one when the exit code changes or after ALERT_REPEAT_HOURS, and one message
# when it is over. "Not now" (75) gives one the third time in a row. An alert that cannot be delivered waits in state/outbox/
# for the next run of any job, three days at most. --demo, --dry-run, --help and what is in jobs/ops/ never give one.
#
# Settings, from the environment, then .env. NAME_JOB (ALERT_EMAIL_DAILY_REPORT) wins over NAME. Any number of channels.
#   SLACK_WEBHOOK_URL       address of a Slack incoming webhook
#   PAGERDUTY_ROUTING_KEY   integration key of Events API v2; one incident for each host and job
#   PAGERDUTY_URL=https://events.pagerduty.com     https://events.eu.pagerduty.com for accounts in the EU
#   ALERT_EMAIL             address, or several with commas between them, reached through this machine's sendmail
#   ALERT_WEBHOOK_URL       gets each alert as one JSON object (its fields: jobs/wrappers/alerts/channels/webhook.sh)
#   ALERT_REPEAT_HOURS=6    silence within a streak
#   ALERT_LOG_TAIL=1        0: no log text leaves the machine
#   PING_URL                told /start before each run and /CODE after it, as Healthchecks has it; {job} is replaced
#
# Exit codes: the job's, or 2 wrong usage. Of --test: 0 all took it, 69 one cannot be reached, 78 one refused, or none is set.

set -u +e
set +o posix
shopt -u patsub_replacement 2>/dev/null # bash 5.2 reads & in a replacement, the others do not
[[ -e /dev/fd/1 ]] || exec >/dev/null
[[ -e /dev/fd/2 ]] || exec 2>/dev/null
root=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${root%/*}

if [[ ${1-} == -* && $1 != --test || $# == 0 || ${1-} == --test && $# -gt 2 ]]; then
  if [[ ${1-} == --help || ${1-} == -h ]]; then
    sed -n '2,/^[^#]*$/ s/^# \{0,1\}//p' "$root/notify_on_failure.sh"
    exit 0
  fi
  printf 'usage: ./notify_on_failure.sh JOB [options] | --test [CHANNEL] | --help\n' >&2
  exit 2
fi

# shellcheck source=jobs/wrappers/alerts/alerts.sh
if source "$root/jobs/wrappers/alerts/alerts.sh"; then
  prepare_environment
else
  printf 'notify_on_failure.sh: %s/jobs/wrappers is incomplete: nobody is told how this run ends; git checkout it\n' "$root" >&2
  [[ $1 != --test ]] || exit 78
  exec "$root/run_job.sh" "$@"
fi

# --- what is asked for ---

if [[ $1 == --test ]]; then
  if [[ -n ${2-} && -z ${channel_setting[${2-}]-} ]]; then
    say "--test takes one of: ${channels[*]}"
    exit 2
  fi
  read_settings
  find_secrets
  (LC_ALL=C test_channels "${2-}")
  exit
fi

set_places "$@"
name=$1
if [[ -n $demo || " $* " == *' --help '* || " $* " == *' -h '* || " $* " == *' --dry-run '* ]] ||
  { is_name "$name" && [[ -f $root/jobs/ops/$name.py ]]; }; then
  exec "$root/run_job.sh" "$@" # a question: whoever asks sees the answer
fi

# What alerts and files call it. A name that no job can have gets one that is none's: run_job.sh will refuse it.
if is_name "$name"; then
  job=$name label=${name:0:80} log=$logs/$name.log
else
  label=${name,,}
  label=_${label//[!a-z0-9_]/_} label=${label:0:40}
fi
streak=$state/$label.alerted
printf -v rerun ' %q' "$root/run_job.sh" "$@"
read_settings
prepare_ping

# --- run it ---

listen
trap : PIPE # whoever read our stderr may be gone

early=''
if [[ -n $ping_url || -n $(compgen -G "$outbox/[0-9]*") ]]; then
  before </dev/null >/dev/null &
  early=$!
fi

utc %Y%m%dT%H%M%SZ
stamp=$REPLY began=$EPOCHSECONDS said=''
[[ -t 0 ]] || exec </dev/null
if [[ -t 2 ]]; then
  "$root/run_job.sh" "$@" <&0 &
  await_child
else
  # Its stderr goes to ours, and the end of it is kept: where there is no log that is all there is to go by.
  coproc heard { trap '' TERM INT HUP PIPE; { tee >(exec tail -c 6300 >&3) >&2; } 3>&1; }
  words_out=${heard[0]} words_in=${heard[1]}
  exec {speak}>&"$words_in" {listen}<&"$words_out" {words_in}>&- {words_out}<&-
  "$root/run_job.sh" "$@" <&0 2>&"$speak" {speak}>&- {listen}<&- &
  await_child
  exec {speak}>&-
  IFS= read -r -d '' -t 2 -u "$listen" said
fi
pid=$!
elapsed
seconds=$REPLY
[[ -z $early ]] || wait "$early"

# --- tell whom it concerns ---

if ((status)) || [[ -n $ping_url || -e $streak ]]; then
  after "$pid" "$began" "$stamp" "$said" </dev/null >/dev/null
fi
exit "$status"
