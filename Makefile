# wippy - the commands of the README. The build itself is meson.build; this file only names what people do.
#
#   make help      what there is
#   WERROR=1       warnings are errors (as CI does)
#   BUILD=dir      another build directory

BUILD ?= build
WERROR ?= 0
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
DEMO ?= local
SANITIZE ?= none
LTO ?= false
PYTEST_ARGS ?=

werror_0 = false
werror_1 = true
MESON_ARGS = --prefix=$(PREFIX) -Dwerror=$(werror_$(WERROR)) -Db_sanitize=$(SANITIZE) -Db_lto=$(LTO)
# A sanitizer's runtime is resolved at start, not at link time.
ifneq ($(SANITIZE),none)
MESON_ARGS += -Db_lundef=false
endif

# Each sub-make gets its own WIPPY_BIN from its own BUILD.
WIPPY_BIN = $(abspath $(BUILD))/wippy

.PHONY: all build sidecar demo test check lint format rooms bench asan tsan fuzz release install clean help setup-build setup-test setup-lint setup-fuzz \
	configure unit suite

all: build

help:
	@echo "make          build $(BUILD)/wippy (installs missing Debian/Ubuntu packages first)"
	@echo "make sidecar  build $(BUILD)/wippy-tsnet, which network.tailscale runs (needs Go, or fetches it)"
	@echo "make demo     a request that leaves through a SOCKS5 proxy, explained on screen; DEMO=tor: through a private Tor network"
	@echo "make test     everything: set-up, build, unit tests, tests against real proxies and Tor (PYTEST_ARGS=... picks some)"
	@echo "make check    fast: build, unit tests, includes between rooms"
	@echo "make lint     clang-format, clang-tidy, includes between rooms, functions nobody needs, scripts"
	@echo "make format   lay the C files out as make lint wants them"
	@echo "make release  build-release/wippy, optimized across files: what bench and install use"
	@echo "make bench    benchmarks beside libcurl, Go and others, whatever is installed"
	@echo "make asan     make test under the address and undefined-behaviour sanitizers"
	@echo "make tsan     make test under the thread sanitizer"
	@echo "make fuzz     run every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) each"
	@echo "make install  into PREFIX=$(PREFIX), honours DESTDIR"
	@echo "make clean    remove the build directories"

setup-build setup-test setup-lint setup-fuzz: setup-%:
	@scripts/setup.sh $*

# Meson is asked again only when the options differ from last time's; ninja itself notices changed build files.
configure:
	@if [ ! -f $(BUILD)/build.ninja ]; then \
		meson setup $(BUILD) $(MESON_ARGS) && echo '$(MESON_ARGS)' >$(BUILD)/options; \
	elif [ "$$(cat $(BUILD)/options 2>/dev/null)" != '$(MESON_ARGS)' ]; then \
		meson configure $(BUILD) $(MESON_ARGS) && echo '$(MESON_ARGS)' >$(BUILD)/options; \
	fi

build: setup-build
	@$(MAKE) --no-print-directory configure
	@ninja -C $(BUILD) wippy

# The node of network.tailscale, a program of its own in Go; wippy looks for it beside itself.
sidecar:
	@scripts/sidecar.sh $(BUILD)/wippy-tsnet

demo: build
	@WIPPY_BIN=$(WIPPY_BIN) scripts/demo.sh $(DEMO)

# Unit tests: cmocka programs, each linked to its room and the rooms below.
unit:
	@$(MAKE) --no-print-directory configure
	@python3 scripts/run_unit.py $(BUILD)

# The programs under test/ that drive the real binary against real peers.
suite:
	@WIPPY_BIN=$(WIPPY_BIN) scripts/run_suite.sh $(PYTEST_ARGS)

rooms:
	@python3 scripts/check_rooms.py

check: setup-build rooms
	@scripts/setup.sh unit
	@$(MAKE) --no-print-directory build unit

test: setup-build setup-test rooms
	@$(MAKE) --no-print-directory build unit suite

lint: setup-build setup-lint
	@$(MAKE) --no-print-directory configure
	@scripts/lint.sh $(BUILD)

# Lay out all C files as .clang-format says.
format: setup-lint
	@find src test bench -name '*.[ch]' 2>/dev/null | xargs -r clang-format -i

asan:
	@scripts/with_sanitizer.sh address $(MAKE) --no-print-directory test BUILD=build-asan SANITIZE=address,undefined

tsan:
	@scripts/with_sanitizer.sh thread $(MAKE) --no-print-directory test BUILD=build-tsan SANITIZE=thread

# What people run: optimized across files as well.
release:
	@$(MAKE) --no-print-directory build BUILD=build-release LTO=true

bench: release
	@WIPPY_BIN=$(abspath build-release)/wippy BUILD=build-release bench/run.sh

fuzz: setup-build setup-fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz.sh

install: release
	@meson install -C build-release --no-rebuild
	@for built in build-release build; do if [ -x $$built/wippy-tsnet ]; then \
		install -D -m 755 $$built/wippy-tsnet $(DESTDIR)$(PREFIX)/bin/wippy-tsnet; break; fi; done

clean:
	rm -rf build build-release build-asan build-tsan build-fuzz
