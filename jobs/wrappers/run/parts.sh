# shellcheck shell=bash
# Reads every part that a run needs, before anything begins: an update of the installation during
# the run changes nothing for this run. Sourced by run_job.sh; uses root.

# shellcheck source=jobs/wrappers/shared.sh
source "${root:?}/jobs/wrappers/shared.sh" || exit 78
# shellcheck source=jobs/wrappers/child.sh
source "$root/jobs/wrappers/child.sh" || exit 78
# shellcheck source=jobs/wrappers/run/questions.sh
source "$root/jobs/wrappers/run/questions.sh" || exit 78
# shellcheck source=jobs/wrappers/run/lock.sh
source "$root/jobs/wrappers/run/lock.sh" || exit 78
# shellcheck source=jobs/wrappers/run/job_log.sh
source "$root/jobs/wrappers/run/job_log.sh" || exit 78
# shellcheck source=jobs/wrappers/run/process.sh
source "$root/jobs/wrappers/run/process.sh" || exit 78

# Make venv/ ready, if it is not; with the servers that `--demo --celery` starts, where these are
# asked for. Ends the run with 73, 74 or 78 when that fails.
need_venv() {
  # Python ends with 2 where it does not find its script: that would be "wrong usage".
  [[ -f ${launch[2]} ]] || refuse 78 "$root/jobs is incomplete: restore it with git checkout"
  local with=()
  [[ -z $demo || -z $celery || -f $root/venv/requirements-demo.txt ]] || with=(--with demo)
  ((${#with[@]})) || ! venv_is_ready || return 0
  # shellcheck source=jobs/wrappers/run/setup.sh
  source "$root/jobs/wrappers/run/setup.sh" || exit 78
  make_venv "${with[@]}"
}
