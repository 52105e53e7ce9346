# shellcheck shell=bash
# What the Tab key does after run_job.sh and notify_on_failure.sh. Read by an interactive bash, by
# `source <(./run_job.sh --completion)`, which sets claude_batch_jobs_root; whatever options that
# shell has set, nothing of this fails or prints a message.

# The candidates come from complete.sh, in a bash of its own: see there.
_claude_batch_jobs() {
  local root=${COMP_WORDS[0]-} answer=''
  root=${root/#'~/'/"${HOME-}/"}
  case $root in
    */*) root=${root%/*} ;;
    *) root=${claude_batch_jobs_root-} ;;
  esac
  [[ -f $root/jobs/wrappers/run/complete.sh ]] || root=${claude_batch_jobs_root-}
  COMPREPLY=()
  [[ -f $root/jobs/wrappers/run/complete.sh ]] || return 0
  answer=$(bash "$root/jobs/wrappers/run/complete.sh" "${COMP_CWORD:-0}" "${COMP_WORDS[@]-}" \
    2>/dev/null </dev/null) || :
  [[ -z $answer ]] || mapfile -t COMPREPLY <<<"$answer"
  # A name that goes on after the Tab (a folder, `--option=`) gets no space behind it.
  case ${#COMPREPLY[@]}:${COMPREPLY[0]-} in
    1:*/ | 1:*=) compopt -o nospace 2>/dev/null || : ;;
  esac
  return 0
}
complete -F _claude_batch_jobs run_job.sh notify_on_failure.sh
