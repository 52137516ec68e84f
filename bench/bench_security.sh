#!/usr/bin/env bash
# bench_security.sh - what a decision of a scope costs, by the number of its policies (bench/security/decide.c).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O2 -Isrc bench/security/decide.c src/security/*.c src/registry/entry.c src/value/*.c src/base/*.c \
	-o "$out" $(pkg-config --libs libfyaml jansson libpcre2-8) -lm -pthread
"$out"
