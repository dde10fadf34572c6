# The two commands: `make demo` and `make test`. Each makes .venv and installs what it needs when missing.
PYTHON ?= python3
BIN := .venv/bin

# One process more than there are processors: some tests wait for a limit of time.
PYTEST := $(BIN)/python -m pytest -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxschedchunk 1

.PHONY: demo test corpora build bench lint lock matrix clean

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

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

# The newest release of everything that requirements.txt allows, for every Python and platform at once.
lock: build/uv/bin/uv
	$< pip compile --quiet --upgrade --universal --fork-strategy fewest --generate-hashes --no-emit-index-url \
	    --python-version 3.11 --custom-compile-command "make lock" requirements.txt --output-file requirements.lock

matrix: build/uv/bin/uv .venv/installed
	$(BIN)/python benchmarks/matrix.py $(MATRIX)

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
