#!/usr/bin/env python3
"""run_unit.py BUILD_DIR - build and run the unit tests through Meson, then say how many checks ran.

Meson counts programs; people want the tests inside them, so cmocka's closing lines are added up.
"""
import os
import re
import subprocess
import sys


def main():
    build = sys.argv[1]
    log = os.path.join(build, "meson-logs", "testlog.txt")
    if os.path.exists(log):
        os.unlink(log)
    code = subprocess.run(["meson", "test", "-C", build, "--suite", "unit", "--print-errorlogs"],
                          stdin=subprocess.DEVNULL).returncode
    passed = failed = 0
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as f:
            text = f.read()
        passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M))
        failed = sum(int(n) for n in re.findall(r"^\[  FAILED  \] (\d+) test", text, re.M))
    count = f"unit: {passed} passed, {failed} failed"
    print(count, flush=True)
    with open(os.path.join(build, "unit.count"), "w") as f:
        f.write(count + "\n")
    if passed == 0 and code == 0:
        print("no unit test ran: is cmocka installed?", file=sys.stderr)
        return 1
    return code or (1 if failed else 0)


if __name__ == "__main__":
    sys.exit(main())
