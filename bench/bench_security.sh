#!/usr/bin/env bash
# bench_security.sh - what a decision of a scope costs, by the number of its policies (bench/security/decide.c).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
read -ra libraries <<<"$(pkg-config --libs libfyaml jansson libpcre2-8)"
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O2 -Isrc bench/security/decide.c src/security/*.c src/registry/entry.c src/value/*.c src/base/*.c \
	-o "$out" "${libraries[@]}" -lm -pthread
"$out"
