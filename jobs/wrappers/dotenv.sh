# shellcheck shell=bash
# Read .env for the wrappers. Sourced by shared.sh, whose refuse() it uses.
#
# It follows python-dotenv with interpolate=False, which the jobs use, rule by rule. The file is
# data: nothing in it is ever executed or expanded.
#
# Sets  dotenv   the settings in the file, value by name

declare -gA dotenv=()

# REPLY = why FILE cannot be used, and the remedy; empty when it can, or does not exist.
dotenv_fault() {
  local owner mode
  REPLY=''
  [[ -e $1 || -L $1 ]] || return 0
  if [[ ! -f $1 || ! -r $1 ]]; then
    REPLY="cannot read $1: make it a file that uid $EUID can read (chown)"
    return
  fi
  # No builtin knows the mode of a file.
  read -r owner mode < <(stat -Lc '%u %a' -- "$1")
  if ((8#${mode:-0} & 8#22)) || ((EUID && owner && owner != EUID)); then
    REPLY="other users can write $1, and so decide what runs here and where its key goes: \
make it yours (chown), then chmod 600 it"
  fi
}

# Fill `dotenv` from FILE. A FILE that does not exist counts as empty; one that cannot be used ends
# the run with 78.
read_dotenv() {
  dotenv_fault "$1"
  [[ -z $REPLY ]] || refuse 78 "$REPLY"
  [[ -e $1 ]] || return 0
  local LC_ALL=C.UTF-8 text=''
  # What Python calls white space, in bytes: bash reads \u by the locale of the moment.
  local blank=$' \t\v\f\x1c\x1d\x1e\x1f\xc2\x85\xc2\xa0\xe1\x9a\x80'
  blank+=$'\xe2\x80\x80\xe2\x80\x81\xe2\x80\x82\xe2\x80\x83\xe2\x80\x84\xe2\x80\x85\xe2\x80\x86'
  blank+=$'\xe2\x80\x87\xe2\x80\x88\xe2\x80\x89\xe2\x80\x8a\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf'
  blank+=$'\xe2\x81\x9f\xe3\x80\x80'
  IFS= read -r -d '' text <"$1"
  text=${text#$'\xef\xbb\xbf'} text=${text//$'\r\n'/$'\n'} text=${text//$'\r'/$'\n'}
  while eat "[$blank"$'\n]*'; [[ -n $text ]]; do
    read_binding || skip_line
  done
}

# Drop the first line of `text`. A regular expression would not do: it fails at bytes that are not
# valid text, and read_dotenv would loop for ever.
skip_line() {
  case $text in
    *$'\n'*) text=${text#*$'\n'} ;;
    *) text='' ;;
  esac
}

# Take what REGEX matches off the front of `text`; fail when it does not match there.
eat() {
  [[ $text =~ ^$1 ]] && text=${text:${#BASH_REMATCH[0]}}
}

# Take one `[export ]NAME[=VALUE] [# comment]` off the front of `text`; fail when there is none.
read_binding() {
  local name value gap has_value=''
  eat "export[$blank]+"
  case $text in
    '#'*) eat $'[^\n]*' && return ;;
    \'*) eat "'([^']+)'" || return ;;
    *) eat "([^=#$blank"$'\n]+)' || return ;;
  esac
  name=${BASH_REMATCH[1]} value=''
  eat "[$blank]*"
  if eat "=([$blank]*)"; then
    has_value=yes gap=${BASH_REMATCH[1]}
    case $text in
      \'*) eat "'((\\\\.|[^'\\\\])*)'" || return; unescape "${BASH_REMATCH[1]}" "\\'" ;;
      \"*) eat '"((\\.|[^"\\])*)"' || return; unescape "${BASH_REMATCH[1]}" "\\'\"abfnrtv" ;;
      *)
        # `NAME= # comment` has an empty value, `NAME=#value` has not.
        if [[ -z $gap || $text != '#'* ]]; then
          eat $'[^\n]*'
          value=${BASH_REMATCH[0]}
          value=${value%%["$blank"]#*}
          value=${value%"${value##*[!"$blank"]}"}
        fi
        ;;
    esac
  fi
  eat "[$blank]*#"$'[^\n]*'
  eat "[$blank]*("$'\n|$)' || return
  [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || return 0
  if [[ -n $has_value ]]; then dotenv[$name]=$value; else unset "dotenv[$name]"; fi
}

# value = TEXT with its escapes decoded: a backslash before one of the KNOWN letters. Before any
# other letter the backslash stands for itself.
unescape() {
  local rest=$1 letter
  value=''
  while [[ $rest == *\\* ]]; do
    value+=${rest%%\\*} rest=${rest#*\\}
    letter=${rest:0:1} rest=${rest:1}
    case $letter in
      [\\\'\"]) [[ $2 == *"$letter"* ]] || value+=\\ ;;
      *) if [[ $2 == *"$letter"* ]]; then printf -v letter '%b' "\\$letter"; else value+=\\; fi ;;
    esac
    value+=$letter
  done
  value+=$rest
}
