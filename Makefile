# The words of this workshop. CI calls the same ones.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT = quickstart

.PHONY: quickstart test lint golden bench docs clean

## Train a real isoFLOP study on this machine, fit it, test its forecast, write the report.
quickstart: $(VENV)/.train
	$(BIN)/isoflop quickstart --out $(OUT)

## All tests that need no accelerator, and the style checks.
test: $(VENV)/.dev lint
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

## Rewrite the text files under tests/golden after an intended change; read the diff before you commit it.
golden: $(VENV)/.dev
	$(BIN)/python -m pytest tests/cli/test_golden.py --refresh-golden

## Side-by-side timings; each script says what it compares with and where it expects it.
bench: $(VENV)/.dev
	@cat bench/README.md

docs:
	@ls README.md VISION.md CONTRIBUTING.md docs/*.md

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "isoflop needs Python 3.11 or newer; say which with: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,dev]'
	@touch $@ $(VENV)/.train
