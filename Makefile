# Everything a newcomer needs: `make demo` and `make test`. Both set up .venv from the lock file first.
PYTHON ?= python3
ARGS ?=
UV_VERSION := 0.13.8
UV := .venv/bin/uv
RUN := .venv/bin

.PHONY: demo test setup lint types imports audit docs engine bench fuzz format clean help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready ## the environment, from uv.lock

.venv/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "interfirm needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@test -x $(UV) || { $(PYTHON) -m venv .venv || { echo "cannot make .venv; on Debian: apt-get install python3-venv"; exit 1; }; \
		$(RUN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"; }
	@$(UV) sync --frozen --quiet --inexact --all-extras
	@touch $@

demo: setup ## five firms, a notary and an invoice that nobody can finance twice (ARGS="--keep", "--json FILE", "--invoice FILE")
	@$(RUN)/interfirm demo $(ARGS)

test: setup ## everything that CI runs
	@tools/test

lint: setup ## ruff
	$(RUN)/ruff check . && $(RUN)/ruff format --check .

types: setup ## mypy --strict
	$(RUN)/mypy --strict src

imports: setup ## layers and purity
	$(RUN)/lint-imports

audit: setup ## licences and hashes of what is depended on, and (with a network) its known faults
	$(RUN)/python tools/audit.py --known-faults

format: setup ## rewrite the code in house style
	$(RUN)/ruff check --fix . ; $(RUN)/ruff format .

fuzz: setup ## look for a minute for input that breaks a decoder (ARGS="-max_total_time=3600")
	INTERFIRM_FUZZ_COVERAGE=1 $(RUN)/python -m tests.fuzz build/fuzz -max_total_time=60 $(ARGS)

docs: setup ## write docs/reference from the code
	$(RUN)/python tools/reference.py

engine: setup ## the pinned consensus engine of a notary cluster (needs Go)
	@$(RUN)/python -m interfirm.runtime.engine

journals: setup ## record the journals of flows again (only with a new JOURNAL_VERSION)
	$(RUN)/python tools/record_journals.py

bench: setup ## all benchmarks, as a table
	$(RUN)/interfirm bench all

clean: ## remove the environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
