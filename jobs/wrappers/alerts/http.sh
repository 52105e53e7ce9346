# shellcheck shell=bash
# Send a POST request with curl, and repeat it when that can help. Sourced by alerts.sh; uses
# text.sh.
#
# curl gets the address through a pipe and the body on stdin: neither is among the arguments of a
# process, which everybody on the machine can read. No secret is in curl's environment.
#
# Uses  method      another one than POST, or empty
#       deadline    no try begins when SECONDS would be past this
#       unsure      not empty: a try that was not answered in time, and may have arrived, is not
#                   repeated
# Sets  http_code   the status of the last answer, or 000

deadline=40 method='' unsure=''

# post URL BODY [SECONDS [TRIES]]: returns 0 when the answer was 2xx; 1 when it was a refusal, which
# another try would not change; 2 for a failure that may pass (network, 408, 429, 5xx). SECONDS is
# the time limit of one try. REPLY = the status and the text of the answer, on one line that may be
# shown.
post() {
  local url=$1 body=$2 limit=${3:-10} tries=${4:-3} try=1 wait=1 text head
  while :; do
    http_code=000
    text=$({ printf '%s' "$body" 2>/dev/null; } | post_once "$url" "$limit" 2>&1 |
      head -c 16000 | tr -d '\000')
    head=''
    # After a head with 1xx comes another one.
    while [[ $http_code == [01]?? && $text == HTTP/* ]]; do
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
    [[ $REPLY != 'curl: ('[13]')'* ]] || return 1 # curl cannot read the address
    [[ -z $unsure || $REPLY != 'curl: (28) Operation timed out'* ]] || return 2
    local pause=$wait
    shopt -s nocasematch
    [[ ! $head =~ $'\n'retry-after:\ *([0-9]{1,6})$'\r' ]] || pause=$((10#${BASH_REMATCH[1]}))
    shopt -u nocasematch
    ((try++ < tries && SECONDS + pause < deadline)) || return 2
    sleep "$pause"
    wait=3
  done
}

# Drop what curl and sendmail must not get: secrets, and the lock, which they would keep if they
# hung.
shed() {
  unset -v "${secret_names[@]}"
  [[ -z ${outbox_lock-} ]] || exec {outbox_lock}>&-
}

# post_once URL SECONDS: one try, with the body on stdin. Prints the heads and the text of the
# answer.
post_once() (
  shed
  if ! command -v curl >/dev/null; then
    printf 'curl is missing: apt-get install curl (nothing else is tried)' >&2
    exit 127
  fi
  exec curl -q -K <(printf '%s\n' "url = \"$1\"" globoff silent show-error include \
    suppress-connect-headers "max-time = $2" 'data-binary = "@-"' 'header = "Expect:"' \
    "${method:+request = \"$method\"}" 'header = "Content-Type: application/json"' \
    'user-agent = "claude-batch-jobs"')
)

# Is this an address, and one that needs no quoting in curl's configuration?
is_url() {
  [[ $1 == http?(s)://?* && $1 != *[!!-~]* && $1 != *[\"\\]* ]]
}
