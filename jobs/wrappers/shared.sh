# shellcheck shell=bash
# What the wrappers share: settings, log lines, history, words. Sourced, never run; `root` is set by the one who sources.
#
# No function here forks on the way of a run that goes well: answers come back in REPLY, not through $(...), since
# a fork costs about as much as everything else a function does.

: "${root:?is the installation, set by the script that sources this file}"
# shellcheck source=jobs/wrappers/dotenv.sh
source "$root/jobs/wrappers/dotenv.sh" || exit 78

script=${0##*/}
job=''         # the job's name, once it has been checked
run_id=''      # 20261122T020001Z-4711: UTC start, pid of the wrapper
log=''         # the job's log, once this run may write it (it holds the lock)
demo=''        # not empty: --demo is among the options
on_terminal='' # not empty: a person watches stderr and sees what the log gets

# The environment that cron, a person and a test have in common.
prepare_environment() {
  umask 077 # logs and reports hold customers' words
  export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}" LANG="${LANG:-C.UTF-8}"
  # What would make the job's Python another one than venv/ (or slower, compiling everything at each start).
  unset PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE
}

# REPLY = now, in UTC, by strftime FORMAT (default: as in the log).
utc() {
  TZ=UTC0 printf -v REPLY "%(${1:-%FT%TZ})T" -1
}

# REPLY = whole seconds since this script started. (SECONDS would count the seconds of the clock that were touched.)
started=${EPOCHREALTIME//[!0-9]/}
elapsed() {
  REPLY=$(((${EPOCHREALTIME//[!0-9]/} - started + 500000) / 1000000))
}

is_name() {
  local LC_ALL=C # elsewhere [a-z] may hold more than these 26
  [[ $1 =~ ^[a-z][a-z0-9_]*$ ]]
}

# Where everything of a run lives: the installation itself, or state/demo/ for --demo.
set_places() {
  state=$root/state logs=$root/logs reports=$root/reports
  local argument
  for argument in "$@"; do
    if [[ $argument == --demo ]]; then
      demo=yes
      state=$root/state/demo
      logs=$state/logs reports=$state/reports
    fi
  done
}

# Make the directories and prove that they can be written by doing it: permissions say nothing to root, and nothing
# about a read-only mount.
ensure_directories() {
  local directory proof proofs=() broken=''
  for directory in "$@"; do
    proof=$directory/.writable.$$
    if { { [[ -d $directory ]] || mkdir -p -- "$directory"; } && : >"$proof"; } 2>/dev/null; then
      proofs+=("$proof")
    else
      broken=${broken:-$directory}
    fi
  done
  [[ ${#proofs[@]} == 0 ]] || rm -f -- "${proofs[@]}"
  [[ -z $broken ]] || refuse 73 "cannot write in $broken: make it a directory that uid $EUID can write (chown), then run again"
}

# --- what is said -------------------------------------------------------------------------------------------------

# REPLY = what an exit code means.
words_for() {
  case $1 in
    0) REPLY='done, or nothing to do' ;;
    1) REPLY='unexpected error' ;;
    2) REPLY='wrong usage' ;;
    3) REPLY='finished, but records failed or became dead letters' ;;
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
    137) REPLY='killed: kill -9, out of memory, or still there JOB_KILL_AFTER after being told to stop' ;;
    *)
      if (($1 > 128 && $1 < 193)); then
        REPLY="stopped by signal $(($1 - 128))"
      else
        REPLY="a code of the job's own"
      fi
      ;;
  esac
}

# One line for the person or for cron's mail.
say() {
  printf '%s: %s\n' "$script" "$1" >&2
}

# One line on descriptor 8, the open log. Fails when it cannot be written.
log_line() {
  utc
  printf -v REPLY '%s %-5s [%s] %s' "$REPLY" "$1" "$run_id" "$2"
  { printf '%s\n' "$REPLY" >&8; } 2>/dev/null
}

# REPLY = TEXT on one line without control characters, at most 200 bytes and no character cut in two.
one_line() {
  REPLY=${1//[[:cntrl:]]/ }
  REPLY=${REPLY:0:200}
  until fits 200 "$REPLY"; do REPLY=${REPLY%?}; done
}

fits() {
  local LC_ALL=C
  ((${#2} <= $1))
}

# One line for one wrapper run: end time, run id, job, code, seconds, reason. One write, so that lines of runs that end
# together stay whole. Never fatal: what happened has happened, with or without its line.
append_history() {
  local seconds reason
  [[ -n $job ]] || return 0
  one_line "$2"
  reason=$REPLY
  elapsed
  seconds=$REPLY
  utc
  { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$REPLY" "$run_id" "$job" "$1" "$seconds" "$reason" \
    >>"$state/history.tsv"; } 2>/dev/null || return 0
}

# End before the job began, with the reason on one line.
refuse() {
  say "$2"
  append_history "$1" "$2"
  exit "$1"
}

# --- settings -----------------------------------------------------------------------------------------------------

# REPLY = the value of setting NAME, stripped, else DEFAULT; setting_name = the name it was found under. NAME_JOB wins
# over NAME, and for each of the two the environment over .env. A blank value is none.
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

# REPLY = the setting in seconds, at least MINIMUM; anything else is refused by name.
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

# REPLY = the setting as a number, at least MINIMUM.
number_setting() {
  setting "$1" "$2"
  if [[ $REPLY =~ ^[0-9]{1,15}$ ]] && ((10#$REPLY >= $3)); then
    REPLY=$((10#$REPLY))
    return
  fi
  refuse_setting "a whole number of at least $3"
}

refuse_setting() {
  local shown
  printf -v shown '%q' "$REPLY"
  refuse 78 "$setting_name=$shown is wrong: it must be $1; change it in .env or in the environment"
}

# --- venv ---------------------------------------------------------------------------------------------------------

# Is venv/ complete, made from the requirements of today, and by the Python it still finds?
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

# Does bin/python lead to the Python that made the venv? After an upgrade of the system it may be another one, to which
# the packages in venv/lib/ are invisible.
same_interpreter() {
  local key value
  [[ -x $root/venv/bin/python ]] || return
  while IFS=' =' read -r key value; do
    [[ $key != executable ]] || { [[ $value -ef $root/venv/bin/python ]]; return; }
  done 2>/dev/null <"$root/venv/pyvenv.cfg"
  return 0
}
