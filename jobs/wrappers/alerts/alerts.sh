# shellcheck shell=bash
# What notify_on_failure.sh does beside running the job: alerts, the outbox, the ping. Sourced by
# it; fails when a part is missing. It sources every part before the job starts, so that an update
# of the installation during the run changes nothing for this run.
#
# Uses  root; and of the run: job, label, state, log, streak, rerun, status, seconds
# Sets  host   this machine's name, in letters that every channel takes
# shellcheck disable=SC2034 # parts read what other parts set

parts=${root:?}/jobs/wrappers/alerts
[[ -r $root/jobs/wrappers/dotenv.sh ]] || return # shared.sh would exit without it
# shellcheck source=jobs/wrappers/shared.sh
source "$root/jobs/wrappers/shared.sh" || return
# shellcheck source=jobs/wrappers/child.sh
source "$root/jobs/wrappers/child.sh" || return
# shellcheck source=jobs/wrappers/alerts/text.sh
source "$parts/text.sh" || return
# shellcheck source=jobs/wrappers/alerts/json.sh
source "$parts/json.sh" || return
# shellcheck source=jobs/wrappers/alerts/http.sh
source "$parts/http.sh" || return
# shellcheck source=jobs/wrappers/alerts/run_log.sh
source "$parts/run_log.sh" || return
# shellcheck source=jobs/wrappers/alerts/streak.sh
source "$parts/streak.sh" || return
# shellcheck source=jobs/wrappers/alerts/message.sh
source "$parts/message.sh" || return
# shellcheck source=jobs/wrappers/alerts/outbox.sh
source "$parts/outbox.sh" || return
# shellcheck source=jobs/wrappers/alerts/deliver.sh
source "$parts/deliver.sh" || return
# shellcheck source=jobs/wrappers/alerts/ping.sh
source "$parts/ping.sh" || return
# shellcheck source=jobs/wrappers/alerts/channels/slack.sh
source "$parts/channels/slack.sh" || return
# shellcheck source=jobs/wrappers/alerts/channels/pagerduty.sh
source "$parts/channels/pagerduty.sh" || return
# shellcheck source=jobs/wrappers/alerts/channels/email.sh
source "$parts/channels/email.sh" || return
# shellcheck source=jobs/wrappers/alerts/channels/webhook.sh
source "$parts/channels/webhook.sh" || return
# shellcheck source=jobs/wrappers/alerts/channels/reports.sh
source "$parts/channels/reports.sh" || return

host=${HOSTNAME:-localhost}
host=${host//[!A-Za-z0-9._-]/_} host=${host:0:100}

# Read .env. When it cannot be read, go on with the environment alone: the job will fail, and that
# is worth an alert.
read_settings() {
  dotenv_fault "$root/.env"
  if [[ -n $REPLY ]]; then
    local fault='cannot be read'
    [[ $REPLY == cannot* ]] || fault='can be written by other users'
    note "$root/.env $fault: only settings in the environment are used"
  else
    read_dotenv "$root/.env"
  fi
}

# While the job runs: ping the monitor, and send what an earlier run could not deliver. The job does
# not wait for this.
before() (
  trap '' TERM INT HUP PIPE
  LC_ALL=C
  find_secrets
  [[ -z $ping_url ]] || ping start '' 5 1
  list_outbox
  ((${#kept_files[@]})) && lock_outbox 1 || exit
  sweep_outbox
  for channel in "${all_channels[@]}"; do (deadline=$((SECONDS + 40)) && flush "$channel") & done
  wait
)

# after PID BEGAN STAMP SAID: once the run has ended with `status`, ping the monitor and send the
# alert that is due. PID is run_job.sh's; BEGAN and STAMP are its start, in epoch seconds and as in
# a run id; SAID is the end of its stderr. All of it happens in a subshell, so that nothing here
# changes `status`.
after() (
  trap '' TERM INT HUP PIPE
  LC_ALL=C
  find_secrets
  presentable 900 "${rerun# }"
  rerun=$REPLY
  read_run "$1" "$3" "$4"
  [[ -z $ping_url ]] || ping "$status" "$log_tail" &
  find_channels
  if ((!status)) && [[ ! -e $streak ]]; then
    : # it worked, and so did the run before
  elif ((${#configured[@]})); then
    ! lock_outbox 45 || locked=yes
    read_streak "$streak"
    judge "$2" "$status"
    if ((status == 0)); then
      # While the file stays, each run that works would send this message again: send none.
      rm -f -- "$streak" 2>/dev/null || event=''
    elif ! write_part "$streak"; then
      note "state/ cannot be written: this alert comes with every run that fails"
    fi
    if [[ -n $event ]]; then
      describe
      ! send_to_all || remember_alert "$status"
    fi
    ((!status)) || write_streak "$streak"
    [[ -z ${locked-} ]] || sweep_outbox
  elif ((status == 0)); then
    rm -f -- "$streak" 2>/dev/null
  elif ((status != 75)); then
    words_for "$status"
    say "$label ended with $status ($REPLY)${log:+, see $log}; no alert channel is set \
(see .env.example): nobody was told"
  fi
  wait
)
