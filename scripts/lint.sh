#!/usr/bin/env bash
# lint.sh BUILD_DIR - everything that reads the source without running it. BUILD_DIR holds compile_commands.json; the program is built there.
#
# Each step runs even if an earlier one found something, so one run shows everything.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=${1:-build}
failed=()

step() { # NAME COMMAND...
	local name=$1 started=$SECONDS
	shift
	if "$@"; then
		echo "lint: $name: ok ($((SECONDS - started)) s)"
	else
		echo "lint: $name: FAILED ($((SECONDS - started)) s)"
		failed+=("$name")
	fi
}

# Folders that may not be there yet are no fault.
files() { find .ci src scripts test bench examples -type f \( "$@" \) -print0 2>/dev/null | sort -z || true; }

formatted() { files -name '*.[ch]' | xargs -0 -r -P "$(nproc)" -n 16 clang-format --dry-run -Werror; }

# clang-tidy wants compile commands, and generated flags that only gcc knows are no reason to stop. One file at a time keeps
# all cores busy; --quiet drops the counts of suppressed warnings.
tidied() {
	find src -name '*.c' -print0 | sort -z |
		xargs -0 -r -P "$(nproc)" -n 1 scripts/tidy_one.sh "$build"
}

shells() { files -name '*.sh' -o -path '.ci/run' | xargs -0 -r shellcheck; }

pythons() {
	# Compiled in memory: checking must not leave files behind.
	files -name '*.py' | xargs -0 -r python3 -c '
import sys
for name in sys.argv[1:]:
    with open(name, "rb") as f:
        compile(f.read(), name, "exec")'
}

step rooms python3 scripts/check_rooms.py
step unused python3 scripts/check_unused.py "$build"
step format formatted
step shell shells
step python pythons
step tidy tidied

if [ ${#failed[@]} -gt 0 ]; then
	echo "lint: failed: ${failed[*]}"
	exit 1
fi
echo "lint: all clean"
