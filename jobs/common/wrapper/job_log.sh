# shellcheck shell=bash
# A job's log: rotated under the lock, open from START to END, at a terminal shown as well. Sourced by run_job.sh.

# Set a log that is too large aside as .1.gz. Only ever under the lock: nobody else writes the log then.
rotate_log() {
  local number size
  [[ ! -e $log.1 ]] || gzip -f -- "$log.1" 9>&- # what an interrupted rotation left
  [[ -s $log && ! -e $log.1 ]] || return 0
  size=$(stat -Lc %s -- "$log")
  ((size > log_max_bytes)) || return 0
  for ((number = log_keep; number < log_keep + 100; number++)); do
    [[ ! -e $log.$number.gz ]] || rm -f -- "$log.$number.gz"
  done
  for ((number = log_keep - 1; number > 0; number--)); do
    [[ ! -e $log.$number.gz ]] || mv -f -- "$log.$number.gz" "$log.$((number + 1)).gz"
  done
  mv -f -- "$log" "$log.1" && gzip -f -- "$log.1" 9>&-
} 2>/dev/null

# Descriptor 8 takes what this script and the job have to say: into the log, and once a person watches (7 is their
# terminal) to both.
open_log() {
  { exec 8>>"$log"; } 2>/dev/null || refuse 73 "cannot write $log: let uid $EUID write it (chown), then run again"
  log_line INFO "START ./run_job.sh $job$shown_arguments" || refuse 74 "cannot write to $log: is the disk full?"
  [[ -t 2 || -n $demo ]] || return # a demo is always for somebody who looks
  on_terminal=yes
  [[ ! -t 2 ]] || export JOB_TERMINAL_FD=7
  exec 7>&2
  printf '%s\n' "$REPLY" >&7
  # Deaf to Ctrl-C and to the closing of the terminal, so that the job's last words still reach the log. Nothing comes
  # out of its stdout: that it ends says that all has been written.
  coproc shown { trap '' INT TERM HUP; exec 9>&-; tee -a -- "$log" >&7; }
  local ended=${shown[0]} lines=${shown[1]}
  exec 6<&"$ended" 8>&"$lines" {ended}<&- {lines}>&-
}

# Wait until all has been written; not for ever, since a process that the job left behind may hold on to its stderr.
close_log() {
  exec 8>&-
  [[ -z $on_terminal ]] || read -r -t 2 -u 6
}

# REPLY = why the run ended as it did: the last thing the job complained about, unless it was ended from outside.
reason_for() {
  local words mark complaint=''
  words_for "$1"
  words=$REPLY
  printf -v mark ' %-5s [%s] ' "$2" "$run_id"
  if (($1 > 0 && $1 < 124)); then
    complaint=$(tail -c 1000000 -- "$log" | grep -aF -- "$mark" | tail -n 1)
    complaint=${complaint#*"[$run_id] "}
  fi
  REPLY=${complaint:-$words}
}
