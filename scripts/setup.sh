#!/usr/bin/env bash
# setup.sh [build|unit|test|sidecar|lint|demo|tor|fuzz ...] - make sure that what a command needs is installed.
#
# Looks for the thing itself (a program, a library by pkg-config), not for a package. When all is there it says nothing
# and is quick. On Debian and Ubuntu it installs what is missing with apt; elsewhere it names what is missing and exits 1.
set -euo pipefail
cd "$(dirname "$0")/.."

# what it is for | how to look for it | Debian package | what it is
WANTED=$(cat <<'LIST'
build|command cc|gcc|a C compiler (gcc or clang)
build|libc|libc6-dev|the C library's headers
build|command make|make|make
build|command meson|meson|the Meson build system, 1.0 or newer
build|command ninja|ninja-build|ninja
build|command pkg-config|pkg-config|pkg-config
build|command python3|python3|Python 3.9 or newer
build|library lua5.4,lua-5.4,lua54,lua|liblua5.4-dev|Lua 5.4, library and headers
build|library libuv|libuv1-dev|libuv
build|library libcurl|libcurl4-openssl-dev|libcurl 7.88 or newer, built with OpenSSL
build|library libfyaml|libfyaml-dev|libfyaml
build|library jansson|libjansson-dev|jansson
build|library openssl|libssl-dev|OpenSSL 3
build|file /usr/share/llhttp/llhttp.c|node-llhttp|llhttp, the HTTP parser (as sources)
build|file /usr/include/wslay/wslay.h,/usr/local/include/wslay/wslay.h|libwslay-dev|wslay
build|library zlib|zlib1g-dev|zlib
build|library libpcre2-8|libpcre2-dev|PCRE2
build|library sqlite3|libsqlite3-dev|SQLite
build|file /etc/ssl/certs/ca-certificates.crt,/etc/pki/tls/certs/ca-bundle.crt,/etc/ssl/ca-bundle.pem,/etc/ssl/cert.pem|ca-certificates|trusted certificates
unit|library cmocka|libcmocka-dev|cmocka
test|library cmocka|libcmocka-dev|cmocka
test|pytest|python3-pytest|pytest for Python 3
test|command curl|curl|the curl program
test|command openssl|openssl|the openssl program
test|command tor|tor|tor and tor-gencert (a private network on this machine, for the tests)
test|command i2pd|i2pd|i2pd, an I2P router (a private network on this machine, for the tests)
test|command danted,sockd|dante-server|dante, the SOCKS server
test|command microsocks|microsocks|microsocks
test|command ip|iproute2|ip, for network namespaces
test|command tcpdump|tcpdump|tcpdump
test|command chromium,chromium-browser,google-chrome,chrome|chromium|Chromium (the tests look at the pages of examples/ with it)
tor|command tor|tor|tor and tor-gencert
sidecar|command go|golang-go|Go 1.26.6 or newer, or 1.21 or newer that may fetch it
lint|command clang-format|clang-format|clang-format
lint|command clang-tidy|clang-tidy|clang-tidy
lint|command shellcheck|shellcheck|shellcheck
fuzz|command clang|clang|clang
fuzz|fuzzer|libclang-rt|clang's fuzzer and sanitizer runtime
LIST
)

first_of() { # PROGRAM,PROGRAM...: is one there? (also where only root's PATH looks)
	local name
	for name in ${1//,/ }; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$name" >/dev/null && return 0
	done
	return 1
}

has() { # KIND NAMES
	local name
	case $1 in
	command) first_of "$2" ;;
	library)
		for name in ${2//,/ }; do
			pkg-config --exists "$name" 2>/dev/null && return 0
		done
		return 1
		;;
	libc) [ -e /usr/include/stdio.h ] || echo '#include <stdio.h>' | cc -E -x c - >/dev/null 2>&1 ;;
	pytest) scripts/python_with_pytest.sh >/dev/null 2>&1 ;;
	file)
		for name in ${2//,/ }; do
			[ -e "$name" ] && return 0
		done
		return 1
		;;
	fuzzer)
		echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return (int)(n > 9 && d[0]); }' |
			clang -x c -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null
		;;
	esac
}

missing() { # GROUP...: lines "package|what it is"
	local group for_what how package what
	for group in "$@"; do
		while IFS='|' read -r for_what how package what; do
			[ "$for_what" = "$group" ] || continue
			# shellcheck disable=SC2086 # two words: the kind and the names
			has $how || echo "$package|$what"
		done <<<"$WANTED"
	done | sort -u
}

debian_names() { # stdin: lines as missing() gives; the fuzzer runtime's package carries clang's version
	local package what
	while IFS='|' read -r package what; do
		if [ "$package" = libclang-rt ]; then
			# Until clang is there its version is not known; the next round of main() finds it.
			command -v clang >/dev/null || continue
			package=libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev
		fi
		echo "$package"
	done
}

listing() { # stdin: lines as missing() gives
	local package what
	while IFS='|' read -r package what; do
		echo "  - $what [$package]"
	done
}

main() {
	local lines packages sudo=() round
	[ $# -gt 0 ] || set -- build
	for round in 1 2; do
		lines=$(missing "$@")
		[ -n "$lines" ] || return 0
		if ! command -v apt-get >/dev/null; then
			{
				echo "wippy needs the following, which this system does not have (Debian's package names in brackets):"
				listing <<<"$lines"
				echo "Install them with your system's package manager and run the command again."
			} >&2
			return 1
		fi
		packages=$(debian_names <<<"$lines" | tr '\n' ' ')
		if [ "$(id -u)" -ne 0 ]; then
			if ! command -v sudo >/dev/null; then
				echo "Packages are missing and there is no sudo; as root, run: apt-get update && apt-get install -y $packages" >&2
				return 1
			fi
			sudo=(sudo)
		fi
		echo "setup: installing $packages"
		[ "$round" -gt 1 ] || "${sudo[@]}" apt-get update -qq </dev/null
		# shellcheck disable=SC2086 # a list of names
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages </dev/null
	done
	lines=$(missing "$@")
	[ -z "$lines" ] && return 0
	{
		echo "After installing, these are still missing or too old:"
		listing <<<"$lines"
	} >&2
	return 1
}

main "$@"
