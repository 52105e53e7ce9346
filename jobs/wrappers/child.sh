# shellcheck shell=bash
# The one process that a wrapper starts and waits for. Whenever the wrapper is told to stop, it
# tells this child to stop; and it learns the child's exit status, whatever signals arrive
# meanwhile. Sourced by run_job.sh and by alerts.sh.
#
# Uses  child_makes_group   not empty: the child is `timeout`, which makes its own process group
# Sets  asked               how often this wrapper has been told to stop (TERM, INT or HUP)
#       child               the child's pid while the wrapper waits for it, else empty
#       status              the child's exit status

asked=0 passed_on=0 child='' child_makes_group=''

# From now on a signal does not end the wrapper: the wrapper passes it on to its child.
listen() {
  trap 'asked=$((asked + 1)); pass_on' TERM INT HUP
}

# Tell the child to stop once for each time that we were told. It always gets TERM: what bash starts
# with `&` ignores INT.
pass_on() {
  while [[ -n $child ]] && ((passed_on < asked)); do
    if [[ -n $child_makes_group ]]; then
      # Until the child has become `timeout` it is a copy of this script, and might lose the signal.
      while [[ /proc/$child/exe -ef /proc/$$/exe ]]; do :; done
    fi
    if ((passed_on++)) && [[ -n $child_makes_group ]]; then
      # `timeout` passes on the first signal and ignores the others: these go to its whole group.
      kill -TERM -- "-$child"
    else
      kill -TERM "$child"
    fi
  done
} 2>/dev/null

# Wait for the process that was started last. Sets `status`.
await_child() {
  child=$!
  pass_on
  wait "$child"
  status=$?
  if ((asked || status > 128)); then # a signal may have ended `wait` before the child's end
    while kill -0 "$child"; do sleep 0.05 9>&- 8>&- 6<&-; done
    # When Ctrl-C ends the child as well, before the child has become another program, bash can lose
    # track of it: bash then lists it as running for ever, and `wait` would never return.
    case $'\n'$(jobs -pr)$'\n' in
      *$'\n'"$child"$'\n'*) status=143 ;;
      *) wait "$child"; status=$? ;;
    esac
  fi
  child=''
} 2>/dev/null # bash's own remark "Killed ...": the END line and the alert say it better
