# shellcheck shell=bash
# Which failure is worth an alert: one for each streak, and not again until it has been quiet for ALERT_REPEAT_HOURS or
# fails in another way. Sourced by notify_on_failure.sh.
#
# state/JOB.alerted remembers the streak; no file, no streak. Lines NAME=NUMBER, times in epoch seconds, 0 = none:
#   code     the exit code of the failure that was alerted       since    start of the streak's first failed run
#   alerted  the last alert of a failure                         count    failed runs of the streak
#   skipped  how many runs in a row have said "not now" (75)     waiting  start of the first of these
#   stuck    the last alert about them

# Read the file. One that holds anything else counts as none.
read_streak() {
  local line
  forget
  [[ -f $1 ]] || return 0
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

forget() { code=0 since=0 alerted=0 count=0 skipped=0 waiting=0 stuck=0; }

# What the run that began at SECOND and ended with STATUS means: event = failure, stuck, recovery, or nothing to say.
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

# Was the last alert (0: there was none) longer than QUIET seconds ago? In the future it cannot have been.
due() {
  (($1 == 0 || EPOCHSECONDS - $1 >= $2 || $1 > EPOCHSECONDS + 3600))
}

# Take down that somebody was told, or will be.
told() {
  case $event in
    failure) code=$1 alerted=$EPOCHSECONDS ;;
    stuck) stuck=$EPOCHSECONDS ;;
  esac
}

write_streak() {
  write_part "$1" && mv -f -- "$1.part" "$1" 2>/dev/null
}

# All of it into a file beside it, which proves that it can be written.
write_part() {
  { printf '%s=%s\n' code "$code" since "$since" alerted "$alerted" count "$count" skipped "$skipped" \
    waiting "$waiting" stuck "$stuck" >"$1.part"; } 2>/dev/null
}
