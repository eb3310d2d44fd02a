# Everything from a fresh clone: `make demo` and `make test` install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
INSTALLED := $(VENV)/.installed

.PHONY: install demo test bench lint diagram format clean

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

# Two at a time, but for the end-to-end tests: they put the machine under load, and measure what it still does.
test: install
	PATH="$(BIN):$$PATH" $(BIN)/pytest --numprocesses 2 --dist loadfile tests/unit tests/integration
	PATH="$(BIN):$$PATH" $(BIN)/pytest tests/e2e

# All rivals of the paper's production shape, by turns; see docs/benchmarks.md. BENCH="--shape glue" measures another.
bench: install
	PATH="$(BIN):$$PATH" $(BIN)/python tests/performance/bench.py $(BENCH)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python docs/rooms_diagram.py --check

# Draws the rooms and their imports into docs/architecture.md.
diagram: install
	$(BIN)/python docs/rooms_diagram.py

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo bench bench_work load_test build *.egg-info .pytest_cache .mypy_cache .ruff_cache
