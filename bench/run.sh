#!/usr/bin/env bash
# run.sh [NAME...] - run the benchmarks, bench/bench_NAME.sh and bench/bench_NAME.py, one after the other on an otherwise idle machine.
#
# Each prints its own ratios, finds the program in WIPPY_BIN, and says what it leaves out when something to compare with (Go,
# node, ...) is not installed. A benchmark that fails makes this fail, after the others have run.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export WIPPY_BIN=${WIPPY_BIN:-$PWD/build/wippy}
[ -x "$WIPPY_BIN" ] || {
	echo "bench: $WIPPY_BIN is not there; run 'make' first" >&2
	exit 1
}
for program in go node lua5.4; do
	command -v "$program" >/dev/null || echo "bench: $program is not installed: comparisons with it are left out"
done

failed=()
ran=0
for script in bench/bench_*.sh bench/bench_*.py; do
	[ -e "$script" ] || continue
	name=${script#bench/bench_}
	name=${name%.*}
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
		continue
	fi
	ran=$((ran + 1))
	echo "== $name"
	case $script in
	*.py) python3 "$script" ;;
	*) bash "$script" ;;
	esac || failed+=("$name")
done
[ $ran -gt 0 ] || {
	echo "bench: no such benchmark" >&2
	exit 1
}
if [ ${#failed[@]} -gt 0 ]; then
	echo "bench: FAILED: ${failed[*]}"
	exit 1
fi
