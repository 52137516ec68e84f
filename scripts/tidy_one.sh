#!/usr/bin/env bash
# tidy_one.sh BUILD_DIR FILE - clang-tidy on one file, quiet when it has nothing to say.
hints=()
# The file that defines what the hints are about cannot take them.
[ "$2" = src/base/err.c ] || hints=(--extra-arg=-include "--extra-arg=$PWD/scripts/tidy_hints.h")
out=$(clang-tidy --quiet -p "$1" --extra-arg=-Wno-unknown-warning-option --extra-arg=-Qunused-arguments "${hints[@]}" "$2" 2>&1)
code=$?
[ $code -eq 0 ] || printf '%s\n' "$out" | grep -v -E '^[0-9]+ warnings? (generated|treated)'
exit $code
