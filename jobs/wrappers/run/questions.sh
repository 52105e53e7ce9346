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

# Print each of them with the first line of its docstring; a job that cannot run with the reason.
list_jobs() {
  local file line name reason
  local -A refused=()
  if venv_is_ready; then
    while IFS=$'\t' read -r name reason; do
      refused[$name]=$reason
    done < <("$root/venv/bin/python" -P "$root/jobs/ops/doctor.py" --refused 2>/dev/null)
  fi
  job_files
  for file in "${files[@]}"; do
    while IFS= read -r line && [[ $line != '"""'?* ]]; do :; done <"$file"
    line=${line#'"""'} line=${line%'"""'} name=${file##*/} name=${name%.py}
    [[ $file == */ops/* || -z ${refused[$name]-} ]] || line="CANNOT RUN: ${refused[$name]}"
    printf '%-20s %s\n' "$name" "$line"
  done
}

# Set `file`: the path of the operator's script, or of the job, called NAME. Where there is none,
# name those that there are and end with 2. No job takes the place of an operator's script.
find_script() {
  local shown
  for file in "$root/jobs/ops/$1.py" "$root/jobs/$1.py"; do
    ! is_name "$1" || [[ ! -f $file ]] || return 0
  done
  printf -v shown '%q' "${1:0:80}"
  job_files
  files=("${files[@]##*/}")
  files=("${files[@]%.py}")
  say "no job is called $shown; there are: ${files[*]}"
  exit 2
}
