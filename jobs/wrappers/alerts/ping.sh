# shellcheck shell=bash
# Tell a monitor on another machine (Healthchecks and its like) when a run begins and how it has
# ended. Sourced by alerts.sh; uses http.sh. A ping that fails never changes the run.
#
# Sets  ping_url   the setting PING_URL with the job's name in it, or empty
#       ping_id    an id that the two pings of a run share

# Set `ping_url` and `ping_id`.
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

# ping WHAT BODY [SECONDS [TRIES]]: WHAT is `start` or an exit code, and goes to the end of the
# address, but before a `?`. SECONDS and TRIES are those of post().
ping() {
  local base=${ping_url%%'?'*} query=''
  [[ $ping_url != *'?'* ]] || query=${ping_url#*'?'}'&'
  deadline=$((SECONDS + 40))
  post "${base%/}/$1?${query}rid=$ping_id" "$2" "${@:3}" || say "PING_URL: $1: $REPLY"
}
