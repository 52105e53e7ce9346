# shellcheck shell=bash
# What run_job.sh can say without running a job: its manual, the jobs, and where one is.
# Sourced by run_job.sh; uses shared.sh.

# Print the comment at the top of run_job.sh.
manual() {
  local line text=''
  while IFS= read -r line && [[ $line == '#'* ]]; do
    line=${line#'#'}
    [[ $line == '!'* ]] || text+=${line# }$'\n'
  done <"$root/run_job.sh"
  answer "$text"
}

# Print what `source <(./run_job.sh --completion)` reads. The Tab key asks complete.sh of the
# installation whose run_job.sh stands on the line, else of this one.
completion() {
  local text
  printf -v text 'claude_batch_jobs_root=%q\n' "$root"
  text+=$(<"$root/jobs/wrappers/run/completion.sh")
  answer "$text"$'\n'
}

# Print the version, which stands in VERSION and nowhere else, and the commit.
tell_version() {
  local version='' commit='no git clone' edits=''
  read -r version 2>/dev/null <"$root/VERSION"
  if [[ -e $root/.git ]] && commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null); then
    git -C "$root" --no-optional-locks diff --quiet HEAD 2>/dev/null || edits=', with edits'
    commit="commit $commit"
  fi
  answer "claude-batch-jobs ${version:-without a number} (${commit:-no git clone}$edits)"$'\n'
}

# Set `files`: the paths of all jobs, then of all scripts for the operator.
job_files() {
  local file
  files=()
  for file in "$root"/jobs/*.py "$root"/jobs/ops/*.py; do
    file=${file%.py}
    ! is_name "${file##*/}" || files+=("$file.py")
  done
}

# Print each of them with the first line of its docstring; a job that cannot run with the reason.
list_jobs() {
  local file line name reason text=''
  local -A refused=()
  if venv_is_ready; then
    while IFS=$'\t' read -r name reason; do
      [[ -z $name ]] || refused[$name]=$reason
    done < <("$root/venv/bin/python" -P "$root/jobs/ops/doctor.py" --refused 2>/dev/null)
  fi
  job_files
  for file in "${files[@]}"; do
    while IFS= read -r line && [[ $line != '"""'?* ]]; do :; done <"$file"
    line=${line#'"""'} line=${line%'"""'} name=${file##*/} name=${name%.py}
    [[ $file == */ops/* || -z ${refused[$name]-} ]] || line="CANNOT RUN: ${refused[$name]}"
    # As one types it.
    [[ $file != */ops/@(new|backup).py ]] || name=--$name
    printf -v line '%-20s %s\n' "$name" "$line"
    text+=$line
  done
  answer "$text"
}

# Set `name` and `file`: the name and the path of the job, or of the operator's script, that
# ARGUMENT means; no job takes the place of an operator's script. Where there is none, say why, name
# the nearest, and end with 2.
find_script() {
  local shown plain
  name_of "$1"
  name=$REPLY
  for file in "$root/jobs/ops/$name.py" "$root/jobs/$name.py"; do
    ! is_name "$name" || [[ ! -f $file ]] || return 0
  done
  shown=$(LC_ALL=C printf '%q' "${1:0:80}") # in this locale it escapes all but ASCII
  plain=${1##*/} plain=${plain%.py}
  if [[ -n $plain && -f $root/jobs/$plain.py ]] && ! is_name "$plain"; then
    say "jobs/${shown##*/} can be no job: a name has small letters, digits and _ alone, and begins \
with a letter; rename the file"
    exit 2
  fi
  job_files
  files=("${files[@]##*/}")
  files=("${files[@]%.py}")
  if [[ $1 == -* ]]; then
    nearest "$1" --list --new --setup --install-cron --remove-cron --upgrade --backup \
      --completion --version --help
    shown+=": the job's name comes first"
  else
    nearest "$plain" "${files[@]}"
    [[ $plain != *-* ]] || shown+=': a name has _ where you wrote -'
  fi
  say "no job is called $shown${REPLY:+ (did you mean $REPLY?)}; there are: ${files[*]}"
  exit 2
}

# nearest WORD CANDIDATE...: REPLY = the candidate that is the same but for two letters that are
# wrong, missing, too many or swapped, or that begins with WORD; empty when there is none. A hyphen
# and a capital count as what they stand for.
nearest() {
  local word=${1:0:40} best=3 found='' candidate
  word=${word,,} word=${word//-/_}
  for candidate in "${@:2}"; do
    distance "$word" "${candidate//-/_}"
    [[ $REPLY -lt 3 || ${#word} -lt 3 || $candidate != "$word"* ]] || REPLY=2
    ((REPLY >= best || REPLY >= ${#word})) || best=$REPLY found=$candidate
  done
  REPLY=$found
}

# distance WORD OTHER: REPLY = how many letters to change, add, leave out or swap.
distance() {
  local i j least
  local -A steps=()
  for ((i = 0; i <= ${#1}; i++)); do steps[$i,0]=$i; done
  for ((j = 0; j <= ${#2}; j++)); do steps[0,$j]=$j; done
  for ((i = 1; i <= ${#1}; i++)); do
    for ((j = 1; j <= ${#2}; j++)); do
      least=${steps[$((i - 1)),$((j - 1))]}
      if [[ ${1:i-1:1} != "${2:j-1:1}" ]]; then
        ((steps[$((i - 1)),$j] >= least)) || least=${steps[$((i - 1)),$j]}
        ((steps[$i,$((j - 1))] >= least)) || least=${steps[$i,$((j - 1))]}
        if ((i > 1 && j > 1)) && [[ ${1:i-2:2} == "${2:j-1:1}${2:j-2:1}" ]] &&
          ((steps[$((i - 2)),$((j - 2))] < least)); then
          least=${steps[$((i - 2)),$((j - 2))]}
        fi
        ((least++))
      fi
      steps[$i,$j]=$least
    done
  done
  REPLY=${steps[${#1},${#2}]}
}
