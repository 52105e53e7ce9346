# shellcheck shell=bash
# The job as a process: started within its time limit, told to stop when we are, and nothing of it left behind.
# Sourced by run_job.sh.

asked=0 passed_on=0 child=''

# From now on, being told to stop is no reason to die but to tell the job.
listen() {
  trap 'asked=$((asked + 1)); pass_on' TERM INT HUP
}

# The job is told to stop each time we are; always with TERM. `timeout` hands on the first one and is deaf to the others,
# which therefore go to its process group.
pass_on() {
  while [[ -n $child ]] && ((passed_on < asked)); do
    # What is still a copy of this script, about to become `timeout`, might swallow it.
    while [[ /proc/$child/exe -ef /proc/$$/exe ]]; do :; done
    if ((passed_on++)); then
      kill -TERM -- "-$child"
    else
      kill -TERM "$child"
    fi
  done
} 2>/dev/null

# status = the exit status of `child`. A signal ends `wait` early, with a status that is not the child's; a second one has it.
await_child() {
  child=$!
  pass_on
  wait "$child"
  status=$?
  if ((asked)); then
    while kill -0 "$child"; do sleep 0.05 9>&- 8>&- 6<&-; done
    # When Ctrl-C ends the child as well, before it has become `timeout`, bash can lose sight of it: it counts as running
    # for ever, and `wait` would wait for as long.
    case $'\n'$(jobs -pr)$'\n' in
      *$'\n'"$child"$'\n'*) status=143 ;;
      *) wait "$child"; status=$? ;;
    esac
  fi
  child=''
} 2>/dev/null # "Killed ..." is bash's remark, the END line says it better

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
