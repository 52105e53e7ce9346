# shellcheck shell=bash
# The first half of --upgrade: the new version with one's own edits in it, made beside the
# installation. Nothing that a job, or git status, looks at is touched. Sourced by upgrade.sh.
#
# Three commits stand for what is there now, and each becomes one of the new version:
#
#   head     HEAD: what is committed         -> new_head
#   staged   what is in git's index          -> new_staged
#   edited   the files as they are           -> new_edited
#
# Sets  these; upstream, the commit to upgrade to; fork, where one's own commits begin; branch, and
#       tracking, the reference that says where its upstream was when it was last fetched
#       old_version, new_version; old_short, new_short: the commits, in few letters
#       replaced, added   paths that the new version changes or removes, and those that it adds
#       new_packages, new_crontab   not empty where requirements, or crontab.example, change

# Set `upstream` to the newest commit of the branch that this one follows. Its objects are stored, and
# no reference is: what `git status` says does not change.
fetch_upstream() {
  local remote merge
  branch=$(git symbolic-ref -q HEAD) ||
    refuse 78 'no branch is checked out (detached HEAD): git switch main, then run again'
  head=$(git rev-parse -q --verify HEAD) || refuse 78 'this clone has no commit yet'
  remote=$(git config "branch.${branch#refs/heads/}.remote") &&
    merge=$(git config "branch.${branch#refs/heads/}.merge") ||
    refuse 78 "branch ${branch#refs/heads/} follows no other, so nobody knows where new versions \
come from: git branch --set-upstream-to=origin/main, then run again"
  upstream_name="${merge#refs/heads/} of $remote"
  local fetch=(git -c gc.auto=0 -c maintenance.auto=false -c core.hooksPath=/dev/null
    -c http.lowSpeedLimit=1 -c http.lowSpeedTime=60 fetch --quiet --no-tags --refmap=
    --recurse-submodules=no "$remote" "$merge")
  if [[ -t 0 ]]; then # a person may have to type a password
    "${fetch[@]}" 2>"$part/said" 7>&-
    status=$?
  else
    GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -oBatchMode=yes}" \
      timeout 600 "${fetch[@]}" </dev/null 2>"$part/said" 7>&- &
    await_child
  fi
  ((status == 0)) || refuse_with_reason "$upstream_name could not be fetched" 69
  upstream=$(git rev-parse -q --verify FETCH_HEAD^{commit}) ||
    refuse 69 "$upstream_name could not be fetched: nothing was upgraded"
  # Where the upstream was written anew, its former commits are nobody's own edits.
  tracking=$(git for-each-ref --format='%(upstream)' "$branch")
  if [[ -n $tracking ]] && git merge-base --is-ancestor "$tracking" HEAD 2>/dev/null; then
    fork=$(git rev-parse "$tracking^{commit}")
  else
    fork=$(git merge-base "$upstream" HEAD) ||
      refuse 78 "$upstream_name has no commit in common with this clone: nothing was upgraded"
  fi
  version_of HEAD; old_version=$REPLY
  version_of "$upstream"; new_version=$REPLY
  old_short=$(git rev-parse --short HEAD) new_short=$(git rev-parse --short "$upstream")
}

# REPLY = the version that COMMIT calls itself.
version_of() {
  REPLY=$(git show "$1:VERSION" 2>/dev/null)
  [[ $REPLY =~ ^[0-9A-Za-z.+-]{1,40}$ ]] || REPLY='without a number'
}

# Set `staged` and `edited`: commits of what is in the index, and of all files that git knows, as
# they are. They are made with copies of the index. A clone whose user has told git no name has one
# for this.
save_edits() {
  if ! git var GIT_COMMITTER_IDENT >/dev/null 2>&1 || ! git var GIT_AUTHOR_IDENT >/dev/null 2>&1; then
    local name
    name=$(id -un)
    export GIT_COMMITTER_NAME=$name GIT_COMMITTER_EMAIL=$name@localhost
    export GIT_AUTHOR_NAME=$name GIT_AUTHOR_EMAIL=$name@localhost
  fi
  # With its time, by which git knows which files it has to look into.
  cp -p -- "$git_dir/index" "$part/index" || refuse 74 "cannot write in $part: is the disk full?"
  trees_now
  staged=$(git commit-tree -p "$head" -m 'staged edits' "$staged_tree") &&
    edited=$(git commit-tree -p "$staged" -m 'edits' "$edited_tree") ||
    refuse_with_reason 'your edits cannot be saved' 74
}

# Set `staged_tree` and `edited_tree`: index and files, as they are now.
trees_now() {
  cp -p -- "$git_dir/index" "$part/index.now" &&
    staged_tree=$(GIT_INDEX_FILE=$part/index.now git write-tree 2>"$part/said") &&
    GIT_INDEX_FILE=$part/index.now git -c core.fsmonitor=false add -u 2>"$part/said" &&
    edited_tree=$(GIT_INDEX_FILE=$part/index.now git write-tree 2>"$part/said") ||
    refuse_with_reason 'your edits cannot be saved' 74
}

# git, in a repository of its own that stores its objects in ours. It has our settings, but no hooks
# and no signatures, for which it might have to ask somebody.
beside() {
  GIT_DIR=$part/git GIT_WORK_TREE=$part/new GIT_OBJECT_DIRECTORY=$objects GIT_EDITOR=: \
    git -c core.hooksPath=/dev/null -c commit.gpgSign=false -c gc.auto=0 -c core.fsmonitor=false \
    -c maintenance.auto=false -c rebase.autoStash=false -c rebase.autoSquash=false \
    -c rebase.updateRefs=false -c rebase.rebaseMerges=false -c rerere.enabled=false \
    -c core.sparseCheckout=false -c advice.detachedHead=false -C "$part/new" "$@" 7>&-
}

# Set `new_head`, `new_staged` and `new_edited`, with the files of the last in part/new. Ends the
# upgrade where one's own edits and the new version change the same lines.
merge_edits() {
  umask "$files_umask"
  make_beside || refuse_with_reason 'the new version cannot be made' 74
  if [[ $head != "$fork" ]]; then
    { beside checkout -q --detach "$head" && beside rebase -q --onto "$upstream" "$fork"; } \
      >"$part/said" 2>&1 || conflict
  fi
  new_head=$(beside rev-parse HEAD)
  carry "$head" "$staged"
  new_staged=$REPLY
  carry "$staged" "$edited"
  new_edited=$REPLY
  umask 077
}

# Make the repository for `beside`, with the files of the upstream.
make_beside() {
  local common hash
  objects=$(git rev-parse --git-path objects) && objects=$(cd -P -- "$objects" && pwd) || return
  common=${objects%/objects}
  hash=$(git rev-parse --show-object-format 2>/dev/null)
  mkdir -- "$part/new" || return
  {
    GIT_DIR=$part/git git init -q --bare --template= ${hash:+--object-format="$hash"} &&
      GIT_DIR=$part/git git config core.bare false &&
      GIT_DIR=$part/git git config include.path "$common/config" || return
    [[ ! -e $common/shallow ]] || cp -- "$common/shallow" "$part/git/" || return
    if [[ -e $common/info/attributes ]]; then
      mkdir -p -- "$part/git/info" && cp -- "$common/info/attributes" "$part/git/info/" || return
    fi
    beside checkout -q --detach "$upstream"
  } >"$part/said" 2>&1
}

# carry BEFORE AFTER: put what changed between these two commits on top of the new version. REPLY =
# the commit that comes of it.
carry() {
  if [[ $(git rev-parse "$1^{tree}") != "$(git rev-parse "$2^{tree}")" ]]; then
    beside cherry-pick --keep-redundant-commits "$2" >"$part/said" 2>&1 || conflict "$2"
  fi
  REPLY=$(beside rev-parse HEAD)
}

# conflict [COMMIT]: end the upgrade with the file and the commit in which the edits conflict.
conflict() {
  local files whose commit
  files=$(beside diff --name-only --diff-filter=U 2>/dev/null)
  [[ -n $files ]] || refuse_with_reason 'your edits could not be carried over' 74
  if [[ -n ${1-} ]]; then
    whose='your edits that are not committed'
  else
    commit=$(beside rev-parse -q --verify --short REBASE_HEAD)
    whose="your commit ${commit:-?}"
  fi
  where_in "${files%%$'\n'*}"
  one_line "${files//$'\n'/, }"
  refuse 78 "$whose and version $new_version change the same lines of $REPLY$where: nothing was \
upgraded. Move what is your own into a job of your own (./run_job.sh --new), or merge by hand: git \
pull --rebase --autostash"
}

# where_in FILE: set `where`, in words, to the line at which its first conflict begins.
where_in() {
  local line number=0
  where=''
  while IFS= read -r line; do
    case $line in
      '<<<<<<< '*) where=" (line $((number + 1)))"; break ;;
    esac
    ((++number))
  done <"$part/new/$1" 2>/dev/null
}

# Set `replaced` and `added`: what is to be done to the files that are there now. Ends the upgrade
# where a file that git does not know stands where the new version has one.
list_changes() {
  local kind path folder
  replaced=() added=() new_packages='' new_crontab=''
  while IFS= read -r -d '' kind && IFS= read -r -d '' path; do
    case $path in
      requirements*.txt) [[ ! -e $root/venv/$path ]] || new_packages=yes ;;
      crontab.example) new_crontab=yes ;;
    esac
    if [[ $kind != A ]]; then
      replaced+=("$path")
      continue
    fi
    folder=$path
    while [[ $folder == */* ]]; do
      folder=${folder%/*}
      [[ ! -L $root/$folder && (! -e $root/$folder || -d $root/$folder) ]] ||
        git ls-files --error-unmatch -- "$folder" >/dev/null 2>&1 || in_the_way "$folder"
    done
    if [[ -f $root/$path && ! -L $root/$path ]] && cmp -s -- "$root/$path" "$part/new/$path"; then
      replaced+=("$path") # the very file is there already
    elif [[ -L $root/$path || -e $root/$path && ! -d $root/$path ]] ||
      [[ -n $(git ls-files --others -- "$path" 2>/dev/null | head -n 1) ]]; then
      in_the_way "$path"
    else
      added+=("$path")
    fi
  done < <(git diff --no-ext-diff --no-renames --name-status -z "$edited" "$new_edited")
}

in_the_way() {
  refuse 78 "$1 is a file of your own, and version $new_version has one of that name: nothing was \
upgraded; rename yours, then run again"
}
