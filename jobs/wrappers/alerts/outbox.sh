# shellcheck shell=bash
# Alerts that could not be delivered wait in state/outbox/ for the next run of any job. Sourced by notify_on_failure.sh.
#
# One file for each alert and channel, MICROSECONDS-PID.CHANNEL.JOB: what is to be sent, ready but for the secret (the
# address or key is looked up again when it is sent, with that job's settings). Written whole or not at all; sent in
# order; given up after three days, or when more than 200 wait.

outbox=${root:?}/state/outbox

# Nobody sends from the outbox but who holds this lock, on descriptor `outbox_lock`; fails after SECONDS.
lock_outbox() {
  { mkdir -p -- "$outbox" && exec {outbox_lock}>>"$outbox.lock" && [[ -w $outbox ]] &&
    flock -w "$1" "$outbox_lock"; } 2>/dev/null
}

unlock_outbox() {
  exec {outbox_lock}>&-
} 2>/dev/null

# `waiting` = the files of CHANNEL (default: of all), oldest first.
list_outbox() {
  local LC_ALL=C file channel=${1:-[a-z]+} # the order of a glob is that of its bytes
  waiting=()
  for file in "$outbox"/[0-9]*; do
    [[ ! ${file##*/} =~ ^[0-9]{16}-[0-9]+\.$channel\.[a-z_0-9]+$ ]] || waiting+=("$file")
  done
}

# Keep BODY for CHANNEL.
keep() {
  local file=${EPOCHREALTIME//[!0-9]/}-$$.$1.$label
  { mkdir -p -- "$outbox" && printf '%s' "$2" >"$outbox/.$file.part" && mv -f -- "$outbox/.$file.part" "$outbox/$file"; } 2>/dev/null
}

# Send what waits for CHANNEL, until one cannot be delivered. Fails when something is left.
flush() {
  local file body job name
  list_outbox "$1"
  for file in "${waiting[@]}"; do
    ((SECONDS < deadline)) && body=$(<"$file") || return
    name=${file##*.} job=''
    ! is_name "$name" || job=$name
    has_channel "$1" || continue
    "$1_send" "$body"
    case $? in
      1) say "$1: $REPLY: a kept alert of $name is given up; ./notify_on_failure.sh --test says what is wrong" ;;
      2) return 2 ;;
    esac
    rm -f -- "$file" || return
  done
}

# Give up what is too old or too much.
sweep_outbox() {
  local file age count
  list_outbox
  count=${#waiting[@]}
  for file in "${waiting[@]}"; do
    file=${file##*/}
    age=$((EPOCHSECONDS - 10#${file:0:10}))
    ((age > 3 * 86400 || count > 200)) || break
    rm -f -- "$outbox/$file" 2>/dev/null || return
    count=$((count - 1))
    duration_words "$age"
    say "an alert of ${file##*.} is given up: it could not be delivered for $REPLY, or more than 200 wait ($file)"
  done
  find "$outbox" -maxdepth 1 -name '.*.part' -mmin +60 -delete 2>/dev/null
}
