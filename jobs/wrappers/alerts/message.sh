# shellcheck shell=bash
# The text of an alert. Sourced by alerts.sh; uses text.sh and what run_log.sh and streak.sh have
# set.
#
# Sets  notes     what note() has collected
#       title     the alert's first line
#       details   its other lines, each `name: value`
#       text      all of these lines
#       words     what the exit code means

notes=()

# Add a line to the alert, and print it to stderr.
note() {
  notes+=("$1")
  say "$1"
}

# Set `title`, `details`, `text` and `words` for the `event`.
describe() {
  local line
  words_for "$status"
  words=$REPLY details=()
  duration_words "$seconds"
  details+=("run: ${run_id:-id unknown}, took $REPLY")
  duration_words $((EPOCHSECONDS - since))
  case $event in
    failure)
      title="$label failed on $host: exit $status ($words)"
      ((count < 2)) || details+=("in a row: $count failed runs, for $REPLY")
      ;;
    stuck)
      duration_words $((EPOCHSECONDS - waiting))
      title="$label on $host: is it stuck? exit 75 (not now) $skipped times in a row, for $REPLY"
      ;;
    recovery) title="$label works again on $host: it was down for $REPLY" log_tail='' ;;
    test)
      title="test from $host: alerts of claude-batch-jobs arrive here"
      details=("sent by: $root/notify_on_failure.sh --test")
      ;;
  esac
  [[ -z $counts ]] || details+=("counts: $counts")
  while IFS= read -r line; do
    [[ -z $line ]] || details+=("looks wrong: $line")
  done < <(printf '%s\n' "$unusual")
  if [[ $event == failure || $event == stuck ]]; then
    while IFS= read -r line; do
      [[ -z $line ]] || details+=("why: $line")
    done < <(printf '%s\n' "$reasons")
    details+=("run again: $rerun")
    [[ -z $log ]] || details+=("log: $log")
  fi
  for line in "${notes[@]}"; do details+=("note: $line"); done
  printf -v text '%s\n' "$title" "${details[@]}"
  text=${text%$'\n'}
}
