# The two commands: `make demo` and `make test`. Each makes .venv and installs what it needs when missing.
PYTHON ?= python3
BIN := .venv/bin

# One process more than there are processors: some tests wait for a limit of time. Tests of a group share what one process has started.
PYTEST := $(BIN)/python -m pytest -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist loadgroup --no-loadscope-reorder

.PHONY: demo test corpora build bench lint clean

demo: .venv/installed
	$(BIN)/autograder demo

test: .venv/installed
	$(PYTEST) -m "not corpus"

corpora: .venv/installed
	$(PYTEST) -m corpus

build: .venv/installed
	$(BIN)/autograder build

bench: .venv/installed
	$(BIN)/python benchmarks/throughput.py

lint: .venv/installed
	$(BIN)/python -m ruff check autograder solutions tests benchmarks nbgrader_config.py

clean:
	rm -rf build .pytest_cache

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt --editable .
	touch $@
