# shellcheck shell=bash
# One POST with its tries, by curl. Sourced by notify_on_failure.sh; uses text.sh.
#
# The address comes to curl through a pipe, the body on stdin: neither is in any process's argv, which everybody on the
# machine may read, and no secret is in curl's environment.

deadline=40 # on the clock SECONDS: nothing is tried again when it would begin later than this

# post URL BODY [SECONDS [TRIES]]: 0 answered with 2xx; 1 refused, and asking again would not help; 2 not now (network,
# 408, 429, 5xx). http_code = the status or 000; REPLY = the answer in its own word, on one line that may be shown.
post() {
  local url=$1 body=$2 limit=${3:-10} tries=${4:-3} try=1 wait=1 text head
  while :; do
    http_code=000
    text=$({ printf '%s' "$body" 2>/dev/null; } | post_once "$url" "$limit" 2>&1 | head -c 16000 | tr -d '\000')
    head=''
    while [[ $http_code == [01]?? && $text == HTTP/* ]]; do # 1xx: the head that counts is still to come
      head=${text%%$'\r\n\r'*}$'\r' text=${text#"$head"}
      text=${text#$'\n\r'} text=${text#$'\n'}
      [[ ! $head =~ ^HTTP/[0-9.]+\ ([0-9]{3}) ]] || http_code=${BASH_REMATCH[1]}
    done
    presentable 200 "$text"
    [[ $http_code == 000 ]] || REPLY="$http_code${REPLY:+ $REPLY}"
    case $http_code in
      2??) return 0 ;;
      000 | 408 | 429 | 5??) ;;
      *) return 1 ;;
    esac
    [[ $REPLY != 'curl: ('[13]')'* ]] || return 1 # an address that curl cannot even read
    local pause=$wait
    shopt -s nocasematch
    [[ ! $head =~ $'\n'retry-after:\ *([0-9]{1,6})$'\r' ]] || pause=$((10#${BASH_REMATCH[1]}))
    shopt -u nocasematch
    ((try++ < tries && SECONDS + pause < deadline)) || return 2
    sleep "$pause"
    wait=3
  done
}

# What no other program needs: secrets, and the lock, which one that stays behind would hold on to.
shed() {
  unset -v "${secret_names[@]}"
  [[ -z ${outbox_lock-} ]] || exec {outbox_lock}>&-
}

post_once() (
  shed
  if ! command -v curl >/dev/null; then
    printf 'curl is missing: apt-get install curl (nothing else is tried)' >&2
    exit 127
  fi
  exec curl -q -K <(printf '%s\n' "url = \"$1\"" globoff silent show-error include suppress-connect-headers \
    "max-time = $2" 'data-binary = "@-"' 'header = "Expect:"' 'header = "Content-Type: application/json"' \
    'user-agent = "claude-batch-jobs"')
)

# Is it an address that can stand in curl's configuration as it is?
is_url() {
  [[ $1 == http?(s)://?* && $1 != *[!!-~]* && $1 != *[\"\\]* ]]
}
