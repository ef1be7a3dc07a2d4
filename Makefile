# SPDX-License-Identifier: Apache-2.0
# sluiced: `make demo` shows it, `make test` tests it, `make help` lists all.

CC         ?= cc
OPT        ?= -O2 -g
PREFIX     ?= /usr/local
PYTHON     ?= /usr/bin/python3
SAN        ?=
WERROR     ?= $(if $(CI),-Werror)
PYTEST     ?= -q
BUILD      ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma      := ,
ifeq ($(MAKELEVEL),0)
MAKEFLAGS  += --no-print-directory -j$(shell nproc)
endif

# Debian 12's names: to build; to test and to show.
PACKAGES      := libuv1-dev libyajl-dev liblua5.4-dev libpcre2-dev \
                 libmicrohttpd-dev
DEPS_BUILD    := gcc libc6-dev pkg-config git $(PACKAGES)
DEPS_TEST     := $(DEPS_BUILD) libcmocka-dev nginx-light python3 \
                 python3-pytest python3-yaml clang curl procps util-linux
PKGS          := libuv yajl lua5.4 libpcre2-8 libmicrohttpd

VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0)
# Not asked for before they are installed: = instead of :=
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
ALL_LIBS   = $(SANFLAGS) -pthread -Wl,-z,relro,-z,now $(LDFLAGS) $(PKG_LIBS) -lm

BIN       := $(BUILD)/sluiced
CORE      := $(BUILD)/libcore.a
SRC       := $(sort $(wildcard src/*/*.c))
OBJ       := $(SRC:%.c=$(BUILD)/%.o) $(BUILD)/embedded.o
TESTS     := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/test_*.c)))

.DELETE_ON_ERROR:
.PHONY: all demo check test e2e lint warnings format install clean help \
        deps deps-test need

all: need $(BIN) ## build build/sluiced

demo: deps-test ## install what is missing, build, run with a real nginx
	@$(MAKE) all
	@test/demo.sh $(BIN)

check: need $(BIN) $(TESTS) lint ## unit tests and lint: no root, no network
	@test/unit/run.sh $(TESTS)

test: deps-test ## everything, on a machine that may have nothing yet
	@$(MAKE) check warnings WERROR=-Werror
	@$(MAKE) e2e
	@$(MAKE) check e2e SAN=address,undefined
	@$(MAKE) check e2e SAN=thread

e2e: need $(BIN) ## end to end: real nginx, real files, real faults
	@SLUICED=$(abspath $(BIN)) SAN=$(SAN) $(PYTHON) -m pytest $(PYTEST) \
	    -p no:cacheprovider test/e2e

lint: ## layers, includes, headers that compile alone, banned functions
	@test/lint/lint.sh "$(CC)" "-std=c11 -D_GNU_SOURCE -iquote src $(WARN) $(PKG_CFLAGS)"

warnings: ## gcc and clang, every warning an error
	@$(MAKE) all CC=gcc BUILD=build/gcc WERROR=-Werror
	@$(MAKE) all CC=clang BUILD=build/clang WERROR=-Werror

format: ## clang-format over src and test
	clang-format -i $$(git ls-files 'src/*.[ch]' 'test/*.[ch]')

install: all ## to $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/sluiced
	install -d $(DESTDIR)$(PREFIX)/share/sluiced
	cp -r conf lua $(DESTDIR)$(PREFIX)/share/sluiced/

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

# --- what must be there -----------------------------------------------------
deps:
	@test/install.sh $(DEPS_BUILD)
deps-test:
	@test/install.sh $(DEPS_TEST)
need:
	@pkg-config --exists $(PKGS) || { echo "sluiced needs: apt-get install $(DEPS_BUILD) (or: make demo)" >&2; exit 1; }

# --- how things are made ----------------------------------------------------
$(BIN): $(BUILD)/src/main.o $(CORE)
	@echo "  LD  $@"; $(CC) -o $@ $^ $(ALL_LIBS)

$(CORE): $(OBJ)
	@echo "  AR  $@"; rm -f $@; $(AR) rcs $@ $^

# Written only when it changed, so that a commit rebuilds one file.
$(BUILD)/version: FORCE
	@mkdir -p $(@D); echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
FORCE:
$(BUILD)/src/run/metrics.o: $(BUILD)/version
$(BUILD)/src/run/metrics.o: ALL_CFLAGS += -DSLUICED_VERSION='"$(VERSION)"'

$(BUILD)/%.o: %.c
	@echo "  CC  $<"; mkdir -p $(@D); $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: test/unit/%.c $(CORE)
	@echo "  CC  $<"; mkdir -p $(@D); $(CC) $(ALL_CFLAGS) -iquote test/unit -o $@ $< $(CORE) -lcmocka $(ALL_LIBS)

$(BUILD)/embedded.c: lua/prelude.lua conf/parsers.conf
	@mkdir -p $(@D); { echo '#include "base/embedded.h"'; for f in $^; do \
	  n=$$(basename $$f | tr . _); \
	  echo "static const char $$n[] = {"; od -An -v -tu1 $$f | sed 's/ \+\([0-9]\+\)/(char)\1,/g'; echo "};"; \
	  echo "struct span embedded_$$n(void) { return span_make($$n, sizeof $$n); }"; done; } > $@

$(BUILD)/embedded.o: $(BUILD)/embedded.c
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(OBJ:.o=.d) $(BUILD)/src/main.d $(TESTS:=.d)
