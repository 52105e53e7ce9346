# shellcheck shell=bash
# state/outbox/: here alerts that could not be delivered wait for the next run of any job, and
# announcements of reports until they are sent. Sourced by alerts.sh.
#
# Each alert and channel has a file, MICROSECONDS-PID.CHANNEL.JOB, with the message as X_payload
# made it. It holds no address and no key: X_send looks these up in that job's settings. A file is
# written whole or not at all. Alerts are sent in order; one is dropped after three days, or when
# more than 200 wait. An announcement has the digits of its day in the place of PID.
#
# Sets  outbox (the folder), kept_files, outbox_lock (a descriptor)

outbox=${root:?}/state/outbox

# lock_outbox SECONDS: take the lock that everybody needs who sends from the outbox. Fails when it
# cannot be had within SECONDS.
lock_outbox() {
  is_ours "$outbox/_lock" || return
  { mkdir -p -- "$outbox" && exec {outbox_lock}>>"$outbox/_lock" && [[ -w $outbox ]] &&
    flock -w "$1" "$outbox_lock"; } 2>/dev/null
}

unlock_outbox() {
  exec {outbox_lock}>&-
} 2>/dev/null

# list_outbox [CHANNEL]: set `kept_files`, those of the channel (default: of all), oldest first.
list_outbox() {
  local file channel=${1-} IFS='|'
  kept_files=()
  channel=${channel:-(${all_channels[*]})}
  for file in "$outbox"/[0-9]*; do
    if [[ ${file##*/} =~ ^[0-9]{16}-[0-9]+\.$channel\.[a-z_0-9]+$ ]] && is_ours "$file"; then
      kept_files+=("$file")
    fi
  done
}

# keep CHANNEL MESSAGE: put the message into the outbox. Fails when it cannot be written.
keep() {
  local file=${EPOCHREALTIME//[!0-9]/}-$$.$1.$label
  { mkdir -p -- "$outbox" && printf '%s' "$2" >"$outbox/.$file.part" &&
    mv -f -- "$outbox/.$file.part" "$outbox/$file"; } 2>/dev/null
}

# flush CHANNEL: send what waits for the channel, until a message cannot be delivered. Fails when a
# message is left; REPLY = why. Changes `job`.
flush() {
  local file body job name what='a kept alert' # of job NAME
  [[ $1 != report_* ]] || what='the announcement of a report'
  list_outbox "$1"
  for file in "${kept_files[@]}"; do
    REPLY='no time is left'
    ((SECONDS < deadline)) && body=$(<"$file") || return
    name=${file##*.} job=''
    ! is_name "$name" || job=$name
    has_channel "$1" || continue
    "$1_send" "$body"
    case $? in
      1)
        say "$1: $REPLY: $what of $name is given up; ./notify_on_failure.sh --test says \
what is wrong"
        ;;
      2) return 2 ;;
      *) [[ -z ${tells-} ]] || printf '%s: %s of %s is sent\n' "$1" "$what" "$name" ;;
    esac
    REPLY="$file cannot be removed"
    rm -f -- "$file" || return
  done
}

# For --outbox: send all that waits, and print what came of it. Returns 0, or 69 when something
# still waits.
send_outbox() {
  local channel pids=() pid result=0 tells=yes
  if ! lock_outbox 45; then
    [[ -e $outbox ]] || return 0
    say 'another run is sending what waits in state/outbox/, or it cannot be written'
    return 69
  fi
  sweep_outbox
  for channel in "${all_channels[@]}"; do
    (
      trap '' TERM INT HUP PIPE # finish: it takes less than a minute
      deadline=$((SECONDS + 40))
      flush "$channel" && exit
      say "$channel: $REPLY: it waits in state/outbox/, and the next run of any \
job sends it"
      exit 69
    ) &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || result=69
  done
  return "$result"
}

# Drop alerts that are too old, and the oldest ones when more than 200 wait.
sweep_outbox() {
  local file age count what
  list_outbox
  count=${#kept_files[@]}
  for file in "${kept_files[@]}"; do
    file=${file##*/}
    age=$((EPOCHSECONDS - 10#${file:0:10}))
    ((age > 3 * 86400 || count > 200)) || break
    rm -f -- "$outbox/$file" 2>/dev/null || return
    count=$((count - 1))
    duration_words "$age"
    what='an alert'
    [[ $file != *.report_* ]] || what='the announcement of a report'
    say "$what of ${file##*.} is given up: it could not be delivered for $REPLY, or more than \
200 wait ($file)"
  done
  # What a run that died has left: unfinished, or about a report that it had not put down.
  find "$outbox" -maxdepth 1 \( -name '.*.part' -mmin +60 -o -name 'pending-*' -mtime +2 \) \
    -delete 2>/dev/null
}
