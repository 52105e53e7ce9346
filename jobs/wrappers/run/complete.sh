#!/usr/bin/env bash
# Print what may stand at the cursor of a command line, a line each. Completion calls it, with
# COMP_CWORD and COMP_WORDS: complete.sh NUMBER run_job.sh WORD...
#
# Jobs, options and days are found by builtins of bash alone, within some milliseconds: options are
# read from the scripts that take them. Dead letters stand in the ledger, so that Python is started
# for these, and for nothing else. Nothing is ever printed to stderr.

# candidate WORD...: print each WORD that begins with what is typed, without the part of it that
# readline takes for another word.
candidate() {
  local word
  for word in "$@"; do
    [[ $word != "$current"* ]] || printf '%s\n' "${word:${#before}}"
  done
}

# Set `words`, the command line up to the cursor, and `current`, its last word; `before`: the part
# of that word that readline takes for others, since it breaks words at = : and @.
read_line() {
  local number=$1 glued='' word
  shift
  words=() before=''
  while ((number-- >= 0)); do
    word=${1-}
    shift
    if [[ $word == [=:@]* && ${#words[@]} -gt 0 ]]; then
      before=${words[-1]}$word
      words[-1]+=$word glued=yes
      # Nothing is typed behind it yet: readline has an empty word there.
      [[ $word == *[!=:@]* ]] || continue
    elif [[ -n $glued && ${#words[@]} -gt 0 ]]; then
      words[-1]+=$word
    else
      words+=("$word") before=''
    fi
    glued=''
  done
  current=${words[-1]-}
  before=${before:0:${#current}}
  before=${before%@} # a word of readline's begins with it, and not behind it
}

# Set `jobs` and `scripts`: the names of the jobs and of the operator's scripts.
read_names() {
  local file name
  jobs=() scripts=()
  for file in "$root"/jobs/*.py; do
    name=${file##*/} name=${name%.py}
    [[ ! $name =~ ^[a-z][a-z0-9_]*$ ]] || jobs+=("$name")
  done
  for file in "$root"/jobs/ops/*.py; do
    name=${file##*/} name=${name%.py}
    case $name in
      __init__ | new | backup | upgrade) ;; # they are called with -- before them
      *) [[ ! $name =~ ^[a-z][a-z0-9_]*$ ]] || scripts+=("$name") ;;
    esac
  done
}

# Set `options`: those that a script of ours hands to its parser, as its text has them.
read_options() {
  local line call=''
  options=()
  while IFS= read -r line; do
    [[ -n $call || $line =~ (add|add_argument|flag)\( ]] || continue
    call+=${line#"${line%%[! ]*}"}
    [[ $line == *')' || $line == *') '* ]] || continue # the call goes on
    [[ $call == *SUPPRESS* || ! $call =~ (add|add_argument|flag)\(\"(--[a-z-]+)\" ]] ||
      options+=("${BASH_REMATCH[2]}")
    call=''
  done <"$1"
  options+=(--help)
}

# Set `commands`: what run_job.sh does besides running a script, as its manual has them.
read_commands() {
  local line
  commands=()
  while IFS= read -r line && [[ $line == '#'* ]]; do
    [[ ! $line =~ run_job\.sh\ (--[a-z-]+) || " ${commands[*]} " == *" ${BASH_REMATCH[1]} "* ]] ||
      commands+=("${BASH_REMATCH[1]}")
  done <"$root/run_job.sh"
}

# Take from `options` those that the job of FILE does not have.
keep_those_of() {
  local text option kept=()
  text=$(<"$1")
  for option in "${options[@]}"; do
    case $option in
      --date | --since | --until)
        [[ $text == *:start* || $text == *:end* || $text == *reports_of=* ]] || continue
        ;;
      --today) [[ $text == *merge=* && $text != *reports_of=* ]] || continue ;;
      --limit | --chunk-size | --retry-dead | --reprocess | --stale | --message-batch | --celery | \
        --wait) [[ $text != *reports_of=* ]] || continue ;;
      --try | --eval | --min-accuracy) [[ $text != *merge=* ]] || continue ;;
    esac
    kept+=("$option")
  done
  options=("${kept[@]}")
}

# Print the days that NAME has a report of, then the last eight days; or weeks, where it writes a
# report of each.
days() {
  local file day now number form='%F'
  local -A seen=()
  [[ ! -f $root/jobs/$1.py || $(<"$root/jobs/$1.py") != *reports_of=* ]] || form='%G-W%V'
  for file in "$root/reports/$1"/*.md "$root/state/demo/reports/$1"/*.md; do
    day=${file##*/} day=${day%.md}
    [[ ! $day =~ ^[0-9]{4}-([0-9]{2}-[0-9]{2}|W[0-9]{2})$ ]] || seen[$day]=yes
  done
  printf -v now '%(%s)T' -1
  for ((number = 0; number < 8; number++)); do
    printf -v day "%($form)T" "$((now - number * 86400))"
    seen[$day]=yes
  done
  for day in "${!seen[@]}"; do candidate "$day"; done | sort
}

# Print the ids of dead letters: of the job NAME, or of all jobs.
dead_letters() {
  local id ids=()
  [[ ! -x $root/venv/bin/python ]] || mapfile -t ids < <("$root/venv/bin/python" -P \
    "$root/jobs/ops/status.py" --dead-letters ${1:+"$1"})
  for id in "${ids[@]}"; do
    [[ -n $id ]] || continue # there are none
    # An id with a blank in it, or a quote, is written as the shell wants it.
    printf -v id '%q' "$id"
    [[ ! $id =~ ^[[:alnum:]\\:@./_-]+$ ]] || id=${id//\\@/@} id=${id//\\:/:}
    candidate "$id"
  done
}

files() {
  local file
  while IFS= read -r file; do
    [[ ! -d $file ]] || file+=/
    candidate "$file"
  done < <(compgen -f -- "$current")
}

models() {
  local text
  local -A seen=()
  text=$(<"$root/jobs/common/claude/prices.json")
  while [[ $text =~ \"(claude-[a-z0-9.-]+)\" ]]; do
    [[ -n ${seen[${BASH_REMATCH[1]}]-} ]] || candidate "${BASH_REMATCH[1]}"
    seen[${BASH_REMATCH[1]}]=yes
    text=${text#*"${BASH_REMATCH[0]}"}
  done
}

# Print the values of the OPTION before the cursor, for the script NAME. Fails where it takes none.
values() {
  case $1 in
    --from) candidate "${jobs[@]}" ;;
    --after) candidate "${jobs[@]}" ;;
    --date | --since | --until) days "$2" ;;
    --record) dead_letters '' ;;
    --model) models ;;
    --with) candidate postgres celery demo ;;
    --older-than) candidate 30d 90d 365d ;;
    --wait) candidate 30m 2h 24h ;;
    --eval) candidate corrections; files ;;
    --import) files ;;
    --concurrency) candidate auto ;;
    --limit | --chunk-size | --max-cost | --min-accuracy | --rows | --queue | --table | --id | \
      --text | --time) ;; # a value that nobody can guess
    *) return 1 ;;
  esac
}

main() {
  exec 2>/dev/null
  set +o posix
  shopt -s nullglob
  shopt -u failglob
  export LC_ALL=C.UTF-8
  root=$(readlink -f -- "${BASH_SOURCE[0]}")
  root=${root%/jobs/wrappers/run/*}
  local file
  read_line "$@"
  read_names
  local script=${words[0]##*/} name=${words[1]-} previous=''
  local number=${#words[@]}
  ((number > 1)) || return 0
  if ((number == 2)); then
    if [[ $script == notify_on_failure.sh ]]; then
      candidate "${jobs[@]}" --test --outbox --backup --help
    else
      read_commands
      candidate "${jobs[@]}" "${scripts[@]}" "${commands[@]}"
    fi
    return
  fi
  previous=${words[number - 2]}
  if [[ $current == --*=* ]]; then # --date=2026-…
    local option=${current%%=*} whole=$current
    current=${current#*=}
    before=${before#"$option="}
    [[ $whole == "$option=$before"* ]] || before=''
    values "$option" "$name"
    return
  fi
  ! values "$previous" "$name" || return 0
  case $name in
    --new)
      read_options "$root/jobs/ops/new.py"
      ((number == 3)) && [[ $current != -* ]] || candidate "${options[@]}"
      ;;
    --backup) files ;;
    --setup) candidate --with ;;
    --upgrade) candidate --dry-run ;;
    --test) candidate slack pagerduty email webhook report_slack report_email ;;
    --*) ;;
    *)
      file=$root/jobs/ops/$name.py
      if [[ -f $file ]]; then
        read_options "$file"
        [[ $current == -* || $name == worker ]] || candidate "${jobs[@]}"
        candidate "${options[@]}"
      elif [[ -f $root/jobs/$name.py ]]; then
        read_options "$root/jobs/common/options.py"
        keep_those_of "$root/jobs/$name.py"
        candidate "${options[@]}"
      fi
      ;;
  esac
}

main "$@"
exit 0
