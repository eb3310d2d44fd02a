# Everything from a fresh clone: `make demo` and `make test` install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
INSTALLED := $(VENV)/.installed

.PHONY: install demo test unit drills bench lint format clean

install: $(INSTALLED)

# constraints.txt pins every package, so that a fresh machine installs the same. The compat mode makes `espalier` win
# over a folder of that name (the clone) where Python is run.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --config-settings editable_mode=compat --editable '.[dev]'
	touch $@

demo: install
	rm -rf demo
	PATH="$(BIN):$$PATH" bash demo.sh demo

# Two at a time, one core each, the longest first. Then, alone, those that share the suite's server: some measure it.
TWO_AT_A_TIME := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: install
	PATH="$(BIN):$$PATH" $(TWO_AT_A_TIME) -m "not suite" tests/e2e tests/drills tests/integration tests/unit
	PATH="$(BIN):$$PATH" $(BIN)/pytest -m suite tests/e2e

unit: install
	PATH="$(BIN):$$PATH" $(TWO_AT_A_TIME) tests/unit

# All of what `make test` does for about a minute: publishes under load, and changes that are killed.
drills: install
	PATH="$(BIN):$$PATH" DRILLS=whole $(BIN)/pytest tests/drills

# All rivals of the paper's production shape, by turns; see docs/benchmarks.md. BENCH="--shape glue" measures another.
bench: install
	PATH="$(BIN):$$PATH" $(BIN)/python tests/performance/bench.py $(BENCH)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo bench bench_work load_test build *.egg-info .pytest_cache .mypy_cache .ruff_cache
