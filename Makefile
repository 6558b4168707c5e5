# Two commands matter: `make run` starts a fabric on this machine, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Tests flush thousands of databases: into memory, where it has 4 GB of room. What is about disks has its own.
MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')

.PHONY: help install run test check format demo peers soak bench clean tests zones

help:
	@echo 'make run     a fabric on this machine, in var/ (made at the first run)'
	@echo 'make test    format, lint, types, imports and tests: about 3 minutes on two cores'
	@echo 'make demo    a self-checking tour of a throw-away fabric of three hosts'
	@echo 'make peers   tests with real mail clients and servers (Debian, as root)'
	@echo 'make soak    the long runs: minutes to hours'
	@echo 'make bench   measurements beside a peer or a raw floor'
	@echo 'make clean   take away what the others made, except var/'

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml scripts/install
	@PYTHON='$(PYTHON)' scripts/install
	@touch $@

run: install
	@exec $(BIN)/python scripts/run.py

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every host, and every process of the tests, would compile all modules again where the environment forbids to keep that.
test: export PYTHONDONTWRITEBYTECODE :=
test: export TMPDIR := $(or $(MEMORY),$(TMPDIR),/tmp)
test: check
	$(BIN)/pytest -n 3 --dist worksteal -m 'not peers and not soak'

# Nothing follows the demo's last line, which counts what passed and failed.
demo: install
	@$(BIN)/python -m heliograph.demo

peers: install
	scripts/peers
	$(BIN)/pytest -m peers

soak: install
	$(BIN)/pytest -m soak --timeout=7200

# BENCH='--quick' make bench: under a minute each.
bench: install
	scripts/bench $(BENCH)

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
