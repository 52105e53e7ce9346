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

# Descriptor 8 is the log. When a person watches, 7 is their terminal and 5 leads to both.
open_log() {
  { exec 8>>"$log"; } 2>/dev/null || refuse 73 "cannot write $log: let uid $EUID write it (chown), then run again"
  [[ -t 2 || -n $demo ]] || return 0 # a demo is always for somebody who looks
  on_terminal=yes
  [[ ! -t 2 ]] || export JOB_TERMINAL_FD=7
  exec 7>&2
  # tee is deaf to Ctrl-C and to the closing of the terminal, so that the job's last words still reach the log. The one
  # line that comes out of its stdout says that it is deaf by now, the end of it that all has been written.
  coproc shown { trap '' INT TERM HUP; exec 9>&-; echo; tee -a -- "$log" >&7; }
  local ended=${shown[0]} lines=${shown[1]}
  exec 6<&"$ended" 5>&"$lines" {ended}<&- {lines}>&-
  read -r -u 6
}

# The first line; from then on 8 takes all that this script and the job have to say to where a person sees it, too.
start_log() {
  log_line INFO "START ./run_job.sh $job$1" || refuse 74 "cannot write to $log: is the disk full?"
  [[ -n $on_terminal ]] || return 0
  printf '%s\n' "$REPLY" >&7
  exec 8>&5 5>&-
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
