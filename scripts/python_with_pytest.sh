#!/usr/bin/env bash
# Print the first Python 3 that has pytest: the user's own, else the system's (where Debian's python3-pytest lives).
for python in "${PYTHON:-python3}" /usr/bin/python3; do
	if "$python" -c 'import sys, pytest; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1; then
		command -v "$python"
		exit 0
	fi
done
echo "no Python 3.9 or newer with pytest found; install the package python3-pytest" >&2
exit 1
