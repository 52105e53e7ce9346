#!/usr/bin/env bash
# Run one job: never twice at once, with a log, a time limit and an exit code you can rely on.
#
# Usage:
#   ./run_job.sh JOB [options]      run jobs/JOB.py; `./run_job.sh JOB --help` lists its options
#   ./run_job.sh JOB --demo         run it on sample records and a stand-in for Claude; everything
#                                   it writes goes to state/demo/
#   ./run_job.sh JOB --demo --celery
#                                   the same by two workers, with a PostgreSQL and a Valkey that
#                                   are started for it, and gone with it
#   ./run_job.sh --new NAME         make jobs/NAME.py, a job of your own, from the one that is
#                                   nearest: --from JOB; --table T makes its SELECT from the
#                                   columns of a table in RECORDS_DB (--id, --text, --time name them)
#   ./run_job.sh status [JOB]       what happened, what is stuck, what it cost, for all jobs or one;
#                                   --html: as a page, --watch: again every 2 seconds, --json
#   ./run_job.sh doctor [JOB]       will it work tonight? What could be in the way, and the remedy
#   ./run_job.sh prune --older-than 90d
#                                   forget old answers and logs; what is done stays done
#   ./run_job.sh prune --record ID  erase all that is kept about one record (docs/day-30.md)
#   ./run_job.sh review JOB         write reports/review/JOB.csv, a table of the answers that are
#                                   most in doubt, 200 at most (--rows N); --import FILE takes in
#                                   what a person has filled in there
#   ./run_job.sh worker [--concurrency N] [--queue Q]
#                                   send what runs with --celery have queued, until TERM: its log is
#                                   stderr
#   ./run_job.sh move_ledger [JOB]  take ledgers along from SQLite files to PostgreSQL
#   ./run_job.sh --list             list the jobs
#   ./run_job.sh --setup            make venv/ from requirements.txt (the first run does it, too)
#   ./run_job.sh --setup --with postgres --with celery
#                                   also install requirements-postgres.txt, requirements-celery.txt
#                                   (`--with demo`: what --demo --celery needs, which installs it)
#   ./run_job.sh --install-cron     put the lines of crontab.example, and those of your own in
#                                   crontab.local, into your crontab; everything else in it stays
#   ./run_job.sh --remove-cron      take them out again
#   ./run_job.sh --backup FILE      write one tar with what a fresh clone lacks: .env, ledgers,
#                                   reports, your own jobs; jobs may run meanwhile (docs/day-30.md
#                                   says how to restore it, or to move to another machine)
#   source <(./run_job.sh --completion)
#                                   for ~/.bashrc: the Tab key completes jobs, options, days and
#                                   dead letters
#   ./run_job.sh --upgrade [--dry-run]
#                                   the newest version of the branch that this clone follows, with
#                                   your edits kept, or everything exactly as it was; --dry-run says
#                                   what would change
#   ./run_job.sh --version          which version this is
#   ./run_job.sh --help             print this text
#
# What the job writes to stderr goes to logs/JOB.log, between a START and an END line; at a terminal
# you see it as well. stdout is the job's own. Each run adds one line to state/history.tsv.
#
# Settings are read from the environment, then from .env; else the default below holds. A setting
# for one job, such as JOB_TIMEOUT_DAILY_REPORT, wins over the general one.
#   JOB_TIMEOUT=6h          after this time the wrapper tells the job to stop (TERM) ...
#   JOB_KILL_AFTER=30s      ... and kills it this much later, if it is still there
#   JOB_TRIES=1             how often a job that says "not now" (75) is started, first time included
#   JOB_RETRY_WAIT=60s      the wait between two of these tries
#   LOG_MAX_BYTES=52428800  a log that is larger is moved to logs/JOB.log.1.gz before the next run
#   LOG_KEEP=8              how many of these old logs are kept
#   PYTHON=python3          the Python that makes venv/ (environment only)
#
# Exit codes: the job's own, or 2 no such job, 73 logs/, state/ or reports/ cannot be written,
# 74 disk full, 75 already running, 78 wrong setting or no venv/, 124 time limit, 137 killed,
# 128+N stopped by signal N.

# A newer version may be copied over this file while it runs. bash reads a script bit by bit, so all
# of it stands in a function, which is read to its end before it begins.
main() {
  set -u +e
  set +o posix
  # Elsewhere `i` may be no small `I`, [a-z] more than 26 letters, and `no crontab` another word.
  export LC_ALL=C.UTF-8
  unset LANGUAGE
  [[ -e /dev/fd/1 ]] || exec >/dev/null # else the next file that is opened would be stdout
  [[ -e /dev/fd/2 ]] || exec 2>/dev/null
  root=$(readlink -f -- "${BASH_SOURCE[0]}")
  root=${root%/*}
  # While an upgrade is under way, nothing begins. One that has died is undone first, by what it has
  # left for that.
  if [[ -e $root/state/.upgrade && ${UPGRADE_OF-} != "$root" ]]; then
    bash "$root/state/.upgrade/undo.sh" || exit
    exec "$root/run_job.sh" "$@"
  fi
  # shellcheck source=jobs/wrappers/run/parts.sh
  source "$root/jobs/wrappers/run/parts.sh" || exit 78

  # --- what the caller asks for ---

  case ${1-} in
    '')
      printf 'usage: ./run_job.sh JOB [options] | --list | --new NAME | --setup | --help\n' >&2
      exit 2
      ;;
    -h | --help) manual; exit ;;
    --list) list_jobs; exit ;;
    --completion) completion; exit ;;
    --version) tell_version; exit ;;
  esac
  prepare_environment
  utc %Y%m%dT%H%M%SZ
  run_id=$REPLY-$$
  set_places "$@"

  if [[ $1 == --setup ]]; then
    shift
    ensure_directories "$state" "$logs" "$reports"
    # shellcheck source=jobs/wrappers/run/setup.sh
    source "$root/jobs/wrappers/run/setup.sh" || exit 78
    make_venv "$@"
    say 'venv/ is ready'
    exit
  fi

  if [[ $1 == --install-cron || $1 == --remove-cron ]]; then
    ensure_directories "$state"
    # shellcheck source=jobs/wrappers/run/install_cron.sh
    source "$root/jobs/wrappers/run/install_cron.sh" || exit 78
    change_crontab "$@"
    exit
  fi

  case $1 in
    --new | --backup) set -- "${1#--}" "${@:2}" ;; # scripts of the operator's, by another name
  esac
  if [[ $1 == --upgrade ]]; then
    # shellcheck source=jobs/wrappers/run/upgrade.sh
    source "$root/jobs/wrappers/run/upgrade.sh" || exit 78
    upgrade "${@:2}"
    exit
  fi

  find_script "$1"
  shift

  # --- questions: they get an answer, and leave no trace: no lock, no log, no history ---

  if [[ $file == */ops/* ]]; then
    need_venv
    exec "${launch[@]}" "$file" "$@"
  elif only_asks "$@"; then
    need_venv
    exec "${launch[@]}" "$file" "$@"
  fi

  # --- checks before the run: folders, settings, lock, venv/ ---

  job=$name
  log=$logs/$job.log
  ensure_directories "$state" "$logs" "$reports"
  need_ours "$log" "$log.1" "$state/history.tsv"
  read_dotenv "$root/.env"
  duration_setting JOB_TIMEOUT 6h 1; time_limit=$REPLY
  duration_setting JOB_KILL_AFTER 30s 1; kill_after=$REPLY
  duration_setting JOB_RETRY_WAIT 60s 0; retry_wait=$REPLY
  number_setting JOB_TRIES 1 1; tries=$REPLY
  number_setting LOG_MAX_BYTES 52428800 1; log_max_bytes=$REPLY
  number_setting LOG_KEEP 8 1; log_keep=$REPLY
  take_lock
  need_venv

  # --- the run ---

  rotate_log
  open_log
  # Until here a signal simply ends us: the job has not begun. From here on we pass signals on to
  # the job, and write the END line in any case.
  listen
  trap : PIPE # the reader of our stderr may go away
  shown_arguments=''
  # In this locale %q escapes all but ASCII, such as marks that reverse the direction of writing.
  (($# == 0)) || LC_ALL=C printf -v shown_arguments ' %q' "$@"
  start_log "$shown_arguments"
  export RUN_ID=$run_id JOB_LOCK_FD=9 PYTHONUNBUFFERED=1
  export JOB_TIMEOUT=$time_limit JOB_KILL_AFTER=$kill_after # the job keeps them, too
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

  # --- the END line, the history, and one line for cron's mail ---

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
  ((status == 2)) || append_history "$status" "$reason" # a usage error was no run
  if [[ -z $on_terminal && $level == ERROR ]]; then
    say "$job ended with $status: $reason; see $log"
  fi
  exit "$status"
}

main "$@"
