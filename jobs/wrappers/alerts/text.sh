# shellcheck shell=bash
# Make text fit to leave the machine: clean it, remove secrets, shorten it. Sourced by alerts.sh.
#
# All functions work on bytes (LC_ALL=C): a limit in bytes holds for characters as well, and nothing
# depends on the locales of the machine.
#
# Sets  secret_names, secrets   find_secrets(): names and values that no alert may hold

# Matches text that cleaned() keeps: UTF-8 without control characters (C0 and C1), line and
# paragraph separators, and marks that reverse the direction of writing. Line breaks and tabs match.
sound=$'^([\t\n -~]|\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]'
sound+=$'|\xe2\x80[\x80-\xa7\xaf-\xbf]|\xe2\x81[\x80-\xa5\xaa-\xbf]|\xe2[\x82-\xbf][\x80-\xbf]'
sound+=$'|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]'
sound+=$'|[\xe1\xe3-\xec\xee\xef][\x80-\xbf][\x80-\xbf]'
sound+=$'|\xf0[\x90-\xbf][\x80-\xbf][\x80-\xbf]|[\xf1-\xf3][\x80-\xbf][\x80-\xbf][\x80-\xbf]'
sound+=$'|\xf4[\x80-\x8f][\x80-\xbf][\x80-\xbf])+'

# REPLY = TEXT without escape sequences, control characters and invalid UTF-8.
cleaned() {
  local LC_ALL=C rest=$1 text=''
  # Escape sequences: first colours and the like; then titles and links, which end with BEL or ST,
  # or with the line; then all others.
  local sequence=$'^(\\[[0-?]*[ -/]*[@-~]|[]PX^_][^\a\e\n]*(\a|\e\\\\)?|[ -/]*[0-~])'
  rest=${rest//$'\r\n'/$'\n'} rest=${rest//$'\r'/$'\n'}
  while [[ $rest == *$'\e'* ]]; do
    text+=${rest%%$'\e'*} rest=${rest#*$'\e'}
    [[ ! $rest =~ $sequence ]] || rest=${rest:${#BASH_REMATCH[0]}}
  done
  rest=$text$rest REPLY=''
  while [[ -n $rest ]]; do
    if [[ ${rest:0:100} =~ $sound ]]; then # in pieces: regular expressions are slow on long text
      REPLY+=${BASH_REMATCH[0]} rest=${rest:${#BASH_REMATCH[0]}}
    else
      rest=${rest:1}
    fi
  done
}

# Set `secret_names` and `secrets` from the environment and from .env. A password in an address is
# a secret, too, and so is each word of a webhook's address that no dictionary has.
find_secrets() {
  local LC_ALL=C name value segment segments password
  secret_names=() secrets=()
  for name in $(compgen -e) "${!dotenv[@]}"; do
    for value in "${!name-}" "${dotenv[$name]-}"; do
      value=${value#"${value%%[![:space:]]*}"}
      value=${value%"${value##*[![:space:]]}"}
      if [[ $name == *@(KEY|TOKEN|SECRET|PASSWORD|WEBHOOK_URL|PING_URL)* ]]; then
        hide "$value"
        [[ $value == *://*/* ]] || continue
        IFS='/?&=#' read -r -a segments <<<"${value#*://*/}"
        for segment in "${segments[@]}"; do
          [[ ${#segment} -lt 8 || $segment != *[!a-z_-]* ]] || hide "$segment"
        done
      else
        if [[ $value == *//*:*@* ]]; then
          password=${value#*//} password=${password#*:}
          hide_password "${password%@*}"
        fi
        if [[ $value =~ [?\&](ssl)?pass(word|wd)?=([^\&#]+) ]]; then
          hide_password "${BASH_REMATCH[3]}"
        fi
      fi
    done
    [[ $name != *@(KEY|TOKEN|SECRET|PASSWORD|WEBHOOK_URL|PING_URL)* ]] || secret_names+=("$name")
  done
}

# hide_password WORD: hide the password that WORD of an address is, as it stands and decoded.
hide_password() {
  local decoded
  printf -v decoded '%b' "${1//%/\\x}"
  hide "$1"
  hide "$decoded"
}

# hide SECRET: add SECRET to `secrets` in every form that a text may have it in: as it is,
# JSON-escaped, URL-encoded, and as a part of base64.
hide() {
  local LC_ALL=C secret=$1 json upper='' lower='' skip number byte code
  ((${#secret} >= 6)) || return 0
  json=${secret//\\/\\\\} json=${json//\"/\\\"}
  for ((number = 0; number < ${#secret}; number++)); do
    byte=${secret:number:1}
    if [[ $byte == [!A-Za-z0-9._~-] ]]; then
      printf -v code '%d' "'$byte"
      printf -v byte '%%%02X' $((code & 255))
    fi
    upper+=$byte
    [[ $byte != %?? ]] || byte=${byte,,}
    lower+=$byte
  done
  secrets+=("$secret" "$json" "${json//\//\\/}")
  secrets+=("$upper" "$lower" "${upper//%2F//}" "${upper//%20/+}")
  for skip in 0 2 4; do
    base64_core "$skip" "$secret"
    secrets+=("$REPLY")
    REPLY=${REPLY//+/-}
    secrets+=("${REPLY//\//_}")
  done
}

# base64_core SKIP TEXT: REPLY = TEXT in base64 without its first SKIP bits, which stand in a letter
# with what comes before it, and without the last bits, which stand in one with what comes after it.
base64_core() {
  local LC_ALL=C letters=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/
  local value=0 bits=$((-$1)) number code
  REPLY=''
  for ((number = 0; number < ${#2}; number++)); do
    printf -v code '%d' "'${2:number:1}"
    value=$(((value << 8 | code & 255) & 16383)) bits=$((bits + 8))
    while ((bits >= 6)); do
      bits=$((bits - 6))
      REPLY+=${letters:value >> bits & 63:1}
    done
  done
}

# REPLY = TEXT with *** in place of keys, addresses of webhooks, and passwords.
redacted() {
  local LC_ALL=C secret names='(pass(word|wd)?|token|secret|api[_-]?key|routing_key)'
  REPLY=$1
  for secret in "${secrets[@]}"; do REPLY=${REPLY//"$secret"/"***"}; done
  REPLY=$(printf '%s' "$REPLY" | sed -E '
    s/sk-ant-[A-Za-z0-9_-]+/sk-ant-***/g
    s#(hooks\.slack\.com|discord(app)?\.com/api/webhooks)/[^]["'\''<>[:space:]]+#\1/***#g
    s#(://[^]["'\''<>[:space:]/:@]*):[^"'\''<>[:space:]]*@#\1:***@#g
    s#('"$names"'["'\'']?[=:] ?["'\'']?)[^&"'\''<>[:space:]]+#\1***#gI
    s#(authorization: ?)?(bearer|basic) [A-Za-z0-9._~+/=-]{8,}#\1\2 ***#gI
  ')
}

# first_bytes N TEXT: REPLY = the first N bytes of TEXT, or fewer: whole characters only.
first_bytes() {
  local LC_ALL=C
  REPLY=$2
  ((${#REPLY} > $1)) || return 0
  REPLY=${REPLY:0:$1}
  case ${2:$1:1} in
    [$'\x80'-$'\xbf']) REPLY=${REPLY%[$'\xc2'-$'\xf4']*} ;;
  esac
}

# last_bytes N TEXT: REPLY = the last N bytes of TEXT, or fewer: whole characters only.
last_bytes() {
  local LC_ALL=C
  REPLY=$2
  ((${#REPLY} > $1)) || return 0
  REPLY=${REPLY: -$1}
  while [[ $REPLY == [$'\x80'-$'\xbf']* ]]; do REPLY=${REPLY:1}; done
}

# presentable N TEXT: REPLY = TEXT on one line of at most N bytes, cleaned and without secrets.
presentable() {
  cleaned "$2"
  redacted "${REPLY//[$'\n\t']/ }"
  first_bytes "$1" "$REPLY"
}

# REPLY = SECONDS in words: 42s, 13m, 2h 13m, 3d 4h.
duration_words() {
  local seconds=$1
  ((seconds >= 0)) || seconds=0
  if ((seconds < 120)); then
    REPLY=${seconds}s
  elif ((seconds < 3600)); then
    REPLY=$((seconds / 60))m
  elif ((seconds < 172800)); then
    REPLY="$((seconds / 3600))h $((seconds % 3600 / 60))m"
  else
    REPLY="$((seconds / 86400))d $((seconds % 86400 / 3600))h"
  fi
}
