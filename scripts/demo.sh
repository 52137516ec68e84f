#!/usr/bin/env bash
# demo.sh [local|tor] - the tutorial's program, twice: with a SOCKS5 proxy that works and with one that is gone.
#
# WIPPY_BIN names the program. Everything happens on this machine; what is started here ends with the script.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
mode=${1:-local}
wippy=${WIPPY_BIN:-$top/build/wippy}
work=$(mktemp -d "${TMPDIR:-/tmp}/wippy-demo.XXXXXX")
fds=()

bold='' plain='' dim=''
server='' proxy='' # the rigs' lines, set by start
if [ -t 1 ]; then
	bold=$'\e[1m' plain=$'\e[0m' dim=$'\e[2m'
fi
say() { printf '%s\n' "$bold$*$plain"; }
note() { printf '%s\n' "$dim$*$plain"; }

# A rig runs until its standard input closes. NAME=its line of JSON; its input is kept open by a descriptor of this script's.
start() { # NAME SCRIPT ARGUMENTS...
	local name=$1 fd line
	shift
	mkfifo "$work/$name.in" "$work/$name.out"
	python3 "$top/test/rigs/$1" "${@:2}" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.err" &
	exec {fd}>"$work/$name.in"
	fds+=("$fd")
	if ! read -r -t 300 line <"$work/$name.out"; then
		echo "demo: $1 did not start:" >&2
		cat "$work/$name.err" >&2
		exit 1
	fi
	printf -v "$name" '%s' "$line"
	printf -v "${name}_fd" '%s' "$fd"
	printf -v "${name}_pid" '%s' $!
}

stop() { # NAME
	local fd=$1_fd pid=$1_pid
	fd=${!fd}
	exec {fd}>&-
	wait "${!pid}" || true
}

leave() {
	local fd
	for fd in "${fds[@]}"; do
		{ exec {fd}>&-; } 2>/dev/null || true
	done
	wait
	rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

field() { # JSON NAME
	python3 -c 'import json, sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$1" "$2"
}

# Circuits that carry a stream of ours, from Tor's control port: those whose isolation has credentials.
circuits() { # PORT
	python3 - "$1" <<'PYTHON'
import re, socket, sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as s:
    s.sendall(b'AUTHENTICATE ""\r\nGETINFO circuit-status\r\nQUIT\r\n')
    text = s.makefile(encoding="utf-8").read()
for number, path, user in re.findall(r'^(\d+) BUILT (\S+) .*SOCKS_USERNAME="([^"]*)"', text, re.M):
    relays = " -> ".join(hop.split("~")[-1] for hop in path.split(","))
    print(f"    circuit {number}: {relays}, kept for the credentials that begin with {user[:8]}")
PYTHON
}

# Each line that a command prints is set off, so that what the program says stands apart from what the demo says.
show() { # COMMAND...
	say "\$ wippy $*"
	local code=0
	(cd "$work/netdemo" && "$wippy" "$@") 2>&1 | sed 's/^/    /' || code=${PIPESTATUS[0]}
	if [ "$code" -ne 0 ]; then
		say "    (exit code $code)"
	fi
	return "$code"
}

case $mode in
local | tor) ;;
*)
	echo "demo: DEMO=$mode is not known; use DEMO=local or DEMO=tor" >&2
	exit 2
	;;
esac
[ -x "$wippy" ] || {
	echo "demo: $wippy is not there; run 'make' first" >&2
	exit 1
}
if [ "$mode" = tor ]; then
	"$top/scripts/setup.sh" tor
fi

say "1. A server that answers {\"ip\": \"<who asks>\"}, in the place of https://api.ipify.org"
start server what_is_my_address.py
url=$(field "$server" url)
note "   It listens on $url. An ordinary connection from this machine comes from 127.0.0.1."
echo

if [ "$mode" = local ]; then
	say "2. A SOCKS5 proxy on this machine that goes out from another address, 127.0.0.2"
	start proxy socks_count.py --source 127.0.0.2 --log "$work/proxy.jsonl"
	port=$(field "$proxy" port)
	note "   It listens on 127.0.0.1:$port and writes down every connection that it is asked for."
else
	say "2. A private Tor network on this machine: four relays, three of them authorities, and a client (27 to 110 s to come up)"
	start proxy tor_network.py
	port=$(field "$proxy" socks)
	note "   It took $(field "$proxy" seconds) s; Tor's SOCKS port is 127.0.0.1:$port. Real tor programs, no internet."
fi
echo

say "3. The tutorial's project, examples/netdemo, with two values changed for this machine"
cp -R examples/netdemo "$work/netdemo"
rm -f "$work/netdemo/wippy.lock"
sed -i "s|port: 9050|port: $port|" "$work/netdemo/src/_index.yaml"
sed -i "s|https://api.ipify.org?format=json|${url}?format=json|" "$work/netdemo/src/probe.lua"
{ diff -U0 -r examples/netdemo/src "$work/netdemo/src" || true; } | grep '^[-+] ' | sed 's/^/    /'
note "   probe.lua asks for its address twice: without an overlay, then with overlay_network = \"app:tor\"."
echo

show init
show run probe | tee "$work/first"
direct=$(sed -n 's/^ *direct IP: //p' "$work/first")
routed=$(sed -n 's/^ *tor IP: //p' "$work/first")
echo
if [ -z "$direct" ] || [ -z "$routed" ]; then
	echo "demo: the program did not show two addresses" >&2
	exit 1
fi
if [ "$mode" = local ]; then
	if [ "$direct" = "$routed" ]; then
		echo "demo: both requests came from $direct" >&2
		exit 1
	fi
	say "   The server saw $direct for the first request and $routed for the second: the second left through the proxy."
	note "   What the proxy wrote down (isolate_streams made up the credentials, for this one connection):"
	sed 's/^/    /' "$work/proxy.jsonl"
else
	note "   Both addresses are this machine's, since the exit runs here too. What Tor itself says of its circuits:"
	circuits "$(field "$proxy" control)"
fi
echo

say "4. The same program when the proxy is gone"
stop proxy
show run probe | tee "$work/second"
echo
if ! grep -q '^ *tor failed: ' "$work/second"; then
	echo "demo: without a proxy the second request should have failed" >&2
	exit 1
fi
say "   No proxy, no request: it failed rather than leave directly."
