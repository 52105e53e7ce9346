# shellcheck shell=bash
# ./run_job.sh --upgrade [--dry-run]: the newest version of the branch that this clone follows, with
# one's own edits kept; or everything exactly as it was. Sourced by run_job.sh; uses shared.sh,
# child.sh and questions.sh.
#
#   prepare   Fetch. Make the new version with one's own edits in a folder of its own, state/
#             .upgrade.part/. Jobs run meanwhile, and nothing of theirs is touched: a conflict ends
#             the upgrade here. (upgrade_merge.sh)
#   switch    From here on no command starts (75). Save what will change in state/.upgrade/, then
#             put the new files in place, each by one rename. (upgrade_switch.sh)
#   prove     ./run_job.sh --setup and doctor of the new version. What doctor did not complain of
#             before, or any failure, undoes everything. (undo_upgrade.sh, which also undoes what
#             kill -9 or a power cut has left: the next command of any kind starts it)
#
# Uses  root, state, run_id
# Sets  part      folder of what is prepared
#       journal   folder of what undoes the switch; while it is there, commands do not start

part=$state/.upgrade.part journal=$state/.upgrade
# shellcheck source=jobs/wrappers/run/upgrade_merge.sh
source "$root/jobs/wrappers/run/upgrade_merge.sh" || exit 78
# shellcheck source=jobs/wrappers/run/upgrade_switch.sh
source "$root/jobs/wrappers/run/upgrade_switch.sh" || exit 78

# upgrade [--dry-run]: do it, or say what it would do. Ends with 0 where it is done or nothing is to
# do, 2 for other options, 69 where the upstream cannot be reached, 74 where a file cannot be
# written, 75 while jobs run, and 78 for a conflict or a complaint of doctor's.
upgrade() {
  local only_look=''
  if [[ $# -gt 1 || ($# == 1 && $1 != --dry-run) ]]; then
    say '--upgrade takes --dry-run only'
    exit 2
  fi
  only_look=${1-}
  ensure_directories "$state"
  cd -P -- "$root" || exit 78
  kill_after=10
  exec {errors}>&2
  utc
  now=$REPLY
  find_clone
  hold_lock
  # What an upgrade that was killed has left here was not in use yet.
  rm -rf -- "$part" "$state/.upgrade.done" "$git_dir"/index.{upgrade,upgrade.lock,undo}
  need_quiet_clone
  trap leave EXIT
  trap 'stop 129' HUP
  trap 'stop 130' INT
  trap 'stop 143' TERM
  trap '' PIPE # what has begun is not for a reader of ours to end
  mkdir -- "$part" || refuse 74 "cannot make $part: is the disk full?"

  fetch_upstream
  if git merge-base --is-ancestor "$upstream" HEAD; then
    answer "version $old_version ($old_short) is the newest of $upstream_name: nothing to do"$'\n'
    exit
  fi
  save_edits
  describe
  merge_edits
  list_changes
  if [[ -n $only_look ]]; then
    tell_rest
    exit
  fi

  who_runs
  [[ -z $REPLY ]] || refuse 75 "$REPLY: nothing was upgraded"
  ask_doctor
  stop_jobs
  write_journal
  close_door
  switch
  prove
  finish
}

# Set `git_dir`. End the upgrade where there is nothing that git could upgrade.
find_clone() {
  local top
  if [[ ! -e $root/.git ]]; then
    refuse 78 "$root is no git clone (it may come from a tarball), so nothing was upgraded: clone \
the new version beside it, then unpack a ./run_job.sh --backup of this one there (docs/day-30.md)"
  fi
  command -v git >/dev/null || refuse 78 'git is missing: apt-get install git'
  [[ -O $root/.git ]] || refuse 78 "$root belongs to $(stat -c %U -- "$root/.git"): \
sudo -u $(stat -c %U -- "$root/.git") $root/run_job.sh --upgrade"
  # What a git hook or another repository has set is none of ours.
  # shellcheck disable=SC2046 # names of variables, one a word
  unset $(git rev-parse --local-env-vars 2>/dev/null)
  top=$(git rev-parse --show-toplevel 2>"$state/.upgrade.said") || refuse_with_reason 'git fails'
  rm -f -- "$state/.upgrade.said"
  [[ $top -ef $root ]] || refuse 78 "$root is part of the clone $top: upgrade that one"
  git_dir=$(git rev-parse --absolute-git-dir)
  # Files that are made anew can be read by whom run_job.sh can be read by.
  files_umask=$(printf '%04o' $((0777 & ~0$(stat -c %a -- "$root/run_job.sh"))))
}

# End the upgrade where git is in the middle of something, or does not see what is edited.
need_quiet_clone() {
  local entry
  for entry in rebase-merge rebase-apply MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG; do
    [[ ! -e $git_dir/$entry ]] ||
      refuse 78 "another git command is under way here ($entry): end it as git status says"
  done
  [[ ! -e $git_dir/index.lock ]] || refuse 75 "another git command is under way here, or has died \
($git_dir/index.lock): nothing done"
  entry=$(git ls-files -u | sed -n '1s/^[^\t]*\t//p')
  [[ -z $entry ]] || refuse 78 "$entry has a conflict that is not resolved: git status says how"
  # git does not see what is edited in such a file.
  entry=$(git ls-files -v | sed -n '/^[a-zS] /{s/^..//p;q}')
  [[ -z $entry ]] || refuse 78 "$entry is marked as assume-unchanged or skip-worktree: git update-index \
--no-assume-unchanged --no-skip-worktree $entry, then run again"
}

# Take the lock of upgrades, on descriptor 7: one at a time. Programs that must have ended before an
# upgrade can be undone (pip, doctor) inherit it, others do not.
hold_lock() {
  need_ours "$state/_upgrade.lock"
  { exec 7>>"$state/_upgrade.lock"; } 2>/dev/null ||
    refuse 73 "cannot write $state/_upgrade.lock: let uid $EUID write it (chown), then run again"
  flock -n 7 || refuse 75 'another upgrade is under way, or looks what it would do: nothing done'
}

# refuse_with_reason WHAT [CODE]: end the upgrade with what the last command has said.
refuse_with_reason() {
  local line='' last='' said=$state/.upgrade.said
  [[ ! -d $part ]] || said=$part/said
  while IFS= read -r line || [[ -n $line ]]; do
    [[ -z ${line//[[:space:]]/} || $line == hint:* ]] || last=${last:-$line}
  done 2>/dev/null <"$said"
  rm -f -- "$state/.upgrade.said"
  one_line "${last:-no reason given}"
  refuse "${2:-78}" "$1: $REPLY; nothing was upgraded"
}

# A signal: end what runs, and the upgrade. What there is to undo `leave` undoes.
stop() {
  trap '' HUP INT TERM
  exec 2>&"$errors"
  [[ -z $child ]] || end_group "$child"
  say 'stopped'
  exit "$1"
}

# The upgrade ends, in whichever way: leave no trace of what did not come to its end.
leave() {
  local code=$?
  trap '' HUP INT TERM
  if [[ -e $journal ]]; then
    if bash "$journal/undo.sh" --ours 7>&-; then
      say "undone: everything is as it was, version $old_version ($old_short)"
    fi
  fi
  rm -rf -- "$part"
  exit "$code"
}

# Say which versions, what changes by CHANGELOG.md, and which edits are one's own.
describe() {
  local text edits
  text="version $old_version ($old_short) -> $new_version ($new_short), $upstream_name"$'\n\n'
  changes_between
  text+=$REPLY$'\n'
  own_edits
  edits=$REPLY
  text+=${edits:-'No edits of your own.'$'\n'}
  answer "$text"
  trap '' PIPE
}

# REPLY = the sections of the new CHANGELOG.md that are not in the installed one; where there is
# none, what the commits say.
changes_between() {
  local line
  REPLY=''
  while IFS= read -r line; do
    [[ $line != "## [$old_version]"* ]] || break
    [[ -z $REPLY && $line != '## '* ]] || REPLY+=$line$'\n'
  done < <(git show "$upstream:CHANGELOG.md" 2>/dev/null)
  [[ -n $REPLY ]] || REPLY="$(git log --no-merges --format='- %s' "HEAD..$upstream" | head -n 40)"$'\n'
}

# REPLY = one's own edits, committed and not; empty when there are none.
own_edits() {
  local committed changed
  REPLY=''
  committed=$(git log --no-merges --format='  committed  %h %s' "$fork..HEAD")
  changed=$(git diff --no-ext-diff --no-renames --name-only "$head" "$edited")
  [[ -z $committed$changed ]] || REPLY=$'Your edits, which are kept:\n'
  [[ -z $committed ]] || REPLY+=$committed$'\n'
  [[ -z $changed ]] || REPLY+="  edited     ${changed//$'\n'/$'\n  edited     '}"$'\n'
}

# The end of a dry run: what else the upgrade would do.
tell_rest() {
  local text=''
  own_edits
  [[ -z $REPLY ]] || text=$'They do not conflict with the new version.\n'
  [[ -z $new_packages ]] || text+=$'venv/ would be brought up to date: requirements change.\n'
  [[ -z $new_crontab ]] || text+=$'crontab.example changes: ./run_job.sh --install-cron after it.\n'
  who_runs
  [[ -z $REPLY ]] || text+="Now it would be refused (75): $REPLY."$'\n'
  answer "${text}Nothing was changed; ./run_job.sh --upgrade does it."$'\n'
}
