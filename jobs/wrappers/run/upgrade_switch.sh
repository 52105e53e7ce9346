# shellcheck shell=bash
# The second half of --upgrade: put the new version in place, prove it, or undo it. Sourced by
# upgrade.sh.

# Set `complaints` to the file in which doctor's complaints of now stand; empty where venv/ is not
# as the installed version wants it: then nobody knows what it would complain of.
ask_doctor() {
  complaints=''
  if ! venv_is_ready; then
    [[ ! -e $root/venv ]] || new_packages=yes
    return
  fi
  say 'doctor looks at the installed version'
  complaints=$part/complaints
  started_for_us "$complaints" doctor --json
  # Older ones end otherwise, or not with JSON: what they say compares with nothing.
  ((status == 0 || status == 78)) || complaints=''
}

# started_for_us FILE ARGUMENT...: run ./run_job.sh with these arguments, with its output in FILE, in
# a group of its own, so that a signal to us ends all of it. Sets `status`.
started_for_us() {
  UPGRADE_OF=$root setsid "$root/run_job.sh" "${@:2}" </dev/null >"$1" &
  await_child
}

# REPLY = a command of this installation that runs, in words; empty when there is none. We look at
# the locks of jobs, and at all processes: a worker holds no lock, and a command that has only begun
# not yet.
who_runs() {
  local lock pid since process word parts name
  for lock in "$state"/[a-z]*.lock "$state"/demo/[a-z]*.lock; do
    [[ -f $lock && ! -L $lock && -z ${locks_are_ours-} ]] || continue
    name=${lock##*/} name=${name%.lock}
    if ! flock -n "$lock" true 7>&-; then
      read -r pid since _ <"$lock"
      REPLY="$name has been running since ${since:-just now}, pid ${pid:-unknown}"
      return
    fi
  done
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    [[ $pid != "$$" && -O $process ]] || continue
    parts=()
    mapfile -d '' -n 6 parts 2>/dev/null <"$process/cmdline"
    for word in "${parts[@]}"; do
      [[ $word == /* ]] || word=$process/cwd/$word
      if [[ $word == */run_job.sh && $word -ef $root/run_job.sh || $word == "$root/jobs/"*.py ]] &&
        ! is_ours_to_run "$pid"; then
        name=${parts[*]}
        name=${name##*/run_job.sh } name=${name##*/}
        one_line "$name"
        REPLY="$REPLY is running, pid $pid"
        return
      fi
    done
  done
  REPLY=''
}

# Is process PID one that waits for us: notify_on_failure.sh, sudo, a shell?
is_ours_to_run() {
  local up=$$ stat
  while ((up > 1)); do
    IFS= read -r stat <"/proc/$up/stat" || return
    stat=${stat##*) }
    read -r _ up _ <<<"$stat"
    [[ $up != "$1" ]] || return 0
  done 2>/dev/null
  return 1
}

# Take the locks of all jobs, through descriptors that stay open until the end. Ends the upgrade with
# 75 where something runs.
stop_jobs() {
  local lock descriptor
  who_runs
  [[ -z $REPLY ]] || refuse 75 "$REPLY: nothing was upgraded"
  for lock in "$state"/[a-z]*.lock "$state"/demo/[a-z]*.lock; do
    is_ours "$lock" && [[ -f $lock ]] || continue
    exec {descriptor}>>"$lock"
    flock -n "$descriptor" || refuse 75 "${lock##*/} has just been taken: nothing was upgraded"
  done
  locks_are_ours=yes
}

# Save all that will change. Nothing is changed yet.
write_journal() {
  mkdir -- "$part/old" &&
    printf '%s' "$files_umask" >"$part/umask" &&
    printf '%s\n' "$git_dir" "$branch" "$head" "$new_head" >"$part/git.old" &&
    cp -- "$root/jobs/wrappers/run/undo_upgrade.sh" "$part/undo.sh" &&
    { ((!${#added[@]})) || printf '%s\0' "${added[@]}"; } >"$part/added" &&
    { ((!${#replaced[@]})) || printf '%s\0' "${replaced[@]}"; } >"$part/replaced" &&
    xargs -0r cp -a --parents -t "$part/old" -- <"$part/replaced" &&
    printf '%s %s %s -> %s\n' "$$" "$now" "$old_version" "$new_version" >"$part/began" ||
    refuse 74 "cannot write in $part: is the disk full?"
  [[ -z $new_packages || ! -L $root/venv ]] || refuse 78 "$root/venv is a link, and version \
$new_version needs other packages: remove it, then run ./run_job.sh --setup and --upgrade again"
  if [[ ! -e $root/venv && ! -L $root/venv ]]; then
    : >"$part/no_venv"
  elif [[ -n $new_packages ]]; then
    # pip works on the copy: the one from before stays as it is.
    cp -a -T -- "$root/venv" "$part/venv.copy" ||
      refuse 74 'there is no room for a second venv/: is the disk full?'
  fi
  GIT_INDEX_FILE=$part/index.new git read-tree "$new_staged" 2>"$part/said" ||
    refuse_with_reason 'the new index cannot be made' 74
  sync -f "$part" 2>/dev/null
}

# From here on no command begins, and everything that undoes the upgrade is there: one rename. Ends
# the upgrade where files were edited, or a command has begun, since the new version was made.
close_door() {
  local before=$staged_tree/$edited_tree
  cp -p -- "$git_dir/index" "$part/index" && mv -T -- "$part" "$journal" ||
    refuse 74 "$journal cannot be made: is the disk full?"
  part=$journal
  who_runs # what began before the door was closed
  [[ -z $REPLY ]] || refuse 75 "$REPLY: nothing was upgraded"
  # Until the end no other git command changes the index.
  ln -T -- "$journal/began" "$git_dir/index.lock" 2>/dev/null ||
    cp_lock || refuse 75 'another git command is under way here: nothing was upgraded'
  trees_now
  [[ $staged_tree/$edited_tree == "$before" && $(git rev-parse HEAD) == "$head" ]] &&
    cmp -s -- "$git_dir/index" "$journal/index" ||
    refuse 75 'files were edited meanwhile: nothing was upgraded; run again'
  : >"$journal/switching" || refuse 74 "cannot write in $journal: is the disk full?"
}

# Take git's lock where state/ is on another file system.
cp_lock() {
  [[ ! -e $git_dir/index.lock ]] && cp -n -- "$journal/began" "$git_dir/index.lock" &&
    cmp -s -- "$journal/began" "$git_dir/index.lock"
}

# Put the files of the new version in place: each by one rename, so that no program finds half a
# file, or none.
switch() {
  local path new
  say "version $new_version is put in place"
  umask "$files_umask"
  for path in "${replaced[@]}"; do
    new=$journal/new/$path
    if [[ -e $new || -L $new ]]; then continue; fi
    rm -f -- "$root/$path" || refuse 74 "$path cannot be removed"
    [[ $path != */* ]] || rmdir -p -- "${path%/*}" 2>/dev/null
  done
  for path in "${replaced[@]}" "${added[@]}"; do
    new=$journal/new/$path
    [[ -e $new || -L $new ]] || continue
    # Who could read and write a file before still can.
    [[ ! -f $root/$path || -L $root/$path || -L $new ]] || {
      [[ -x $root/$path && ! -x $new || ! -x $root/$path && -x $new ]] ||
        chmod --reference="$root/$path" -- "$new"
    }
    [[ $path != */* ]] || mkdir -p -- "${path%/*}"
    [[ ! -d $root/$path || -L $root/$path ]] || rmdir -- "$root/$path" 2>/dev/null
    cp -a -T -- "$new" "$root/$path.upgrading" &&
      mv -f -T -- "$root/$path.upgrading" "$root/$path" ||
      refuse 74 "$path cannot be written: is the disk full?"
  done
  umask 077
  if [[ -n $new_packages ]]; then
    mv -T -- "$root/venv" "$journal/venv" && mv -T -- "$journal/venv.copy" "$root/venv" ||
      refuse 74 'venv/ cannot be replaced'
  fi
}

# Make venv/ ready for the new version, and let its doctor look. Ends the upgrade, and so undoes it,
# where that fails or doctor complains of what was well before.
prove() {
  local found
  started_for_us "$journal/said" --setup
  ((status == 0)) || refuse "$status" "version $new_version cannot be set up"
  say "doctor looks at version $new_version"
  if [[ -n $complaints ]]; then
    started_for_us "$journal/found" doctor --since "$journal/complaints"
  else
    started_for_us "$journal/found" doctor
  fi
  found=$(<"$journal/found")
  doctor_says=$found
  if [[ -n $complaints ]] && ((status != 0)); then
    [[ -z $found ]] || printf '%s\n' "$found" >&2
    refuse 78 "doctor complains of what was well in version $old_version: mend it, then run again"
  elif ((status != 0 && status != 78)); then
    refuse 78 "doctor of version $new_version does not work"
  fi
}

# Make it last: git's branch and index, then the one rename after which nothing is undone.
finish() {
  trap '' HUP INT TERM
  git -c core.hooksPath=/dev/null update-ref -m "upgrade: to $new_version" "$branch" "$new_head" \
    "$head" || refuse 75 "$branch has moved meanwhile"
  cp -- "$journal/index.new" "$git_dir/index.upgrade" &&
    { GIT_INDEX_FILE=$git_dir/index.upgrade git update-index -q --refresh >/dev/null 2>&1; :; } &&
    mv -f -T -- "$git_dir/index.upgrade" "$git_dir/index" ||
    refuse 74 "$git_dir/index cannot be written: is the disk full?"
  rm -f -- "$git_dir/index.lock"
  mv -T -- "$journal" "$state/.upgrade.done" || refuse 74 "$journal cannot be moved"
  [[ -z $tracking ]] || git update-ref -m 'upgrade: fetched' "$tracking" "$upstream"
  rm -rf -- "$state/.upgrade.done"
  { printf '%s\n' "$doctor_says"
    printf 'Version %s is in place (%s); before, it was %s.\n' "$new_version" \
      "$(git rev-parse --short HEAD)" "$old_short"
    [[ -z $new_crontab ]] || printf 'crontab.example has changed: ./run_job.sh --install-cron\n'
  } 2>/dev/null
}
