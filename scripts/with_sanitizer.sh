#!/usr/bin/env bash
# with_sanitizer.sh address|thread COMMAND... - run COMMAND so that a sanitizer's report fails the test it happens in.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=$1
shift
case $kind in
address)
	export ASAN_OPTIONS=abort_on_error=0:exitcode=86:detect_leaks=1:strict_string_checks=1:check_initialization_order=1
	export UBSAN_OPTIONS=halt_on_error=1:exitcode=86:print_stacktrace=1
	;;
thread)
	export TSAN_OPTIONS=halt_on_error=1:exitcode=86:second_deadlock_stack=1:suppressions=$PWD/test/support/tsan.supp
	;;
*)
	echo "usage: with_sanitizer.sh address|thread COMMAND..." >&2
	exit 2
	;;
esac
# Tests that measure time or memory look at this and allow for the slower program.
export WIPPY_SANITIZER=$kind
# The thread sanitizer's memory map does not agree with the widest address randomisation of newer kernels.
if command -v setarch >/dev/null && setarch -R true 2>/dev/null; then
	exec setarch -R "$@"
fi
exec "$@"
