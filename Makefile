# Two commands do everything: `make demo` and `make test`. The rest is for those who work on the project.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := out/demo

.PHONY: help demo test fuzz sweep sweep-long bench clean

help:
	@echo "make demo    set up, then upgrade and enrol the example installation into $(DEMO)"
	@echo "make test    set up, then run the tests and every check"
	@echo "make fuzz    a hundred thousand mutated inputs for every parser and every kind of node"
	@echo "make sweep   every long sweep that the tests leave out, fuzzing among them"
	@echo "make sweep-long   kills, power cuts and failing disks at every system call of a run: hours"
	@echo "make bench   the benchmarks, as ratios"

demo: $(VENV)/.installed
	@rm -rf $(DEMO)
	$(BIN)/smets1 demo --out $(DEMO)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadgroup -rs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto -m sweep tests/emulator/fuzz tests/emulator/coordinator

sweep: $(VENV)/.installed-dev
	HYPOTHESIS_PROFILE=sweep $(BIN)/python -m pytest -n auto --dist loadgroup -rs --durations 15 -m sweep

sweep-long: $(VENV)/.installed-dev
	SMETS1_EVERY_CALL=1 $(BIN)/python -m pytest -n auto -rs -m sweep tests/end_to_end/test_interrupted_calls.py

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "smets1 needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	    "Name another with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv --quiet $(VENV) || { \
	  echo "cannot create $(VENV): install the venv module (Debian: apt-get install python3-venv) and try again" >&2; \
	  exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed
