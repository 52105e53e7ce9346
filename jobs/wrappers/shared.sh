# shellcheck shell=bash
# What both wrappers share: environment, folders, log lines, history, settings, and the check of
# venv/. Sourced by run_job.sh and by alerts.sh.
#
# Functions give their results in REPLY, not through $(...): a fork costs about as much as
# everything else that a function does. No function here forks in a run that goes well.
#
# Uses  root           the folder of this installation
# Sets  script, job, run_id, log, demo, celery, measure, on_terminal     see below
#       state, logs, reports                            set_places(): where this run keeps its files

: "${root:?must be set before this file is sourced}"
# shellcheck source=jobs/wrappers/dotenv.sh
source "$root/jobs/wrappers/dotenv.sh" || exit 78

script=${0##*/}
job=''         # the job's name, as soon as it is known to be a valid one
run_id=''      # 20261122T020001Z-4711: start in UTC, pid of the wrapper
log=''         # path of the job's log
demo=''        # not empty: --demo is among the options
celery=''      # not empty: --celery is
measure=''     # --try or --eval, where the job only looks at answers
on_terminal='' # not empty: a person watches stderr, where all lines of the log appear as well

# Make the environment the same under cron, at a terminal and in a test.
prepare_environment() {
  umask 077 # logs and reports quote customers
  export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}" LANG="${LANG:-C.UTF-8}"
  # These would make Python look for modules outside venv/, or compile all of them at each start.
  unset PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE
}

# REPLY = now, in UTC, by strftime FORMAT (default: the one of log lines).
utc() {
  TZ=UTC0 printf -v REPLY "%(${1:-%FT%TZ})T" -1
}

# REPLY = seconds since this script started, rounded. (SECONDS counts how often the clock's seconds
# changed, which can be one more.)
started=${EPOCHREALTIME//[!0-9]/}
elapsed() {
  REPLY=$(((${EPOCHREALTIME//[!0-9]/} - started + 500000) / 1000000))
}

# Can a job have this name?
is_name() {
  [[ $1 =~ ^[a-z][a-z0-9_]*$ ]]
}

# REPLY = the name of the job, or of the operator's script, that ARGUMENT means: its name, or a path
# that leads to it from here or from the installation. Any other ARGUMENT comes back as it is.
name_of() {
  local name=${1##*/} place
  name=${name%.py} REPLY=$1
  is_name "$name" && [[ $1 != "$name" ]] || return 0
  for place in "$root/jobs/$name.py" "$root/jobs/ops/$name.py"; do
    if [[ -f $place && ($1 == "$name.py" || ${1%.py}.py -ef $place ||
      $root/${1%.py}.py -ef $place) ]]; then
      REPLY=$name
      return
    fi
  done
}

# Do these ARGUMENTS only ask? Then nothing is run: nothing is paid for, changed, logged or alerted.
only_asks() {
  local argument
  for argument in "$@"; do
    case $argument in
      -h | --help | --dry-run) return 0 ;;
    esac
  done
  return 1
}

# Set `state`, `logs` and `reports` (and `demo`, `celery`, `measure`) for these ARGUMENTS: with
# --demo they are in state/demo/. `measure` is --try or --eval where the job only looks at answers:
# how that ends says nothing about how the job runs at night.
set_places() {
  state=$root/state logs=$root/logs reports=$root/reports
  local argument
  for argument in "$@"; do
    if [[ $argument =~ ^--(try|eval)(=.*)?$ ]]; then
      measure=--${BASH_REMATCH[1]}
    elif [[ $argument == --celery ]]; then
      celery=yes
    elif [[ $argument == --demo ]]; then
      demo=yes
      state=$root/state/demo
      logs=$state/logs reports=$state/reports
    fi
  done
}

# Is FILE missing, or a regular file of ours? Somebody may have put a link or a pipe there.
is_ours() {
  [[ ! -L $1 && (! -e $1 || (-f $1 && (-O $1 || $EUID == 0))) ]]
}

# End the run with 73 when one of these FILES is not.
need_ours() {
  local file
  for file in "$@"; do
    is_ours "$file" || refuse 73 "cannot write $file: it is no file of uid $EUID, but a link, a \
pipe, a folder or somebody else's: remove it, then run again"
  done
}

# Make the directories, and make sure that they can be written, by writing: permissions say nothing
# about root, nor about a read-only mount. Ends the run with 73 when one cannot be written.
ensure_directories() {
  local directory proof proofs=() broken=''
  for directory in "$@"; do
    proof=$directory/.writable.$$
    if { { [[ -d $directory ]] || mkdir -p -- "$directory"; } && is_ours "$proof" &&
      : >"$proof"; } 2>/dev/null; then
      proofs+=("$proof")
    else
      broken=${broken:-$directory}
    fi
  done
  [[ ${#proofs[@]} == 0 ]] || rm -f -- "${proofs[@]}"
  [[ -z $broken ]] || refuse 73 "cannot write in $broken: make it a directory that uid $EUID can \
write (chown), then run again"
}

# --- messages, log lines, history ---

# REPLY = what an exit code means.
words_for() {
  case $1 in
    0) REPLY='done, or nothing to do' ;;
    1) REPLY='unexpected error' ;;
    2) REPLY='wrong usage' ;;
    3)
      REPLY='finished, but records failed or became dead letters'
      [[ $measure != --eval ]] || REPLY='not as accurate as asked, or nothing could be compared'
      ;;
    4) REPLY='stopped at the cost cap; the rest waits' ;;
    69) REPLY='Claude or the database could not be reached; progress kept' ;;
    73) REPLY='cannot write logs/, state/ or reports/' ;;
    74) REPLY='disk full or failing' ;;
    75) REPLY='not now' ;;
    77) REPLY='refused: key, permission, billing or spend limit' ;;
    78) REPLY='settings wrong or missing, or no venv' ;;
    124) REPLY='time limit (JOB_TIMEOUT)' ;;
    126) REPLY='cannot execute' ;;
    127) REPLY='command not found' ;;
    137)
      REPLY='killed: kill -9, out of memory, or still there JOB_KILL_AFTER after being told to stop'
      ;;
    *)
      if (($1 > 128 && $1 < 193)); then
        REPLY="stopped by signal $(($1 - 128))"
      else
        REPLY="a code of the job's own"
      fi
      ;;
  esac
}

# Print one line to stderr: for the person at the terminal, or for cron's mail.
say() {
  printf '%s: %s\n' "$script" "$1" >&2
}

# Print TEXT, the answer to a question, to stdout. A reader that has gone away (`... | head -1`) is
# no error; a disk that is full is one.
answer() {
  trap '' PIPE
  { printf '%s' "$1"; } 2>/dev/null || [[ -p /dev/stdout || -S /dev/stdout ]] ||
    refuse 74 'cannot write to stdout: is the disk full?'
}

# log_line LEVEL TEXT: write one line to descriptor 8, the open log. Fails when it cannot be
# written.
log_line() {
  utc
  printf -v REPLY '%s %-5s [%s] %s' "$REPLY" "$1" "$run_id" "$2"
  { printf '%s\n' "$REPLY" >&8; } 2>/dev/null
}

# REPLY = TEXT on one line without control characters: at most 200 bytes, and whole characters only.
one_line() {
  REPLY=${1//[[:cntrl:]]/ }
  REPLY=${REPLY:0:200}
  until fits 200 "$REPLY"; do REPLY=${REPLY%?}; done
}

# Is TEXT at most N bytes long?
fits() {
  local LC_ALL=C
  ((${#2} <= $1))
}

# append_history CODE REASON: add this run's line to state/history.tsv: end time, run id, job, code,
# seconds, reason, which begins with the `measure` where there is one. It is one write, so that the
# lines of runs that end together stay whole. It never fails: a line that cannot be written does not
# change how the run went.
append_history() {
  local seconds reason
  [[ -n $job ]] && is_ours "$state/history.tsv" || return 0
  one_line "${measure:+$measure: }$2"
  reason=$REPLY
  elapsed
  seconds=$REPLY
  utc
  { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$REPLY" "$run_id" "$job" "$1" "$seconds" "$reason" \
    >>"$state/history.tsv"; } 2>/dev/null || return 0
}

# refuse CODE REASON: end before the job has begun.
refuse() {
  say "$2"
  append_history "$1" "$2"
  exit "$1"
}

# --- settings ---

# setting NAME DEFAULT: REPLY = the setting's value without white space around it; setting_name =
# the name under which it was set. NAME_JOB wins over NAME, and for each of the two the environment
# wins over .env. A blank value counts as not set.
setting() {
  for setting_name in ${job:+"$1_${job^^}"} "$1"; do
    for REPLY in "${!setting_name-}" "${dotenv[$setting_name]-}"; do
      REPLY=${REPLY#"${REPLY%%[![:space:]]*}"}
      REPLY=${REPLY%"${REPLY##*[![:space:]]}"}
      [[ -z $REPLY ]] || return 0
    done
  done
  REPLY=$2
}

# duration_setting NAME DEFAULT MINIMUM: REPLY = the setting in seconds. Ends the run with 78 when
# the value is no duration, or less than MINIMUM seconds.
duration_setting() {
  local -A unit=([s]=1 [m]=60 [h]=3600 [d]=86400)
  setting "$1" "$2"
  if [[ $REPLY =~ ^([0-9]{1,8})([smhd]?)$ ]]; then
    local seconds=$((10#${BASH_REMATCH[1]} * ${unit[${BASH_REMATCH[2]:-s}]}))
    if ((seconds >= $3)); then
      REPLY=$seconds
      return
    fi
  fi
  refuse_setting "a duration of at least ${3}s, such as 90, 90s, 15m, 6h or 1d"
}

# number_setting NAME DEFAULT MINIMUM: REPLY = the setting. Ends the run with 78 when the value is
# no whole number, or less than MINIMUM.
number_setting() {
  setting "$1" "$2"
  if [[ $REPLY =~ ^[0-9]{1,15}$ ]] && ((10#$REPLY >= $3)); then
    REPLY=$((10#$REPLY))
    return
  fi
  refuse_setting "a whole number of at least $3"
}

refuse_setting() {
  printf -v REPLY '%q' "$REPLY"
  refuse 78 "$setting_name=$REPLY is wrong: it must be $1; change it in .env or in the environment"
}

# --- venv/ ---

# Is venv/ complete, up to date with the requirements files, and made by the Python it points to?
venv_is_ready() {
  local stamp made wanted
  [[ -x $root/venv/bin/python && -f $root/venv/requirements.txt ]] && same_interpreter || return
  for stamp in "$root"/venv/requirements*.txt; do
    [[ -f $root/${stamp##*/} ]] || continue
    made='' wanted=''
    IFS= read -r -d '' made <"$stamp"
    IFS= read -r -d '' wanted <"$root/${stamp##*/}"
    [[ $made == "$wanted" ]] || return
  done 2>/dev/null
}

# Does venv/bin/python lead to the Python that made venv/? After an upgrade of the system it may
# lead to another one, which does not see the packages in venv/lib/.
same_interpreter() {
  local key value
  [[ -x $root/venv/bin/python ]] || return
  while IFS=' =' read -r key value; do
    [[ $key != executable ]] || { [[ $value -ef $root/venv/bin/python ]]; return; }
  done 2>/dev/null <"$root/venv/pyvenv.cfg"
  return 0
}
