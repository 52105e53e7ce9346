# shellcheck shell=bash
# The lock that keeps a job from running twice at once. Sourced by run_job.sh; uses shared.sh.

# Lock state/JOB.lock, through descriptor 9. The job inherits the descriptor: should this script
# die, the lock stays until the job ends. Whoever holds the lock writes pid, time and run id into
# the file. Nobody deletes the file. Ends the run with 75 when another run of the job holds the
# lock.
take_lock() {
  local lock=$state/$job.lock pid='' since=''
  need_ours "$lock"
  while :; do
    { exec 9>>"$lock"; } 2>/dev/null ||
      refuse 73 "cannot write $lock: let uid $EUID write it (chown), then run again"
    flock -n -E 75 9
    case $? in
      # If somebody did delete the file, another run may hold the lock of a new one: try again.
      0) [[ ! /dev/fd/9 -ef $lock ]] || break ;;
      75)
        read -r pid since _ <"$lock"
        refuse 75 "$job is already running since ${since:-just now}, pid ${pid:-unknown}: \
nothing done"
        ;;
      127) refuse 78 'flock is missing: apt-get install util-linux' ;;
      *) refuse 73 "cannot lock $lock: does its file system support locks?" ;;
    esac
  done
  utc
  # Written over the old line, without emptying the file first: a reader finds one of the two lines.
  printf '%-79s\n' "$$ $REPLY $run_id" 1<>"$lock"
}
