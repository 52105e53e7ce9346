# shellcheck shell=bash
# Tell a monitor off this machine (Healthchecks and its like) that a run begins and how it ended: PING_URL. Sourced by
# notify_on_failure.sh; uses http.sh. What becomes of a ping never changes the run.

# Fills ping_url and ping_id. {job} in the address is the job's name; what follows a `?` stays at its end.
prepare_ping() {
  setting PING_URL ''
  ping_url=${REPLY//'{job}'/"$label"} ping_id=''
  [[ -n $ping_url ]] || return 0
  if ! is_url "$ping_url"; then
    say 'PING_URL is not an address (https://...): nobody is pinged'
    ping_url=''
    return 0
  fi
  { read -r ping_id </proc/sys/kernel/random/uuid; } 2>/dev/null
}

# ping WHAT BODY [SECONDS [TRIES]]: WHAT is `start` or an exit code.
ping() {
  local base=${ping_url%%'?'*} query=''
  [[ $ping_url != *'?'* ]] || query=${ping_url#*'?'}'&'
  deadline=$((SECONDS + 40))
  post "${base%/}/$1?${query}rid=$ping_id" "$2" "${@:3}" || say "PING_URL: $1: $REPLY"
}
