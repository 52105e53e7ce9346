# shellcheck shell=bash
# Put the lines of crontab.example and crontab.local into this user's crontab, or take them out.
# Sourced by run_job.sh for --install-cron and --remove-cron; uses shared.sh.
#
# The lines stand in a block between two marker lines that name the installation. The block comes
# last, so that the user's own MAILTO, PATH and SHELL hold for it as well. It sets no such variables
# itself: they would hold for every line that anybody adds below. All else in the crontab stays as
# it is, byte for byte.

block_begin="# >>> claude-batch-jobs $root >>>"
block_end="# <<< claude-batch-jobs $root <<<"
# This follows block_begin when the crontab did not end with a line break.
joined=' (made with the line break before it)'

# change_crontab --install-cron | --remove-cron: do it, and print what has changed. Ends the run
# with 73, 74 or 78 when it cannot be done.
change_crontab() {
  local LC_ALL=C # so that lengths are in bytes
  if (($# != 1)); then
    say "$1 takes no options"
    exit 2
  fi
  command -v crontab >/dev/null ||
    refuse 78 'crontab is missing: apt-get install cron, then run again'
  backup=$state/crontab.$run_id.bak new_file=$state/.crontab.$run_id.new
  need_ours "$backup" "$new_file" "$new_file.said"
  trap 'rm -f -- "$new_file" "$new_file.said"
    [[ -n ${keep_backup-} ]] || rm -f -- "$backup"' EXIT
  read_crontab
  split_crontab
  if [[ $1 == --install-cron ]]; then
    make_block
    if [[ -n $has_block ]]; then
      new=$before$block$after
    elif [[ -z $text || $text == *$'\n' ]]; then
      new=$text$block
    else
      new=$text$'\n'${block/"$block_begin"/"$block_begin$joined"}
    fi
  else
    # Remove the line break that we had added, unless somebody has added lines below the block.
    [[ $note != "$joined"* || -n $after ]] || before=${before%$'\n'}
    new=$before$after
  fi
  if [[ $new == "$text" ]]; then
    printf 'The crontab of %s needs no change: nothing was done.\n' "$(id -un)"
    [[ $1 != --install-cron ]] || tell_jobs
    return
  fi
  trap '' PIPE # what has changed is changed, whoever reads of it
  write_crontab
  tell_changes "$1" 2>/dev/null
}

# Print what has changed, and how to undo it.
tell_changes() {
  printf 'Changed in the crontab of %s; everything else in it is as it was:\n' "$(id -un)"
  diff -- "$backup" "$new_file" | sed -n 's/^</  -/p; s/^>/  +/p'
  [[ -n $none ]] || printf 'The crontab before: %s\n' "$backup"
  if [[ $1 == --install-cron ]]; then
    tell_jobs
    printf 'Undo: %q --remove-cron\n' "$root/run_job.sh"
  else
    printf 'Undo: %q --install-cron\n' "$root/run_job.sh"
  fi
}

# Print which jobs cron starts by these lines, and which it does not.
tell_jobs() {
  local file name commented='' unknown=''
  for file in "$root"/jobs/*.py; do
    name=${file##*/} name=${name%.py}
    if ! is_name "$name" || [[ " $starts" == *" $name "* ]]; then
      continue
    elif [[ " $resting" == *" $name "* ]]; then
      commented+="$name "
    else
      unknown+="$name "
    fi
  done
  printf 'Started by cron: %s\n' "${starts:-nothing}"
  if [[ -n $commented ]]; then
    printf 'Not started, since their lines are commented out: %s' "$commented"
    printf '(copy them into crontab.local without the #, then run --install-cron again)\n'
  fi
  if [[ -n $left_out ]]; then
    printf 'Left out of crontab.local:\n%s' "$left_out"
  fi
  if [[ -n $unknown ]]; then
    printf 'Not started, since crontab.local has no line for them: %s\n' "$unknown"
  fi
}

# Set `text`: the crontab, which is also copied to the file `backup`. `none` is not empty when the
# user has no crontab. When `crontab -l` fails or is cut short, end the run: to go on would mean to
# write back an incomplete crontab.
read_crontab() {
  local status said
  none='' text=''
  { : >"$backup"; } 2>/dev/null ||
    refuse 73 "cannot write $backup: let uid $EUID write it (chown), then run again"
  crontab -l >"$backup" 2>"$new_file.said" </dev/null
  status=$?
  said=$(<"$new_file.said")
  if ((status == 0)); then
    IFS= read -r -d '' text <"$backup"
    if [[ ${#text} != "$(stat -c %s -- "$backup")" ]] ||
      ! crontab -l 2>/dev/null </dev/null | cmp -s - "$backup"; then
      refuse 74 'the crontab could not be read whole: nothing was done (is the disk full?)'
    fi
  elif [[ $said == *'no crontab for'* || $said == *"can't open"*'No such file'* ]]; then
    none=yes
  else
    one_line "${said:-no reason given}"
    refuse 78 "crontab -l failed: $REPLY: nothing was done"
  fi
}

# Set `before` and `after`: what stands above and below the block; `note`: what follows its first
# marker; `has_block`: not empty when there is a block.
split_crontab() {
  local lines=$'\n'$text
  has_block='' before=$text note='' after=''
  if [[ $lines == *$'\n'"$block_begin"*$'\n'"$block_end"* ]]; then
    has_block=yes
    before=${lines%%$'\n'"$block_begin"*}$'\n'
    before=${before#$'\n'}
    after=${lines#*$'\n'"$block_begin"}
    note=${after%%$'\n'*}
    after=${after#*$'\n'"$block_end"}
    if [[ $after == *$'\n'* ]]; then after=${after#*$'\n'}; else after=''; fi
    lines=$before$after
  fi
  if [[ $lines == *"$block_begin"* || $lines == *"$block_end"* ]]; then
    refuse 78 "the marker lines of $root in the crontab are damaged: remove them with crontab -e, \
then run again"
  fi
}

# Set `block`: the lines of crontab.example and crontab.local whose job exists, each with the
# comment right above it. Set `starts`: the jobs and scripts of these lines; `resting`: those whose line is
# commented out; `left_out`: the lines of crontab.local that are in no block.
#
# crontab.local is the user's, and no release touches it. A job that it names, also behind a #, is
# scheduled by it alone: its line in crontab.example is left out, so that no job starts twice.
make_block() {
  starts='' resting='' left_out=''
  local own=$root/crontab.local own_lines='' own_names=''
  check_path
  if [[ -e $own || -L $own ]]; then
    lines_of "$own" ||
      refuse 78 "cannot read $own: make it a file that uid $EUID can read (chown), then run again"
    own_lines=$REPLY own_names=" $starts$resting"
  fi
  lines_of "$root/crontab.example" "$own_names" ||
    refuse 78 "cannot read $root/crontab.example: git checkout crontab.example"
  block=$block_begin$note$'\n'
  block+='# From crontab.example and crontab.local, by ./run_job.sh --install-cron, '
  block+='which replaces this block: put lines of your own outside.'$'\n'
  block+=$REPLY$own_lines$block_end$'\n'
}

# lines_of FILE [NAMES]: REPLY = its lines that cron is to have, but for those of the jobs NAMES.
# Adds to `starts`, `resting` and `left_out`. Fails when the file cannot be read.
lines_of() {
  local job_named='.*/((run_job|notify_on_failure)\.sh) +([a-z][a-z0-9_]*)'
  local line wrapper name comment='' is_own='' lines=''
  [[ $1 != */crontab.local ]] || is_own=yes
  [[ -f $1 && -r $1 ]] || return
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%$'\r'}
    [[ -z $is_own ]] || line=${line#"${line%%[![:blank:]]*}"}
    case $line in
      '#'*)
        comment+=$line$'\n'
        if [[ $line == '#'*([ #])[0-9*@]* && $line =~ $job_named &&
          " ${2-} " != *" ${BASH_REMATCH[3]} "* ]]; then
          resting+="${BASH_REMATCH[3]} "
        fi
        ;;
      [0-9*@]*)
        line=${line//'/opt/claude-batch-jobs'/"$root"}
        if [[ $line =~ $job_named ]]; then
          wrapper=$root/${BASH_REMATCH[1]} name=${BASH_REMATCH[3]}
          if [[ ! -f $root/jobs/$name.py && ! -f $root/jobs/ops/$name.py ]]; then
            [[ -z $is_own ]] || left_out+="  $line (there is no job $name)"$'\n'
          elif [[ " ${2-} " != *" $name "* ]]; then
            [[ -x $wrapper ]] ||
              refuse 78 "$wrapper cannot be executed: chmod +x it, then run again"
            lines+=$comment$line$'\n'
            [[ " $starts" == *" $name "* ]] || starts+="$name "
          fi
        elif [[ -n $is_own ]]; then
          lines+=$comment$line$'\n'
        fi
        comment=''
        ;;
      *)
        [[ -z $is_own || -z ${line//[[:blank:]]/} ]] ||
          left_out+="  $line (no time begins it; a variable would hold for all lines below)"$'\n'
        comment=''
        ;;
    esac
  done <"$1"
  REPLY=$lines
}

# End the run with 78 when the path of the installation needs quoting: a crontab cannot hold a line
# break at all, and each other special character would need a treatment of its own.
check_path() {
  local LC_ALL=C.UTF-8 quoted
  printf -v quoted '%q' "$root"
  if [[ $quoted != "$root" || $root == *%* ]]; then
    refuse 78 "cron cannot take the path $quoted: move the installation to one without blanks, \
% and the like"
  fi
}

# Make `new` the crontab, check that it has arrived, and keep the backup.
write_crontab() {
  { printf '%s' "$new" >"$new_file"; } 2>/dev/null ||
    refuse 74 "cannot write $new_file: is the disk full?"
  check_syntax
  [[ -n $none ]] || keep_backup=yes
  if [[ -z $new ]]; then
    crontab -r 2>"$new_file.said" </dev/null || crontab_refuses
  else
    crontab_on_file 2>"$new_file.said" || crontab_refuses
  fi
  if [[ -n $new ]] && ! crontab -l 2>/dev/null </dev/null | cmp -s - "$new_file"; then
    refuse 74 "crontab -l does not show what was installed: look at it with crontab -l; the one \
before is $backup"
  fi
}

# Let `crontab` check the new file. Debian's crontab does so with -n, cronie's with -T (its -n means
# something else); others cannot, and complain about the option.
check_syntax() {
  local option=-n
  [[ $(crontab -V 2>&1 </dev/null) != *cronie* ]] || option=-T
  if ! crontab_on_file "$option" >"$new_file.said" 2>&1; then
    grep -qiE 'usage|(invalid|unrecogni[sz]ed|unknown|illegal) (option|argument)' \
      "$new_file.said" || crontab_refuses
  fi
}

# crontab_on_file [OPTION]: run `crontab` on the new file, by its short name: Debian's crontab cuts
# a path after 100 characters.
crontab_on_file() (
  cd -P -- "$state" && crontab "$@" "${new_file##*/}" </dev/null
)

# End the run with what `crontab` has complained about.
crontab_refuses() {
  keep_backup=''
  one_line "$(<"$new_file.said")"
  refuse 78 "crontab refuses the new lines: ${REPLY:-no reason given}: nothing was done"
}
