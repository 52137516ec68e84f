#!/usr/bin/env bash
# fuzz.sh [NAME...] - build test/fuzz/fuzz_NAME.c with libFuzzer and both sanitizers, and run each for FUZZ_SECONDS (default 60).
#
# Seeds are in test/fuzz/corpus/NAME/, and a dictionary, if there is one, in test/fuzz/NAME.dict. What a run finds worth keeping stays in
# build-fuzz/corpus/NAME/; an input that breaks something is left in build-fuzz/ and named at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
build="build-fuzz"
seconds=${FUZZ_SECONDS:-60}

if [ ! -f $build/build.ninja ]; then
	CC=clang meson setup $build -Dfuzz=true -Dtests=disabled -Dwerror=false -Db_lundef=false \
		-Db_sanitize=address,undefined "-Dc_args=-fsanitize=fuzzer-no-link"
fi
ninja -C $build fuzzers

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	for f in test/fuzz/fuzz_*.c; do
		[ -e "$f" ] || continue
		f=${f##*/fuzz_}
		names+=("${f%.c}")
	done
fi
[ ${#names[@]} -gt 0 ] || {
	echo "fuzz: no target in test/fuzz" >&2
	exit 1
}

failed=()
for name in "${names[@]}"; do
	corpus=$build/corpus/$name
	mkdir -p "$corpus" "test/fuzz/corpus/$name"
	args=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
		-artifact_prefix="$build/$name-")
	[ -f "test/fuzz/$name.dict" ] && args+=(-dict="test/fuzz/$name.dict")
	echo "fuzz: $name for $seconds s"
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		"$build/test/fuzz/fuzz_$name" "${args[@]}" "$corpus" "test/fuzz/corpus/$name" 2>"$build/$name.log" || failed+=("$name")
	grep -E '^stat::(number_of_executed_units|average_exec)|SUMMARY|ERROR|Test unit written' "$build/$name.log" || true
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "fuzz: FAILED: ${failed[*]} (logs and inputs in $build/)"
	exit 1
fi
echo "fuzz: ${#names[@]} targets, nothing found"
