# shellcheck shell=bash
# The job as a process: started within its time limit, told to stop when we are, and nothing of it left behind.
# Sourced by run_job.sh.

child_makes_group=yes # see child.sh

# Told to stop, nothing may be left of the job: neither what it has started itself, nor the job, which timeout leaves alone
# when the signal comes in the very moment of starting it.
end_group() {
  local tenths=0
  while group_lives "$1"; do
    ((tenths > 0)) || kill -TERM -- "-$1"
    ((tenths++ < kill_after * 10)) || kill -KILL -- "-$1"
    sleep 0.1 9>&- 8>&- 6<&-
  done
} 2>/dev/null

# By /proc, since `kill -0` also finds the dead that nobody has collected yet.
group_lives() {
  local stat
  for stat in /proc/[0-9]*/stat; do
    IFS= read -r stat <"$stat" || continue
    [[ ! ${stat##*) } =~ ^[^ZX]\ [0-9]+\ $1\  ]] || return 0
  done
  return 1
}

# timeout makes a process group of its own, so that all that the job has started ends with it. When a person may be asked
# something (stdin is their terminal) it is a session of its own: a mere background group could not read from there, and
# in ours the job would be told of Ctrl-C by the terminal, by timeout and by us.
run_once() {
  local command=(timeout -k "$kill_after" "$time_limit" "$root/venv/bin/python" "$root/jobs/$job.py" "$@")
  if [[ -t 0 ]]; then
    setsid "${command[@]}" <&0 2>&8 8>&- 6<&- &
  else
    "${command[@]}" </dev/null 2>&8 8>&- 6<&- &
  fi
  local group=$!
  await_child
  ((asked == 0)) || end_group "$group"
}
