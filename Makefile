# Every target prepares what it needs by itself (scripts/setup); nothing has to be installed before.
#
#   PYTHON=python3.13 make check    with another interpreter than the first one found
#   VENV=/tmp/venv make check       in another virtual environment than .venv
#   ARGS="-k replay" make check     with more arguments for pytest (test, check, soak), the demo or the bench

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help demo test check soak bench native sdks packages tor-wheel docs lock format clean
.PHONY: sdk-js sdk-java sdk-rust sdk-php sdk-cpp

PYTHON ?=
VENV ?= .venv
ARGS ?=
export PYTHON VENV
# Tests start hundreds of interpreters: what one of them compiled is kept for the others.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
# Where scripts/setup puts Node.js if the system has none.
export PATH := $(PATH):$(abspath $(BIN))
# Whole programs and their networks: they wait more than they work. tests/side_by_side.py says what goes together.
REAL = tests/integration tests/packaging tests/cli tests/conformance
# Of other languages: scripts/sdk-NAME builds and tests one, with real daemons. Two at a time: they wait, too.
SDKS = sdk-js sdk-java sdk-rust sdk-php sdk-cpp
ALL_SDKS = $(MAKE) --no-print-directory --output-sync=target -j2 $(SDKS)
# Status 5: ARGS chose no test of this part.
NOTHING = [ $$? -eq 5 ]
PYTEST = $(BIN)/python -m pytest --durations=15 --durations-min=0.5

help: ## Shows this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: ## Two nodes find each other through Tor, talk, lose the link and get it back, all on this machine.
	@scripts/setup run
	@$(BIN)/p4 demo $(ARGS)

check: ## Style, types, import contracts and the quick tests: a few minutes on two cores.
	@scripts/setup check
	@scripts/static-checks
	@$(PYTEST) -n auto --dist=worksteal -m "not slow and not soak" $(ARGS)

test: ## Everything that every change must pass, in all languages, with real Tor, browser and TURN.
	@scripts/setup test
	@scripts/static-checks
	@scripts/native
	@$(PYTEST) -n auto --dist=worksteal -m "not soak" $(addprefix --ignore=,$(REAL) tests/native) $(ARGS) || $(NOTHING)
	@$(ALL_SDKS)
	@$(PYTEST) -n auto --dist=loadgroup --no-loadscope-reorder -m "not soak" $(REAL) $(ARGS) || $(NOTHING)

soak: ## The tests with large counts, and new examples for all property tests: hours. tests/counts.py says how much.
	@scripts/setup test
	@$(PYTEST) -m "soak or hypothesis" --timeout=0 $(ARGS)

bench: ## Our node beside each raw library, TCP and TLS; its recovery over a private Tor network; its relation in figures.
	@scripts/setup check
	@$(BIN)/python -m bench $(ARGS)

native: ## Builds and tests the core in Rust and its C library, native/; needs cargo.
	@scripts/setup check
	@scripts/native $(ARGS)

sdks: ## Builds and tests the SDKs of JavaScript, Java, Rust, PHP and C++; one alone: make sdk-php.
	@scripts/setup test
	@scripts/native
	@$(ALL_SDKS)

$(SDKS):
	@scripts/$@

packages: ## What is published for each language, built, installed into empty projects and tried out: build/packages.
	@scripts/setup test
	@scripts/packages $(ARGS)

tor-wheel: ## Builds the minimal Tor client and its wheel from the distribution's source package.
	@packaging/tor/build $(ARGS)

docs: ## The documentation as a site, in build/site.
	@scripts/setup check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)

lock: ## Writes requirements/*.lock anew from pyproject.toml.
	@scripts/setup check
	@scripts/lock $(ARGS)

format: ## Formats the code and mends what ruff can mend.
	@scripts/setup check
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## Removes everything that was made, .venv included.
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
