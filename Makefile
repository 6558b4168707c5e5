# Two commands matter: `make run` starts a fabric on this machine, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install run test check format demo peers soak bench clean tests zones

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest -n 2 -m 'not peers and not soak'
