# shellcheck shell=bash
# JSON without a parser or a tool: all that an alert needs is strings. Sourced by notify_on_failure.sh.

# REPLY = TEXT as a JSON string, quotes included. Line breaks and tabs are the only control characters that get here:
# cleaned() has dropped the others, and what is no UTF-8.
json_string() {
  local text=$1 backslash='\' quote='"'
  text=${text//"$backslash"/"$backslash$backslash"}
  text=${text//"$quote"/"$backslash$quote"}
  text=${text//$'\n'/"${backslash}n"}
  text=${text//$'\t'/"${backslash}t"}
  REPLY=$quote$text$quote
}

# REPLY = the object of NAME VALUE NAME VALUE ...; a value after a name that ends in `:` is JSON already.
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
