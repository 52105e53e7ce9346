# shellcheck shell=bash
# One run of a job at a time. Sourced by run_job.sh; uses wrapper.sh.

# Hold state/JOB.lock on descriptor 9 for as long as this script or the job lives: the job inherits it, so that the
# death of this script does not let a second job in. The file is never deleted; whoever holds it writes its name in it.
take_lock() {
  local lock=$state/$job.lock pid='' since=''
  while :; do
    { exec 9>>"$lock"; } 2>/dev/null || refuse 73 "cannot write $lock: let uid $EUID write it (chown), then run again"
    flock -n -E 75 9
    case $? in
      0) [[ ! /dev/fd/9 -ef $lock ]] || break ;; # somebody did delete it, and another may hold the new one: again
      75)
        read -r pid since _ <"$lock"
        refuse 75 "$job is already running since ${since:-just now}, pid ${pid:-unknown}: nothing done"
        ;;
      127) refuse 78 'flock is missing: apt-get install util-linux' ;;
      *) refuse 73 "cannot lock $lock: does its file system know locks?" ;;
    esac
  done
  utc
  # Over what was there, not truncated first: a reader finds the one or the other.
  printf '%-79s\n' "$$ $REPLY $run_id" 1<>"$lock"
}
