# shellcheck shell=bash
# Decide which run causes an alert: the first failure of a streak; a later one only when its exit
# code differs, or ALERT_REPEAT_HOURS after the last alert. Sourced by alerts.sh.
#
# A streak is a row of failed runs of a job, remembered in state/JOB.alerted. Without the file there
# is no streak. It has lines NAME=NUMBER, and each NAME is a variable here. Times are epoch seconds,
# and 0 means none:
#   code      exit code of the failure that caused the last alert
#   since     start of the streak's first failed run
#   alerted   time of the last alert about a failure
#   count     number of failed runs in the streak
#   skipped   number of runs in a row that have said "not now" (75)
#   waiting   start of the first of these
#   stuck     time of the last alert about them
#
# Sets  event   what to send: failure, stuck, recovery; empty for nothing

# Read the FILE. A file that holds anything else counts as no streak.
read_streak() {
  local line
  forget
  [[ -f $1 ]] && is_ours "$1" || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^(code|since|alerted|count|skipped|waiting|stuck)=(0|[1-9][0-9]{0,11})$ ]]; then
      printf -v "${line%%=*}" %s "${line#*=}"
    else
      forget
      return
    fi
  done 2>/dev/null <"$1"
  ((count || skipped)) || forget
}

forget() {
  code=0 since=0 alerted=0 count=0 skipped=0 waiting=0 stuck=0
}

# judge BEGAN STATUS: set `event` for the run that began then (epoch seconds) and ended so, and
# count the run in the streak.
judge() {
  local began=$1 status=$2 quiet
  setting ALERT_REPEAT_HOURS 6
  if [[ ! $REPLY =~ ^[0-9]{1,6}$ ]]; then
    note "ALERT_REPEAT_HOURS must be a number of hours: 6 is used"
    REPLY=6
  fi
  quiet=$((10#$REPLY * 3600)) event=''
  case $status in
    0)
      ((!alerted && !stuck)) || event=recovery
      ((since)) || since=$waiting
      ;;
    75)
      ((skipped++)) || waiting=$began
      ((skipped < 3)) || ! due "$stuck" "$quiet" || event=stuck
      ;;
    *)
      skipped=0 waiting=0 count=$((count + 1))
      ((count > 1)) || since=$began
      if ((status != code)) || due "$alerted" "$quiet"; then event=failure; fi
      ;;
  esac
}

# due TIME QUIET: has it been quiet for QUIET seconds since the alert of that TIME (0: there was
# none)? A TIME in the future is a mistake of some clock, and counts as long ago.
due() {
  (($1 == 0 || EPOCHSECONDS - $1 >= $2 || $1 > EPOCHSECONDS + 3600))
}

# Note that the alert about STATUS was sent, or waits in the outbox.
remember_alert() {
  case $event in
    failure) code=$1 alerted=$EPOCHSECONDS ;;
    stuck) stuck=$EPOCHSECONDS ;;
  esac
}

# Write the streak to FILE.
write_streak() {
  write_part "$1" && mv -f -- "$1.part" "$1" 2>/dev/null
}

# Write it to FILE.part. This fails when FILE cannot be written either.
write_part() {
  is_ours "$1" && is_ours "$1.part" || return
  { printf '%s=%s\n' code "$code" since "$since" alerted "$alerted" count "$count" \
    skipped "$skipped" waiting "$waiting" stuck "$stuck" >"$1.part"; } 2>/dev/null
}
