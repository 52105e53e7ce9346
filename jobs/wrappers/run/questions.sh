# shellcheck shell=bash
# What run_job.sh answers about itself: its manual, and the jobs there are. Sourced by it.

# The comment at the top is the manual.
manual() {
  local line
  while IFS= read -r line && [[ $line == '#'* ]]; do
    line=${line#'#'}
    [[ $line == '!'* ]] || printf '%s\n' "${line# }"
  done <"$root/run_job.sh"
}

# Each job, then each script for the operator.
job_files() {
  local file
  files=()
  for file in "$root"/jobs/*.py "$root"/jobs/ops/*.py; do
    file=${file%.py}
    ! is_name "${file##*/}" || files+=("$file.py")
  done
}

# With the first line of its docstring.
list_jobs() {
  local file line
  job_files
  for file in "${files[@]}"; do
    while IFS= read -r line && [[ $line != '"""'?* ]]; do :; done <"$file"
    line=${line#'"""'} file=${file##*/}
    printf '%-20s %s\n' "${file%.py}" "${line%'"""'}"
  done
}
