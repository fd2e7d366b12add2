# `make demo` and `make test` are all that a new machine needs: both begin with `setup`.
# Another interpreter: `make PYTHON=/path/to/python3.12 test`.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
PYTHON ?=
CANDIDATES := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
SUITABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
TORCH := torch==2.13.0
# On Linux the usual index has PyTorch with gigabytes of CUDA packages, so its own index of CPU builds
# is asked first; where that cannot be reached, pip gives up on it within seconds.
CPU_BUILD := --retries 0 --timeout 5 --index-url https://download.pytorch.org/whl/cpu

.DEFAULT_GOAL := help
.PHONY: help setup demo test slow coverage format check docs clean

help:
	@echo 'make demo     synthesise data, build, train, score and plot; no dataset to download'
	@echo 'make test     run the test suite on all cores, but for what is slow'
	@echo 'make slow     run the slow tests: trainings, campaigns, the wheel'
	@echo 'make coverage run all tests, and list the lines of prn_bench that none of them reaches'
	@echo 'make check    lint, format and type checks, import table, documentation'
	@echo 'make docs     run the examples in the documentation'
	@echo 'make format   rewrite the sources in the house format'
	@echo 'make setup    make .venv; every word above does this by itself, once'
	@echo 'make clean    remove .venv and everything else that was generated'

setup: $(STAMP)
	@:

$(STAMP): pyproject.toml
	@set -e; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  found=; \
	  for name in $(CANDIDATES); do \
	    if "$$name" -c '$(SUITABLE)' >/dev/null 2>&1; then found="$$name"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo 'setup needs Python 3.11 or newer with venv (Debian, Ubuntu: apt install python3 python3-venv)' >&2; \
	    exit 1; \
	  fi; \
	  echo "setup: making $(VENV) with $$("$$found" --version), once; this takes some minutes"; \
	  "$$found" -m venv $(VENV); \
	else \
	  echo 'setup: bringing $(VENV) up to date with pyproject.toml'; \
	fi; \
	$(PIP) -e '.[dev]'; \
	if ! command -v nvidia-smi >/dev/null; then $(PIP) $(CPU_BUILD) $(TORCH) 2>/dev/null || \
	  echo 'setup: no CPU build of PyTorch within reach; the usual one is larger' >&2; fi; \
	$(PIP) $(TORCH) -e '.[dev,train,export]' || echo 'setup: PyTorch cannot be installed here, so' \
	  'the demo trains no network; later: $(BIN)/pip install $(TORCH) -e .[train,export]' >&2; \
	touch $@

demo: setup
	@$(BIN)/prn-bench demo

test: setup
	@$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow'

slow: setup
	@$(BIN)/python -m pytest -m slow

coverage: setup
	@$(BIN)/python -m pytest -q -n auto --dist worksteal --cov --cov-report=term:skip-covered

format: setup
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

check: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n auto --dist worksteal -m 'not slow' tests/test_imports.py \
	  tests/test_house.py tests/test_security.py tests/test_docs.py tests/test_docs_commands.py

docs: setup
	@$(BIN)/python -m pytest -q -n auto --dist worksteal tests/test_docs.py tests/test_docs_commands.py

clean:
	rm -rf $(VENV) build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
