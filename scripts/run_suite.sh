#!/usr/bin/env bash
# run_suite.sh [PYTEST ARGUMENTS] - the tests that drive the built program (WIPPY_BIN, default build/wippy).
set -euo pipefail
cd "$(dirname "$0")/.."
export WIPPY_BIN=${WIPPY_BIN:-$PWD/build/wippy}
export PYTHONDONTWRITEBYTECODE=1
python=$(scripts/python_with_pytest.sh)
# Arguments that name no file choose among all tests.
case " $* " in
*" test/"*) ;;
*) set -- test "$@" ;;
esac
# The closing line is kept beside the unit tests' count, for whoever reports on the run.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
"$python" -m pytest -c test/pytest.ini --rootdir=test "$@" </dev/null | tee "$log" || code=$?
tail -n 1 "$log" >"$(dirname "$WIPPY_BIN")/suite.count" || true
exit "$code"
