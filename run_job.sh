#!/usr/bin/env bash
# Run one job: alone, logged, within a time limit, and with an exit status that can be believed.
#
# Usage:
#   ./run_job.sh JOB [options]      run jobs/JOB.py; `./run_job.sh JOB --help` says what it takes
#   ./run_job.sh JOB --demo         the same on sample records and a stand-in for Claude, all of it in state/demo/
#   ./run_job.sh --list             the jobs there are
#   ./run_job.sh --setup            make venv/ from requirements.txt (done by itself when a job needs it)
#   ./run_job.sh --setup --with postgres --with celery
#                                   the same with requirements-postgres.txt and requirements-celery.txt
#   ./run_job.sh --install-cron     put the lines of crontab.example into your crontab, and keep everything else in it
#   ./run_job.sh --remove-cron      take them out again
#   ./run_job.sh --help             this text
#
# What the job writes to stderr goes to logs/JOB.log, between a START and an END line; at a terminal it is shown as
# well. stdout is the job's own. Each run leaves one line in state/history.tsv.
#
# Settings, from the environment, then .env, then the default. NAME_JOB (JOB_TIMEOUT_DAILY_REPORT) wins over NAME.
#   JOB_TIMEOUT=6h          the job is told to stop (TERM) after this long ...
#   JOB_KILL_AFTER=30s      ... and is killed this much later, should it still be there
#   JOB_TRIES=1             how many times in all a job that says "not now" (75) is started
#   JOB_RETRY_WAIT=60s      the time between two of these
#   LOG_MAX_BYTES=52428800  a log that has grown larger is set aside as logs/JOB.log.1.gz
#   LOG_KEEP=8              how many of those are kept
#   PYTHON=python3          what venv/ is made with (environment only)
#
# Exit codes: the job's own, or 2 no such job, 73 logs/, state/ or reports/ cannot be written, 74 disk full,
# 75 already running, 78 wrong setting or no venv/, 124 time limit, 137 killed, 128+N stopped by signal N.

set -u +e
set +o posix
root=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${root%/*}
# shellcheck source=jobs/common/wrapper.sh
source "$root/jobs/common/wrapper.sh" || exit 78

# The comment at the top is the manual.
manual() {
  local line
  while IFS= read -r line && [[ $line == '#'* ]]; do
    line=${line#'#'}
    [[ $line == '!'* ]] || printf '%s\n' "${line# }"
  done <"$root/run_job.sh"
}

# Each job, then each script for the operator.
job_files() {
  local file
  files=()
  for file in "$root"/jobs/*.py "$root"/jobs/ops/*.py; do
    file=${file%.py}
    ! is_name "${file##*/}" || files+=("$file.py")
  done
}

# With the first line of its docstring.
list_jobs() {
  local file line
  job_files
  for file in "${files[@]}"; do
    while IFS= read -r line && [[ $line != '"""'?* ]]; do :; done <"$file"
    line=${line#'"""'} file=${file##*/}
    printf '%-20s %s\n' "${file%.py}" "${line%'"""'}"
  done
}

need_venv() {
  venv_is_ready && return
  # shellcheck source=jobs/common/setup.sh
  source "$root/jobs/common/setup.sh" || exit 78
  make_venv
}

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

asked=0 passed_on=0 child=''

# The job is told to stop each time we are; always with TERM. `timeout` hands on the first one and is deaf to the others,
# which therefore go to its process group.
pass_on() {
  while [[ -n $child ]] && ((passed_on < asked)); do
    # What is still a copy of this script, about to become `timeout`, would swallow it.
    while [[ /proc/$child/exe -ef /proc/$$/exe ]]; do :; done
    if ((passed_on++)); then
      kill -TERM -- "-$child"
    else
      kill -TERM "$child"
    fi
  done
} 2>/dev/null

# The exit status of `child`. A signal ends `wait` early, with a status that is not the child's; the last `wait` has it.
await_child() {
  child=$!
  pass_on
  while kill -0 "$child" 2>/dev/null; do wait "$child"; done
  wait "$child"
  status=$? child=''
} 2>/dev/null # "Killed ..." is bash's remark, the END line says it better

# Told to stop, nothing may be left of the job: neither what it has started itself, nor the job, which timeout leaves alone
# when the signal comes in the very moment of starting it.
end_group() {
  local tenths=0
  while group_lives "$1"; do
    ((tenths > 0)) || kill -TERM -- "-$1"
    ((tenths++ < kill_after * 10)) || kill -KILL -- "-$1"
    sleep 0.1 9>&- 8>&- 6<&-
  done
} 2>/dev/null

# By /proc, since `kill -0` also finds the dead that nobody has collected yet.
group_lives() {
  local stat
  for stat in /proc/[0-9]*/stat; do
    IFS= read -r stat <"$stat" || continue
    [[ ! ${stat##*) } =~ ^[^ZX]\ [0-9]+\ $1\  ]] || return 0
  done
  return 1
}

# timeout makes a process group of its own, so that all that the job has started ends with it. When a person may be asked
# something (stdin is their terminal) it is a session of its own: a mere background group could not read from there, and
# in ours the job would be told of Ctrl-C by the terminal, by timeout and by us.
run_once() {
  local command=(timeout -k "$kill_after" "$time_limit" "$root/venv/bin/python" "$root/jobs/$job.py" "$@")
  if [[ -t 0 ]]; then
    setsid "${command[@]}" <&0 2>&8 8>&- 6<&- &
  else
    "${command[@]}" </dev/null 2>&8 8>&- 6<&- &
  fi
  local group=$!
  await_child
  ((asked == 0)) || end_group "$group"
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

# --- what is asked for ---

case ${1-} in
  '') printf 'usage: ./run_job.sh JOB [options] | --list | --setup | --install-cron | --help\n' >&2; exit 2 ;;
  -h | --help) manual; exit ;;
  --list) list_jobs; exit ;;
esac
prepare_environment
utc %Y%m%dT%H%M%SZ
run_id=$REPLY-$$
set_places "$@"

if [[ $1 == --setup ]]; then
  shift
  ensure_directories "$state" "$logs" "$reports"
  # shellcheck source=jobs/common/setup.sh
  source "$root/jobs/common/setup.sh" || exit 78
  make_venv "$@"
  say 'venv/ is ready'
  exit
fi

if [[ $1 == --install-cron || $1 == --remove-cron ]]; then
  ensure_directories "$state"
  # shellcheck source=jobs/common/install_cron.sh
  source "$root/jobs/common/install_cron.sh" || exit 78
  change_crontab "$@"
  exit
fi

name=$1
shift
if is_name "$name" && [[ -f $root/jobs/$name.py ]]; then
  file=$root/jobs/$name.py
elif is_name "$name" && [[ -f $root/jobs/ops/$name.py ]]; then
  file=$root/jobs/ops/$name.py
else
  printf -v shown '%q' "${name:0:80}"
  job_files
  files=("${files[@]##*/}") files=("${files[@]%.py}")
  say "no job is called $shown; there are: ${files[*]}"
  exit 2
fi

# --- questions: neither lock, log nor time limit ---

if [[ $file == */ops/* || " $* " == *' --help '* || " $* " == *' -h '* ]]; then
  need_venv
  PYTHONPATH=$root/jobs exec "$root/venv/bin/python" "$file" "$@"
fi

# --- may it run? ---

job=$name
log=$logs/$job.log
ensure_directories "$state" "$logs" "$reports"
read_dotenv "$root/.env"
duration_setting JOB_TIMEOUT 6h 1; time_limit=$REPLY
duration_setting JOB_KILL_AFTER 30s 1; kill_after=$REPLY
duration_setting JOB_RETRY_WAIT 60s 0; retry_wait=$REPLY
number_setting JOB_TRIES 1 1; tries=$REPLY
number_setting LOG_MAX_BYTES 52428800 1; log_max_bytes=$REPLY
number_setting LOG_KEEP 8 1; log_keep=$REPLY
take_lock
need_venv

# --- run it ---

trap 'asked=$((asked + 1)); pass_on' TERM INT HUP
trap : PIPE # whoever read our stderr may be gone
rotate_log
shown_arguments=''
(($# == 0)) || printf -v shown_arguments ' %q' "$@"
open_log
export RUN_ID=$run_id JOB_LOCK_FD=9 PYTHONUNBUFFERED=1
status=75
for ((try = 1; ! asked; try++)); do
  run_once "$@"
  ((status == 75 && try < tries && ! asked)) || break
  log_line WARN "try $try of $tries ended with 75 (not now): again in ${retry_wait}s"
  code=$status
  sleep "$retry_wait" 9>&- 8>&- 6<&- &
  await_child
  status=$code
done

# --- and say how it went ---

level=ERROR
case $status in
  0) level=INFO ;;
  75) level=WARN ;;
esac
reason_for "$status" "$level"
reason=$REPLY
words_for "$status"
words=$REPLY
elapsed
log_line "$level" "END code=$status seconds=$REPLY ($words)"
close_log
append_history "$status" "$reason"
if [[ -z $on_terminal && $level == ERROR ]]; then
  say "$job ended with $status: $reason; see $log"
fi
exit "$status"
