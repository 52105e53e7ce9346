# shellcheck shell=bash
# Undo an upgrade that did not come to its end. ./run_job.sh --upgrade copies this file into
# state/.upgrade/ before it changes anything, since an installation that is half of one version and
# half of another can rely on no file but that. While the folder is there, both wrappers start this
# script before they do anything else:
#
#   bash state/.upgrade/undo.sh [--ours]
#
# Exit codes: 0 everything is as it was before the upgrade, 73 or 74 it could not be undone whole,
# 75 the upgrade is still under way. `--ours` comes from the upgrade itself, which holds the lock.
#
# It may be killed, too: each step can be repeated. What state/.upgrade/ holds:
#   began      pid, time and the two versions, for people
#   old/       each file that the new version changes or removes, as it was
#   new/       each file as the new version has it, with what one's own edits make of it
#   replaced   the paths that were there before, each followed by NUL; `added`: those that were not
#   umask      for folders that are made
#   switching  is there as soon as something may have been changed
#   venv       the venv/ from before, where the new version needs another one
#   no_venv    is there when there was none
#   index      git's index from before, with its path and the commits in `git.old`

main() {
  set -u +e
  export LC_ALL=C.UTF-8
  umask 077
  journal=$(readlink -f -- "${BASH_SOURCE[0]}")
  journal=${journal%/*}
  root=${journal%/state/.upgrade}
  trap '' INT TERM HUP PIPE

  if [[ ${1-} != --ours ]]; then
    exec 7>>"$root/state/_upgrade.lock" || exit 73
    # What an upgrade had started when it was killed, such as pip, holds the lock until its end.
    if ! flock -n 7; then
      read -r pid since versions <"$journal/began"
      say "an upgrade is under way since $since, pid $pid ($versions): nothing done"
      exit 75
    fi
    [[ -e $journal ]] || exit 0 # another command has undone it meanwhile
    read -r pid since versions <"$journal/began"
    say "the upgrade of $since ($versions) did not come to its end: it is undone"
  fi
  umask "$(<"$journal/umask")" # for the folders of files that are restored
  if [[ -e $journal/switching ]]; then
    restore_venv
    remove_added
    restore_files
    restore_git
  fi
  # The upgrade holds git's lock, so that no other git command comes between.
  ! cmp -s -- "$journal/began" "$(head -n 1 "$journal/git.old")/index.lock" ||
    rm -f -- "$(head -n 1 "$journal/git.old")/index.lock"
  # Whoever finds the folder gone finds all of it done.
  mv -T -- "$journal" "$root/state/.upgrade.done" || failed "state/.upgrade cannot be moved"
  rm -rf -- "$root/state/.upgrade.done"
  exit 0
}

say() {
  printf 'run_job.sh: %s\n' "$1" >&2
}

# End, with all that is needed to undo the rest still in place.
failed() {
  say "$1: is the disk full, or is a file another user's? What is as it was before the upgrade \
stays so; run any command again for the rest"
  exit 74
}

restore_venv() {
  if [[ -e $journal/venv || -L $journal/venv ]]; then
    rm -rf -- "$root/venv"
    mv -T -- "$journal/venv" "$root/venv" || failed 'venv/ cannot be restored'
  elif [[ -e $journal/no_venv ]]; then
    rm -rf -- "$root/venv"
  fi
}

# Does this PATH hold what somebody has written there since the upgrade died?
is_edited() {
  [[ -f $root/$1 && ! -L $root/$1 ]] || return
  ! cmp -s -- "$root/$1" "$journal/new/$1" && ! cmp -s -- "$root/$1" "$journal/old/$1"
}

restore_files() {
  local path folder
  while IFS= read -r -d '' path; do
    ! is_edited "$path" || keep "$path"
    # Files of the new version may stand where folders were, and folders where files were.
    folder=$root/$path
    while folder=${folder%/*} && [[ $folder != "$root" ]]; do
      [[ -d $folder ]] || rm -f -- "$folder"
    done
    [[ ! -d $root/$path || -L $root/$path ]] || rmdir -- "$root/$path"
    [[ $path != */* ]] || mkdir -p -- "$root/${path%/*}"
    { cp -a -T -- "$journal/old/$path" "$root/$path.upgrading" &&
      mv -f -T -- "$root/$path.upgrading" "$root/$path"; } || failed "$path cannot be restored"
  done <"$journal/replaced"
}

remove_added() {
  local path
  while IFS= read -r -d '' path; do
    ! is_edited "$path" || keep "$path"
    rm -f -- "$root/$path.upgrading"
    [[ -d $root/$path && ! -L $root/$path ]] || rm -f -- "$root/$path"
    [[ $path != */* ]] || (cd -- "$root" && rmdir -p -- "${path%/*}") 2>/dev/null
  done <"$journal/added"
}

keep() {
  cp -a -- "$root/$1" "$root/$1.edited" &&
    say "$1 was edited after the upgrade had died: this stands in $1.edited"
}

restore_git() {
  local git_dir branch before after ours
  { read -r git_dir; read -r branch; read -r before; read -r after; } <"$journal/git.old"
  ours=(git -c core.hooksPath=/dev/null -C "$root")
  if [[ $("${ours[@]}" rev-parse -q --verify "$branch") == "$after" && $after != "$before" ]]; then
    "${ours[@]}" update-ref -m 'upgrade: undone' "$branch" "$before" "$after" ||
      failed "$branch cannot be set back to $before"
  fi
  if ! cmp -s -- "$journal/index" "$git_dir/index"; then
    { cp -p -- "$journal/index" "$git_dir/index.undo" &&
      mv -f -- "$git_dir/index.undo" "$git_dir/index"; } || failed "git's index cannot be restored"
  fi
}

main "$@"
