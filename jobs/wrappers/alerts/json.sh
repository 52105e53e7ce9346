# shellcheck shell=bash
# Write JSON, without any tool: an alert needs little more than strings. Sourced by alerts.sh.

# REPLY = TEXT as a JSON string with its quotes. TEXT must come from cleaned(): valid UTF-8, with no
# control characters but line breaks and tabs.
json_string() {
  local text=$1 backslash='\' quote='"'
  text=${text//"$backslash"/"$backslash$backslash"}
  text=${text//"$quote"/"$backslash$quote"}
  text=${text//$'\n'/"${backslash}n"}
  text=${text//$'\t'/"${backslash}t"}
  REPLY=$quote$text$quote
}

# json_object NAME VALUE [NAME VALUE]...: REPLY = the object. A VALUE is text; after a NAME that
# ends with a colon it is JSON already.
json_object() {
  local pairs='' name
  while (($#)); do
    name=$1 REPLY=$2
    [[ $name == *: ]] || json_string "$2"
    pairs+=${pairs:+,}\"${name%:}\":$REPLY
    shift 2
  done
  REPLY="{$pairs}"
}
