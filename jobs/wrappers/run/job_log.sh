# shellcheck shell=bash
# The job's log: moved away when it is too large, open from START to END, and shown at a terminal,
# too. Sourced by run_job.sh; uses shared.sh.
#
# Descriptors, while the log is open:
#   8   the log, for this script; the job's stderr
#   7   at a terminal: stderr as this script got it
#   6   at a terminal: closes when all has been written

# Move a log that is too large to JOB.log.1.gz, after JOB.log.1.gz to .2.gz, and so on. Whoever
# calls this holds the lock, so that nobody else writes the log.
rotate_log() {
  local number size
  [[ ! -e $log.1 ]] || gzip -f -- "$log.1" 9>&- # an earlier run was interrupted in here
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

# Open the log on descriptor 8. At a terminal, descriptor 5 leads to both the log and the terminal.
open_log() {
  { exec 8>>"$log"; } 2>/dev/null ||
    refuse 73 "cannot write $log: let uid $EUID write it (chown), then run again"
  [[ -t 2 || -n $demo ]] || return 0 # a person watches every demo
  on_terminal=yes
  [[ ! -t 2 ]] || export JOB_TERMINAL_FD=7
  exec 7>&2
  # tee ignores Ctrl-C and the closing of the terminal, so that the job's last words still reach the
  # log. We read one empty line once it ignores them, and the end of file when it has written all.
  coproc log_and_terminal { trap '' INT TERM HUP; exec 9>&-; echo; tee -a -- "$log" >&7; }
  local ended=${log_and_terminal[0]} lines=${log_and_terminal[1]}
  exec 6<&"$ended" 5>&"$lines" {ended}<&- {lines}>&-
  read -r -u 6
}

# start_log ARGUMENTS: write the START line. From then on, at a terminal, all that goes to
# descriptor 8 is shown as well. Ends the run with 74 when the line cannot be written.
start_log() {
  log_line INFO "START ./run_job.sh $job$1" || refuse 74 "cannot write to $log: is the disk full?"
  [[ -n $on_terminal ]] || return 0
  printf '%s\n' "$REPLY" >&7
  exec 8>&5 5>&-
}

# Wait until all has been written, but for 2 seconds at most: a process that the job left behind may
# keep its stderr open.
close_log() {
  exec 8>&-
  [[ -z $on_terminal ]] || read -r -t 2 -u 6
}

# reason_for CODE LEVEL: REPLY = why the run ended so: the last line of that level in the log, else
# what the code means. A job that was ended from outside (124 and up) gets the latter.
reason_for() {
  local words mark complaint=''
  words_for "$1"
  words=$REPLY
  printf -v mark ' %-5s [%s] ' "$2" "$run_id"
  if (($1 > 0 && $1 < 124)); then
    # What looks wrong in the outputs is told after why the run ends, and is never why.
    complaint=$(tail -c 1000000 -- "$log" | grep -aF -- "$mark" | grep -avF -- "] looks wrong: " |
      tail -n 1)
    complaint=${complaint#*"[$run_id] "}
  fi
  REPLY=${complaint:-$words}
}
