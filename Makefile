# Everything sets itself up in .venv, from nothing. PYTHON and TORCH_INDEX (a CPU wheel index) may be given.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not sys.version_info >= (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.moco-installed
TORCH_INDEX ?=
WORKERS ?= 2
SOURCES := src tests docs benchmarks
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: setup demo test check bench nightly docs playground-release format clean

setup: $(STAMP)

# A CPU build of torch comes first where no GPU is seen and none is installed; the plain range otherwise.
$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "moco needs Python 3.11 or newer; name it with PYTHON=..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import torch' 2>/dev/null || command -v nvidia-smi >/dev/null 2>&1 || \
		$(BIN)/python -m pip install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0 || \
		echo "no CPU build of torch 2.13.0 here: taking what the range gives" >&2
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/moco demo

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not slow'

check: setup
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

nightly: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# The same recipe with another seed: other facts, questions and weights, run when a release is cut.
playground-release: setup
	$(BIN)/moco playground build --world release --out build/playground-release

# Ratios and figures measured side by side in one run; each prints what it stands on.
bench: setup
	for name in batches devices graders sandbox routing attacks; do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

# Generated pages, the site built strictly without the network, and every example executed.
docs: setup
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -q
	$(BIN)/python -m pytest -q -rs tests/docs tests/test_readme.py

clean:
	rm -rf $(VENV) build dist site
