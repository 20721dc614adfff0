# Concord: every target sets up what it needs by itself.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
unexport PYTHONDONTWRITEBYTECODE
export CONCORD_HOME ?= .concord

.PHONY: run test test-corruptions test-faults check bench notebook lock clean help

help:  ## Show the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.ready: requirements.txt infra/bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Concord needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r infra/bootstrap.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

run: $(VENV)/.ready  ## Start the sources, the engine and Airflow, and run the whole flow (ONCE=1 ends by itself, WITHDRAW=3 lets people withdraw first).
	@exec $(BIN)/python -m infra.local.run --home $(CONCORD_HOME) $(if $(ONCE),--once) $(if $(PEOPLE),--people $(PEOPLE)) $(if $(DAYS),--days $(DAYS)) $(if $(WITHDRAW),--withdraw $(WITHDRAW))

test: $(VENV)/.ready  ## Run all tests; those on Apache Spark need Java.
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-faults: $(VENV)/.ready  ## Kill stages of the whole flow anywhere and run them again (KILLS=140), and a release of six tables at each step.
	CONCORD_KILLS=$(or $(KILLS),140) $(BIN)/python -m pytest -s tests/faults

test-corruptions: $(VENV)/.ready  ## Corrupt 200 good batches and name those that were not caught; 50 good ones must pass.
	CORRUPTIONS=200 $(BIN)/python -m pytest -rP tests/acceptance/test_corruptions.py

check: $(VENV)/.ready  ## Lint, types, architecture, contracts.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/concord contract check
	$(BIN)/python -m pytest tests/architecture

bench: $(VENV)/.ready  ## Measure against hand-written rivals (SIZES="1 5" million readings).
	$(BIN)/python -m tests.bench $(SIZES)
	$(BIN)/python -m tests.bench.permits
	$(BIN)/python -m tests.bench.linking
	$(BIN)/python -m tests.bench.gates
	$(BIN)/python -m tests.bench.treatments
	$(BIN)/python -m tests.bench.anonymity
	$(BIN)/python -m tests.bench.pooling
	$(BIN)/python -m tests.bench.refreshes
	$(BIN)/python -m tests.bench.totals
	$(BIN)/python -m tests.bench.differencing
	$(BIN)/python -m tests.bench.forgetting
	$(BIN)/python -m tests.bench.whereabouts
	$(BIN)/python -m tests.bench.freetext $(TEXTS)

notebook: $(VENV)/.ready  ## Execute the notebook against the lake of the last run.
	$(BIN)/python -m jupyter execute --inplace notebooks/released_products.ipynb

lock: $(VENV)/.ready  ## Resolve the requirements anew.
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --universal \
		--python-version 3.11 --extra local --extra dev pyproject.toml -o requirements.txt

clean:  ## Remove the lake, keys and Airflow home of this folder.
	rm -rf $(CONCORD_HOME)
