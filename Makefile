# The two commands: `make demo` and `make test`. Each makes .venv and installs what it needs when missing.
PYTHON ?= python3
BIN := .venv/bin

# One process more than there are processors: some tests wait for a limit of time. Tests of a group share what one process has started.
PYTEST := $(BIN)/python -m pytest -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist loadgroup --no-loadscope-reorder

.PHONY: demo test corpora mutants build bench lint site lock matrix clean

demo: .venv/installed
	@$(BIN)/autograder demo

test: .venv/installed
	$(PYTEST) -m "not corpus"

corpora: .venv/installed
	$(PYTEST) -m corpus

mutants: build
	$(BIN)/autograder audit --mutate --limit 6

build: .venv/installed
	$(BIN)/autograder build

bench: .venv/installed
	$(BIN)/python benchmarks/throughput.py

lint: .venv/installed
	$(BIN)/python -m ruff check autograder solutions tests benchmarks docs nbgrader_config.py
	$(BIN)/python -m mypy

# README, docs/ and the docstrings of every room, in build/site.
site: .venv/installed
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf build .pytest_cache

# With uv where it is on PATH: without its list of what it installed. It compiles as pip does, because a sandbox cannot; it chooses a
# Python that pyproject.toml allows unless PYTHON names one, and adds pip, with which the kit's wheel is made. Else with pip, whose
# long account becomes one line that changes; errors stay.
ifneq ($(shell command -v uv),)
VENV := test -x $(BIN)/python || uv venv --quiet --seed $(if $(filter file,$(origin PYTHON)),,--python $(PYTHON)) .venv
INSTALL := uv pip install 2>&1 --python $(BIN)/python --compile-bytecode
SHOWN := while IFS= read -r line; do case "$$line" in " + "*) ;; *) echo "$$line" ;; esac; done
else
VENV := $(PYTHON) -m venv .venv
INSTALL := $(BIN)/python -m pip install 2>&1 --disable-pip-version-check --progress-bar off
LINE := test ! -t 1 || printf '\r\033[K%.79s'
SHOWN := while read -r line; do case "$$line" in *[Ee][Rr][Rr][Oo][Rr]:*) echo "$$line" ;; *) $(LINE) "$$line" ;; esac; done; $(LINE) ''
endif

.venv/installed: requirements.lock pyproject.toml
	@echo "Installing what the course needs into .venv: 2 GB, some minutes, once."
	@rm -f $@; $(VENV)
	@{ $(INSTALL) --require-hashes --requirement requirements.lock && \
	   $(INSTALL) --no-build-isolation --no-deps --editable . && touch $@; } | { $(SHOWN); } && test -e $@

# The newest release of everything that pyproject.toml allows, for every Python and platform at once: with hashes all that the course's
# own tests and instructors need, and of that what running needs, by names alone, for whoever installs a wheel.
COMPILE := pip compile --quiet --universal --fork-strategy fewest --no-emit-index-url --python-version 3.11 --custom-compile-command "make lock"
lock: build/uv/bin/uv
	$< $(COMPILE) --upgrade --generate-hashes --all-extras pyproject.toml --output-file requirements.lock
	$< $(COMPILE) --no-annotate --constraint requirements.lock requirements.txt --output-file constraints.txt

matrix: build/uv/bin/uv .venv/installed
	$(BIN)/python benchmarks/matrix.py $(MATRIX)

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
