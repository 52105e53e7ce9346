# shellcheck shell=bash
# What a run has left behind: its id, its summary's counts, its errors, the end of its log. Sourced by
# notify_on_failure.sh; uses text.sh. Lines of other runs are never taken for this one's.

# Find the run of the process PID that began at STAMP (as in a run id) or later. Sets
#   run_id    empty when the run has left no trace         counts    "records=500 done=499 ...", numbers only
#   reasons   its last three errors, a line each           log_tail  the log's last 2,200 bytes, fit to be sent
# SAID is what run_job.sh had to say on stderr: it stands in where there is no log.
read_run() {
  local pid=$1 stamp=$2 said=$3 log_offset=0 line
  run_id='' counts='' reasons='' log_tail=''
  find_start
  if [[ -n $run_id ]]; then
    read_log
  else
    while IFS=$'\t' read -r _ line _ _ _ reasons; do
      [[ $line != *-"$pid" || ${line%-*} < $stamp ]] || run_id=$line
    done < <(tail -n 50 -- "$state/history.tsv" 2>/dev/null | grep -aF -- "-$pid"$'\t'"$job"$'\t')
    [[ -n $run_id ]] || reasons=''
    sendable "$said" ''
    log_tail=$REPLY
    [[ -n $reasons ]] || reasons=${log_tail##*$'\n'}
    presentable 300 "${reasons#run_job.sh: }"
    reasons=$REPLY
  fi
  setting ALERT_LOG_TAIL 1
  [[ $REPLY == 1 ]] || reasons='' log_tail=''
}

# Where in the log does the run begin?
find_start() {
  local line
  [[ -n $job && -f $log ]] || return
  while IFS= read -r line; do
    [[ $line =~ ^([0-9]+):[0-9TZ:-]{20}\ INFO\ \ \[([0-9]{8}T[0-9]{6}Z)-$pid\]\ START\  ]] || continue
    if [[ ! ${BASH_REMATCH[2]} < $stamp ]]; then
      run_id=${BASH_REMATCH[2]}-$pid log_offset=${BASH_REMATCH[1]}
      return
    fi
  done < <(grep -abF -- "-$pid] START " "$log" | cut -b 1-200)
} 2>/dev/null

read_log() {
  local line size errors=() field
  while IFS= read -r line; do
    case $line in
      *" INFO  [$run_id] SUMMARY job="*)
        counts=''
        for field in ${line##*SUMMARY }; do
          [[ ! $field =~ ^(records|done|failed|dead|requests|attempts|(input|output)_tokens|usd)=(0|[1-9][0-9]*)(\.[0-9]+)?$ ]] ||
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
  size=$(stat -Lc %s -- "$log")
  line=$(tail -c "+$((log_offset + 1))" -- "$log" | tail -c 6300 | tr -d '\000')
  sendable "$line" "$((size - log_offset > 6300))"
  log_tail=$REPLY
} 2>/dev/null

# REPLY = the last 2,200 bytes of TEXT, cleaned and without secrets. Where TEXT is cut off at its front (CUT is 1), that may
# be in the middle of a secret, which is not recognized then: more than a secret's length is dropped.
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
