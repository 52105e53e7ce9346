# shellcheck shell=bash
# What run_job.sh can say without running a job: its manual, the jobs, and where one is.
# Sourced by run_job.sh; uses shared.sh.

# Print the comment at the top of run_job.sh.
manual() {
  local line
  while IFS= read -r line && [[ $line == '#'* ]]; do
    line=${line#'#'}
    [[ $line == '!'* ]] || printf '%s\n' "${line# }"
  done <"$root/run_job.sh"
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

# Print each of them with the first line of its docstring.
list_jobs() {
  local file line
  job_files
  for file in "${files[@]}"; do
    while IFS= read -r line && [[ $line != '"""'?* ]]; do :; done <"$file"
    line=${line#'"""'} file=${file##*/}
    printf '%-20s %s\n' "${file%.py}" "${line%'"""'}"
  done
}

# Set `file`: the path of the job, or of the operator's script, called NAME. Where there is none,
# name those that there are and end with 2.
find_script() {
  local shown
  for file in "$root/jobs/$1.py" "$root/jobs/ops/$1.py"; do
    ! is_name "$1" || [[ ! -f $file ]] || return 0
  done
  printf -v shown '%q' "${1:0:80}"
  job_files
  files=("${files[@]##*/}")
  files=("${files[@]%.py}")
  say "no job is called $shown; there are: ${files[*]}"
  exit 2
}
