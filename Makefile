# The words of this workshop. CI calls the same ones.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT = quickstart
PEER =

.PHONY: quickstart test lint golden bench docs clean

## Train a real isoFLOP study on this machine, fit it, test its forecast, write the report.
quickstart: $(VENV)/.train
	$(BIN)/isoflop quickstart --out $(OUT)

## All tests that need no accelerator, and the style checks. Those of real engines wait most of their time, so they go
## beside the others, with as many more as make both halves alike; what they said comes last.
BESIDE := tests/engines tests/training
test: $(VENV)/.dev lint
	@$(BIN)/python -m pytest $(BESIDE) > $(VENV)/beside.log 2>&1 & beside=$$!; \
	$(BIN)/python -m pytest $(BESIDE:%=--ignore=%); others=$$?; \
	wait $$beside; beside=$$?; cat $(VENV)/beside.log; \
	exit $$((others || beside))

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

## Rewrite the text files under tests/golden after an intended change; read the diff before you commit it.
golden: $(VENV)/.dev
	$(BIN)/python -m pytest tests/cli/test_golden.py --refresh-golden

## Side-by-side timings of the training step: make bench PEER=DIR.
bench: $(VENV)/.dev
	@test -n "$(PEER)" || { echo "the bench needs a checkout of karpathy/nanoGPT: make bench PEER=DIR"; exit 2; }
	$(BIN)/python bench/trainer.py --peer $(PEER)

## Do the documents still say what the program does? Their examples are run.
docs: $(VENV)/.dev
	$(BIN)/python -m pytest tests/test_docs.py

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
