# SPDX-License-Identifier: Apache-2.0
# `make demo` shows sluiced at work, `make test` tests it, and `make help` lists
# all targets.

CC         ?= cc
PREFIX     ?= /usr/local
PYTHON     ?= /usr/bin/python3
SAN        ?=
OPT        ?= $(if $(SAN),-O1 -g1,-O2 -g)
WERROR     ?= $(if $(CI),-Werror)
PYTEST     ?= -q
SECONDS    ?= 60
BUILD      ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma      := ,
ifeq ($(MAKELEVEL),0)
MAKEFLAGS  += --no-print-directory -j$(shell nproc)
endif

# The libraries, as NAME_IN_PKG_CONFIG:PACKAGE_OF_DEBIAN_12.
LIBS       := libuv:libuv1-dev yajl:libyajl-dev lua5.4:liblua5.4-dev \
              libpcre2-8:libpcre2-dev libmicrohttpd:libmicrohttpd-dev libxxhash:libxxhash-dev \
              yaml-0.1:libyaml-dev
PKGS       := $(foreach lib,$(LIBS),$(firstword $(subst :, ,$(lib))))
# The packages for building, and for the tests and the demo.
DEPS_BUILD := gcc libc6-dev pkg-config git \
              $(foreach lib,$(LIBS),$(lastword $(subst :, ,$(lib))))
DEPS_TEST  := $(DEPS_BUILD) libcmocka-dev nginx-light python3 \
              python3-pytest python3-yaml clang clang-format libclang-rt-dev \
              curl procps util-linux e2fsprogs strace luajit
# The packages for the benchmark, with the libraries of the other collectors.  The
# collectors' own packages conflict with each other, so test/bench/peers.py unpacks
# them without installing them.
DEPS_BENCH := $(DEPS_BUILD) python3 util-linux valgrind linux-perf libestr0 \
              libfastjson4 libivykis0 libjson-c5 libnet1 libwrap0

VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0)
# "=" and not ":=", because the packages may not be installed yet.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN      := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla \
             -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough \
             -Wundef -Wwrite-strings $(WERROR)
HARDEN    := -fno-common -fstack-protector-strong -fno-omit-frame-pointer
SANFLAGS  := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
CFLAGS    ?= $(OPT)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -iquote src $(WARN) $(HARDEN) $(SANFLAGS) \
             $(PKG_CFLAGS) $(CFLAGS) -pthread -MMD -MP
ALL_LIBS   = $(SANFLAGS) -pthread -Wl,-z,relro,-z,now $(LDFLAGS) $(PKG_LIBS) -lm -lresolv

BIN       := $(BUILD)/sluiced
CORE      := $(BUILD)/libcore.a
SRC       := $(sort $(wildcard src/*/*.c))
OBJ       := $(SRC:%.c=$(BUILD)/%.o) $(BUILD)/embedded.o
TORTURE   := crash two_writers disk_faults fault_mixture reload journal_file
UNITLIB   := $(BUILD)/libunit.a
UNITOBJ   := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard test/unit/lib/*.c)))
TESTS     := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/test_*.c)))
FUZZ      := $(patsubst test/fuzz/fuzz_%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
REPLAYS   := $(FUZZ:%=$(BUILD)/replay/%)
FUZZERS   := $(FUZZ:%=$(BUILD)/fuzzer/%)
# Builds with every warning as an error, in a separate directory.
GCC_BUILD := CC=gcc BUILD=$(BUILD)/gcc WERROR=-Werror

.DELETE_ON_ERROR:
.PHONY: all demo check test e2e compat bench bench-quick bench-baseline torture \
        lint warnings fuzz format install clean help programs unit replay \
        test-lint fuzzers deps deps-test deps-bench need

all: need $(BIN) ## build build/sluiced

demo: deps-test ## install missing packages, build, run with a real nginx
	@$(MAKE) all
	@test/demo.sh $(BIN)

check: unit replay lint test-lint ## run unit tests, fuzz regressions, lint; needs no root and no network

# The steps run in sequence, so that no compiler runs beside a test.  The tested
# build treats every warning of gcc as an error.  lint reads the sources, so it
# does not run again with a sanitizer.
test: deps-test ## install missing packages and run all tests
	@$(MAKE) warnings
	@$(MAKE) check $(GCC_BUILD)
	@$(MAKE) e2e $(GCC_BUILD)
	@for san in address,undefined thread; do \
	    $(MAKE) unit replay SAN=$$san && $(MAKE) e2e SAN=$$san || exit; done

e2e: need $(BIN) ## run end-to-end tests with a real nginx, real files, real faults
	@SLUICED=$(abspath $(BIN)) SAN=$(SAN) test/e2e/run.sh $(PYTHON) $(PYTEST)

compat: need $(BIN) ## run the cases of test/compat; FLUENT_BIT=PATH compares with Fluent Bit
	@SLUICED=$(abspath $(BIN)) SAN=$(SAN) $(PYTHON) test/compat/run.py $(CASES)

torture: deps-test ## run the fault tests for longer: KILLS=3000 RELOADS=200 ...
	@$(MAKE) all
	@KILLS=$${KILLS:-3000} WRITER_KILLS=$${WRITER_KILLS:-600} \
	    RELOADS=$${RELOADS:-200} FILLS=$${FILLS:-20} DAMAGES=$${DAMAGES:-300} \
	    MIXES=$${MIXES:-20} \
	    SLUICED=$(abspath $(BIN)) SAN=$(SAN) $(PYTHON) -m pytest $(PYTEST) \
	    -p no:cacheprovider $(TORTURE:%=test/e2e/test_%.py)

bench: deps-bench ## measure CPU per line beside other collectors (needs root): POINTS=1,2 FLUENT_BIT=PATH
	@$(MAKE) all
	@$(PYTHON) -B test/bench/bench.py --points $${POINTS:-1,2,3,4,5,6,7} $(BUILD)

bench-quick: deps-bench ## a two-minute benchmark; fails if a line costs 10 % more instructions than BASELINE
	@$(MAKE) all
	@$(PYTHON) -B test/bench/bench.py --quick $(BUILD)

bench-baseline: deps-bench ## record the instructions per line in test/bench/BASELINE
	@$(MAKE) all
	@$(PYTHON) -B test/bench/bench.py --record $(BUILD)

# lint gets no objects of a build with a sanitizer, because sanitizers add mutable
# state to objects.
lint: need $(OBJ) $(BUILD)/src/main.o ## check layers, includes, sizes, contracts, banned functions
	@PYTHON=$(PYTHON) test/lint/lint.sh "$(CC)" "-std=c11 -D_GNU_SOURCE -iquote src $(WARN) $(PKG_CFLAGS)" $(if $(SAN),,$(BUILD))

# clang, unlike gcc, gives all its warnings without generating code.
warnings: ## compile with gcc and clang, with every warning as an error
	@$(MAKE) programs $(GCC_BUILD)
	@echo "  clang -fsyntax-only"; printf '%s\n' src/main.c $(SRC) \
	    $(wildcard test/unit/*.c test/unit/lib/*.c test/fuzz/*.c) | \
	    xargs -P "$$(nproc)" -n 16 clang -fsyntax-only -Werror \
	    $(filter-out -MMD -MP,$(ALL_CFLAGS)) -iquote test/unit/lib -DSLUICED_VERSION='""'

fuzz: ## run each fuzz target for SECONDS (60) with clang's libFuzzer
	@$(MAKE) fuzzers CC=clang BUILD=$(BUILD)/libfuzzer SAN=fuzzer-no-link,address,undefined OPT="-O2 -g"
	@test/fuzz/fuzz.sh $(SECONDS) $(BUILD)/libfuzzer $(FUZZ)

format: ## run clang-format on src and test
	find src test -name '*.[ch]' -exec clang-format -i {} +

install: all ## install to $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/sluiced
	install -d $(DESTDIR)$(PREFIX)/share/sluiced
	cp -r conf lua $(DESTDIR)$(PREFIX)/share/sluiced/

clean: ## remove build/
	rm -rf build

help: ## print this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

# --- required packages ------------------------------------------------------
deps:
	@test/install.sh $(DEPS_BUILD)
deps-test:
	@test/install.sh $(DEPS_TEST)
deps-bench:
	@test/install.sh $(DEPS_BENCH)
need:
	@missing=$$(command -v pkg-config >/dev/null || echo pkg-config; \
	for lib in $(LIBS); do pkg-config --exists $${lib%:*} 2>/dev/null || echo $${lib#*:}; done); \
	[ -z "$$missing" ] || { echo "sluiced needs: apt-get install" $$missing >&2; exit 1; }

# --- build rules ------------------------------------------------------------
programs: LIBS += cmocka:libcmocka-dev
programs: need $(BIN) $(TESTS) $(REPLAYS)
unit: programs
	@test/unit/run.sh $(TESTS)
replay: programs
	@test/fuzz/replay.sh $(REPLAYS)
test-lint: need
	@test/lint/test_lint.sh "$(CC)" "-std=c11 -iquote src"
fuzzers: need $(FUZZERS)

$(BIN): $(BUILD)/src/main.o $(CORE)
	@echo "  LD  $@"; $(CC) -o $@ $^ $(ALL_LIBS)

$(CORE): $(OBJ)
	@echo "  AR  $@"; rm -f $@; $(AR) rcs $@ $^

# This rule writes the file only if the version changed.  So a new commit rebuilds
# only metrics.o.
$(BUILD)/version: FORCE
	@mkdir -p $(@D); echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
FORCE:
$(BUILD)/src/status/metrics.o: $(BUILD)/version
$(BUILD)/src/status/metrics.o: ALL_CFLAGS += -DSLUICED_VERSION='"$(VERSION)"'

$(BUILD)/%.o: %.c | need
	@echo "  CC  $<"; mkdir -p $(@D); $(CC) $(ALL_CFLAGS) -c -o $@ $<

# The library of the unit tests: fixtures and fakes.
$(UNITLIB): $(UNITOBJ)
	@echo "  AR  $@"; rm -f $@; $(AR) rcs $@ $^
$(UNITOBJ): ALL_CFLAGS += -iquote test/unit/lib

$(BUILD)/unit/%: test/unit/%.c $(UNITLIB) $(CORE)
	@echo "  CC  $<"; mkdir -p $(@D); $(CC) $(ALL_CFLAGS) -iquote test/unit/lib -o $@ $< $(UNITLIB) $(CORE) -lcmocka $(ALL_LIBS)

$(REPLAYS): $(BUILD)/replay/%: $(BUILD)/test/fuzz/fuzz_%.o $(BUILD)/test/fuzz/replay.o $(CORE)
	@echo "  LD  $@"; mkdir -p $(@D); $(CC) -o $@ $^ $(ALL_LIBS)

$(FUZZERS): $(BUILD)/fuzzer/%: $(BUILD)/test/fuzz/fuzz_%.o $(BUILD)/test/fuzz/abort.o $(CORE)
	@echo "  LD  $@"; mkdir -p $(@D); $(CC) -fsanitize=fuzzer -o $@ $^ $(ALL_LIBS)

$(BUILD)/embedded.c: lua/prelude.lua conf/parsers.conf Makefile
	@mkdir -p $(@D); { echo '#include "setup/embedded.h"'; for f in $(filter-out Makefile,$^); do \
	  n=$$(basename $$f | tr . _); \
	  echo "static const char $$n[] = {"; od -An -v -tu1 $$f | sed 's/ \+\([0-9]\+\)/(char)\1,/g'; echo "};"; \
	  echo "struct span embedded_$$n(void) { return span_make($$n, sizeof $$n); }"; done; } > $@

$(BUILD)/embedded.o: $(BUILD)/embedded.c
	@echo "  CC  $<"; $(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(OBJ:.o=.d) $(BUILD)/src/main.d $(TESTS:=.d) $(UNITOBJ:.o=.d) $(wildcard $(BUILD)/test/fuzz/*.d)
