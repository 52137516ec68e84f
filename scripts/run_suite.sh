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
exec "$python" -m pytest -c test/pytest.ini --rootdir=test "$@"
