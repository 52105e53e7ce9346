# shellcheck shell=bash
# What the log and the history tell about a run. Sourced by alerts.sh; uses text.sh.
# It reads the lines of this run only, never those of another one.
#
# Sets  run_id     empty when the run has left no trace
#       counts     "records=500 done=499 ...": the numbers of the run's summary
#       reasons    its last three errors, one on each line
#       unusual    what looks wrong in its outputs, one on each line: three at most
#       log_tail   the last 2,200 bytes of its log, ready to be sent

# read_run PID STAMP SAID: set all of them for the run of run_job.sh's process PID, which began at
# STAMP (as in a run id) or later. SAID is the end of run_job.sh's stderr: without a log, `reasons`
# and `log_tail` come from it.
read_run() {
  local pid=$1 stamp=$2 said=$3 log_offset=0 line
  run_id='' counts='' reasons='' unusual='' log_tail=''
  find_start
  if [[ -n $run_id ]]; then
    read_log
  else
    while IFS=$'\t' read -r _ line _ _ _ reasons; do
      [[ $line != *-"$pid" || ${line%-*} < $stamp ]] || run_id=$line
    done < <(is_ours "$state/history.tsv" && tail -n 50 -- "$state/history.tsv" 2>/dev/null |
      grep -aF -- "-$pid"$'\t'"$job"$'\t')
    [[ -n $run_id ]] || reasons=''
    sendable "$said" ''
    log_tail=$REPLY
    [[ -n $reasons ]] || reasons=${log_tail##*$'\n'}
    presentable 300 "${reasons#run_job.sh: }"
    reasons=$REPLY
  fi
  setting ALERT_LOG_TAIL 1
  [[ $REPLY == 1 ]] || reasons='' unusual='' log_tail=''
}

# Find the run's START line. Sets `run_id`, and `log_offset`: the line's place in the log, in bytes.
find_start() {
  local line start_line="^([0-9]+):[0-9TZ:-]{20} INFO  \\[([0-9]{8}T[0-9]{6}Z)-$pid\\] START "
  [[ -n $job && -f $log ]] && is_ours "$log" || return
  while IFS= read -r line; do
    [[ $line =~ $start_line ]] || continue
    if [[ ! ${BASH_REMATCH[2]} < $stamp ]]; then
      run_id=${BASH_REMATCH[2]}-$pid log_offset=${BASH_REMATCH[1]}
      return
    fi
  done < <(grep -abF -- "-$pid] START " "$log" | cut -b 1-200)
} 2>/dev/null

# Set `counts`, `reasons`, `unusual` and `log_tail` from the log.
read_log() {
  local line size errors=() field
  local names='records|done|failed|dead|requests|attempts|(input|output)_tokens|usd|warnings'
  while IFS= read -r line; do
    case $line in
      *" INFO  [$run_id] SUMMARY job="*)
        counts=''
        for field in ${line##*SUMMARY }; do
          [[ ! $field =~ ^($names)=(0|[1-9][0-9]*)(\.[0-9]+)?$ ]] ||
            counts+=${counts:+ }$field
        done
        ;;
      *" ERROR [$run_id] END code="*) ;;
      *)
        presentable 250 "${line#*"[$run_id] "}"
        errors+=("$REPLY")
        ;;
    esac
  done < <(tail -c "+$((log_offset + 1))" -- "$log" | tail -c 2000000 |
    grep -aF -e " ERROR [$run_id] " -e " INFO  [$run_id] SUMMARY job=" | cut -b 1-1000 | tail -n 5)
  ((${#errors[@]} < 4)) || errors=("${errors[@]: -3}")
  printf -v reasons '%s\n' "${errors[@]}"
  reasons=${reasons%$'\n'}
  while IFS= read -r line; do
    presentable 250 "${line#*" looks wrong: "}"
    unusual+=${unusual:+$'\n'}$REPLY
  done < <(tail -c "+$((log_offset + 1))" -- "$log" | tail -c 2000000 |
    grep -aF " WARN  [$run_id] looks wrong: " | cut -b 1-1000 | head -n 3)
  size=$(stat -Lc %s -- "$log")
  line=$(tail -c "+$((log_offset + 1))" -- "$log" | tail -c 6300 | tr -d '\000')
  sendable "$line" "$((size - log_offset > 6300))"
  log_tail=$REPLY
} 2>/dev/null

# sendable TEXT CUT: REPLY = the last 2,200 bytes of TEXT, cleaned and without secrets. CUT is 1
# when the beginning of TEXT is missing. Then TEXT may begin with half a secret, which redacted()
# does not recognize: we drop more bytes than a secret has.
sendable() {
  cleaned "$1"
  redacted "$REPLY"
  [[ $2 != 1 ]] || REPLY=${REPLY:1024}
  last_bytes 2200 "$REPLY"
}

# REPLY = the counts as a JSON object, or null.
counts_json() {
  local field pairs=()
  for field in $counts; do pairs+=("${field%%=*}:" "${field#*=}"); done
  REPLY=null
  ((${#pairs[@]} == 0)) || json_object "${pairs[@]}"
}
