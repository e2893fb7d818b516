# make quickstart: install, fetch the embedded model, run benchmarks/quickstart.yaml
# make test:       install, then every check and every test
# make check:      format, lint, types, import contracts
# make bench:      measure the tables of docs/performance.md again; BENCH=name for one

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart test test-fast check bench setup clean

quickstart: setup
	$(BIN)/bakeoff run benchmarks/quickstart.yaml

test: setup check
	$(BIN)/pytest

test-fast: setup check
	$(BIN)/pytest -m "not slow"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/perf/bench.py $(BENCH)

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
