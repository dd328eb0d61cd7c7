# What a person types here. Needs make and Python 3.11 or newer; everything else goes into .venv.
#
#   make demo        see your words come back, in 20 seconds, on a temporary file
#   make demo-postgres  see two processes write to a real PostgreSQL server, and one of them be killed
#   make test        run the tests               (make test ARGS="-k ledger -x"); on Debian and Ubuntu, as root or with
#                    sudo that asks nothing, it installs Chromium for those of the page
#   make check       format, lint, types, floors (seconds)
#   make docs        build the pages into site/; a warning is an error
#   make bench       measure recall and speed    (make bench DATA=dir [SETS=locomo,beam] [SPEED=--large])
#   make bench-peers measure other memory systems on the same data, each in an environment of its own
#                    (TORCH=... says which torch pip gets for those that need it: the usual one takes gigabytes)
#   make numbers     take the reports of bench/out/ and write the tables of README.md and docs/benchmarks.md
#   make sizes       list the largest functions, classes and files, and the wheels of an install
#   make clean       remove what make made; your memories are not here and stay
#
# PY=/path/to/python picks the interpreter; UV=no does without uv.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-postgres test check docs bench bench-peers numbers sizes clean

VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(firstword $(wildcard ../shared/data data))
SETS ?=
OUT ?= bench/out
ARGS ?=
SPEED ?=
UV ?= yes
UVFLAG := $(if $(filter no,$(UV)),--no-uv,)

help:
	@sed -n 's/^#   //p' Makefile

# The first Python that is new enough: PY, else python3, else the versions by name.
define with-python
for candidate in $(PY) python3 python3.14 python3.13 python3.12 python3.11 python; do \
  if command -v "$$candidate" >/dev/null 2>&1 \
    && "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
    echo "Using $$candidate: $$("$$candidate" --version)"; \
    exec "$$candidate" scripts/environment.py $(UVFLAG) $(1); \
  fi; \
done; \
echo "simonides needs Python 3.11 or newer, and none of python3, python3.14 .. python3.11 is." >&2; \
echo "Debian 12, Ubuntu 24.04 or newer: apt-get install python3 python3-venv.  macOS: brew install python." >&2; \
echo "Or say where it is:  make PY=/path/to/python ..." >&2; \
exit 1
endef

# Stamps, so that a second run starts at once. The dev stamp serves both.
$(VENV)/.installed: pyproject.toml uv.lock
	@[ $(VENV)/.developing -nt pyproject.toml -a $(VENV)/.developing -nt uv.lock ] || { $(call with-python,); }
	@touch $@

$(VENV)/.developing: pyproject.toml uv.lock
	@$(call with-python,--dev)
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@$(BIN)/simonides demo

demo-postgres: $(VENV)/.developing
	@$(BIN)/python scripts/demo_postgres.py

test: $(VENV)/.developing
	@$(BIN)/python scripts/environment.py --chromium
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/.developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/python -m pytest -q tests/test_floors.py tests/test_imports.py tests/test_public_names.py tests/test_budgets.py

docs: $(VENV)/.developing
	$(BIN)/sphinx-build -W --keep-going -q -d site/.doctrees docs site
	@echo "Built site/index.html"

bench: $(VENV)/.installed
	@[ -n "$(DATA)" ] && [ -d "$(DATA)" ] || { \
	  echo "No data to measure on: neither ../shared/data nor data/ is here." >&2; \
	  echo "Say where it is:  make bench DATA=dir   (docs/benchmarks.md tells which files belong in it)." >&2; \
	  exit 1; }
	$(BIN)/simonides bench recall --data "$(DATA)" $(if $(SETS),--set "$(SETS)") --out "$(OUT)" $(ARGS)
	$(BIN)/simonides bench speed --out "$(OUT)" $(SPEED)

bench-peers: $(VENV)/.installed
	@[ -n "$(DATA)" ] && [ -d "$(DATA)" ] || { echo "Say where the data is:  make bench-peers DATA=dir" >&2; exit 1; }
	$(BIN)/python bench/peers/run.py --data "$(DATA)" $(if $(SETS),--set "$(SETS)") --out "$(OUT)" $(ARGS)

numbers: $(VENV)/.installed
	$(BIN)/python scripts/figures.py --take "$(OUT)"

sizes: $(VENV)/.developing
	@$(BIN)/python tests/test_budgets.py
	@$(BIN)/python scripts/wheel_sizes.py

clean:
	rm -rf $(VENV) site build dist .pytest_cache .ruff_cache .hypothesis bench/out bench/peers/.venvs
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
