# make quickstart: install, fetch the embedded model, run benchmarks/quickstart.yaml
# make test:       install, then every check and every test but the studies
# make test-fast:  the same without the slow tests
# make studies:    install, then what takes an hour; writes results/reference/studies.json
# make docs:       install, then write the site of the documentation to build/site
# make check:      format, lint, types, import contracts
# make bench:      measure the tables of docs/validation/speed.md again; BENCH=name for one

PYTHON ?= python3
VENV := .venv
# Where it is set, every start of the program would compile its modules again.
unexport PYTHONDONTWRITEBYTECODE
# Modules are compiled at their first import: of 30,000 files most are never imported.
PIP := install --quiet --no-compile --constraint constraints.txt
BIN := $(VENV)/bin

# In a process for each core, up to four; tests/sharing.py says which tests stay together. The fast
# ones wait for servers, browsers and clocks about as long as they compute: four on two cores, too.
PYTEST := $(BIN)/pytest --numprocesses auto --durations 20

.PHONY: quickstart test test-fast studies docs check bench setup clean

quickstart: setup
	$(BIN)/bakeoff models fetch
	$(BIN)/bakeoff run benchmarks/quickstart.yaml

test: setup check
	$(PYTEST)

test-fast: setup check
	$(PYTEST) --numprocesses 4 -m "not slow and not study"

studies: setup
	$(BIN)/pytest -m study --durations 20 --record=results/reference/studies.json

docs: setup
	$(BIN)/zensical build --strict

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
	$(BIN)/python -m pip $(PIP) torch
	$(BIN)/python -m pip $(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
