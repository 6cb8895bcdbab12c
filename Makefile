# `make demo` and `make test` each set up all that they need; a second call does no set-up again.
# Two test processes with one thread each: on two cores that takes half the time of one with two.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A virtual environment does not survive being moved, so the mark of a finished set-up carries the place.
READY := $(VENV)/.ready-$(shell pwd | cksum | cut -d' ' -f1)

.PHONY: demo test lint format checkov clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/hubc run specs/pipelines/quickstart.yaml

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# checkov needs other versions of what hubc needs, so it has an environment of its own.
checkov: $(READY)
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet checkov==3.3.30
	HUBC_CHECKOV=$(CURDIR)/.venv-checkov/bin/checkov $(BIN)/python -m pytest tests/install/test_checkov.py

clean:
	rm -rf $(VENV) .venv-checkov

# PYTHON may be any version from 3.11 on; a set-up that was cut off starts over.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hubc needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	@touch $@
