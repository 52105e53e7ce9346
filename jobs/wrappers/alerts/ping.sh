# shellcheck shell=bash
# Tell a monitor on another machine when a run begins and how it has ended. Sourced by alerts.sh;
# uses http.sh. A ping that fails never changes the run.
#
# Healthchecks and its like take /start and /CODE at the end of the address. A monitor that takes
# neither (push URLs, such as Uptime Kuma's) has {status}, {code} or {seconds} in its address: it
# hears of the end alone. {status} is `up` for 0 and for 75, which is no failure, else `down`.
#
# Sets  ping_url   the setting PING_URL with the job's name in it, or empty
#       ping_id    an id that the two pings of a run share

# Set `ping_url` and `ping_id`. The monitor waits for the runs at night: --try and --eval are none.
prepare_ping() {
  setting PING_URL ''
  [[ -z $measure ]] || REPLY=''
  ping_url=${REPLY//'{job}'/"$label"} ping_id=''
  [[ -n $ping_url ]] || return 0
  if ! is_url "$ping_url"; then
    say 'PING_URL is not an address (https://...): nobody is pinged'
    ping_url=''
    return 0
  fi
  { read -r ping_id </proc/sys/kernel/random/uuid; } 2>/dev/null
}

# ping WHAT BODY [SECONDS [TRIES]]: WHAT is `start` or an exit code. SECONDS and TRIES are those of
# post().
ping() {
  local address state=down body=$2 method=''
  case $1 in
    0 | 75) state=up ;;
  esac
  address=${ping_url//'{status}'/"$state"}
  address=${address//'{code}'/"$1"}
  address=${address//'{seconds}'/"${seconds-}"}
  if [[ $address == "$ping_url" ]]; then
    # WHAT goes to the end of the address, but before a `?`.
    local base=${ping_url%%'?'*} query=''
    [[ $ping_url != *'?'* ]] || query=${ping_url#*'?'}'&'
    address="${base%/}/$1?${query}rid=$ping_id"
  elif [[ $1 == start ]]; then
    return
  else
    body='' method=GET # older ones take nothing else
  fi
  deadline=$((SECONDS + 40))
  post "$address" "$body" "${@:3}" || say "PING_URL: $1: $REPLY"
}
