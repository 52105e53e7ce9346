# shellcheck shell=bash
# Start the job under its time limit, and leave no process of it behind when we are told to stop.
# Sourced by run_job.sh; uses child.sh.

child_makes_group=yes # for child.sh

# Starts a job's script. -P: the folder of jobs is not where Python looks for modules first.
launch=("$root/venv/bin/python" -P "$root/jobs/common/runner/launch.py")

# End all processes of GROUP: TERM first, KILL after JOB_KILL_AFTER. They are what the job has
# started; and the job itself, should the signal have come while `timeout` was starting it.
end_group() {
  local tenths=0
  while group_lives "$1"; do
    ((tenths > 0)) || kill -TERM -- "-$1"
    ((tenths++ < kill_after * 10)) || kill -KILL -- "-$1"
    sleep 0.1 9>&- 8>&- 6<&-
  done
} 2>/dev/null

# Is a process of GROUP alive? We look in /proc, since `kill -0` also finds zombies.
group_lives() {
  local stat
  for stat in /proc/[0-9]*/stat; do
    IFS= read -r stat <"$stat" || continue
    [[ ! ${stat##*) } =~ ^[^ZX]\ [0-9]+\ $1\  ]] || return 0
  done
  return 1
}

# Run the job once with these ARGUMENTS. Sets `status`.
#
# `timeout` makes a process group of its own, so that what the job has started ends with the job. At
# a terminal, where the job may ask the person something, that group also needs a session of its
# own: a background group cannot read from the terminal. In our group the job would get each Ctrl-C
# three times: from the terminal, from `timeout` and from us.
run_once() {
  local command=(timeout -k "$kill_after" "$time_limit")
  command+=("${launch[@]}" "$root/jobs/$job.py" "$@")
  if [[ -t 0 ]]; then
    setsid "${command[@]}" <&0 2>&8 8>&- 6<&- &
  else
    "${command[@]}" </dev/null 2>&8 8>&- 6<&- &
  fi
  local group=$!
  await_child
  # Killed: `timeout` has left the job behind, or the job what it had started.
  ((asked == 0 && status != 137)) || end_group "$group"
}
