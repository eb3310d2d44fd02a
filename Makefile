# Everything from a fresh clone: `make demo` and `make test` install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
INSTALLED := $(VENV)/.installed

# uv from PATH or, if it is not there, from its wheel.
UV_VERSION := 0.13.9
UV = $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)

# uv reads none of pip's settings. A folder of wheels that pip knows is handed on: torch's CPU build may lie there.
# Without one, uv takes the CPU build from PyTorch's own index; the one on PyPI brings gigabytes of CUDA.
# `make install WHEELS=` takes what UV_DEFAULT_INDEX offers.
FIND_LINKS = $(or $(UV_FIND_LINKS),$(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
WHEELS = $(if $(FIND_LINKS),$(addprefix --find-links=,$(FIND_LINKS)),--torch-backend=cpu)

.PHONY: install lock demo unit test test-container-runtimes test-kserve drills bench lint diagram format clean

install: $(INSTALLED)

# requirements.lock pins every package, so that a fresh machine installs the same. Without the
# compat mode, `import espalier` would find a clone of that name, not espalier.py, where Python starts beside it.
$(INSTALLED): pyproject.toml requirements.lock | $(VENV)/bin/python
	test -x "$(UV)" || $(BIN)/pip install --quiet uv==$(UV_VERSION)
	$(UV) pip install --quiet --python $(BIN)/python $(WHEELS) --config-setting editable_mode=compat \
		--requirement requirements.lock --editable '.[dev]'
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Brings requirements.lock up to date with pyproject.toml; UPGRADE=--upgrade takes the newest versions. No uv.lock: it
# names the index's files by their addresses, so that a machine with a mirror could not use it. torch is left out,
# because its CPU build has another version number (2.13.0+cpu); pyproject.toml pins it.
lock: $(VENV)/bin/python
	test -x "$(UV)" || $(BIN)/pip install --quiet uv==$(UV_VERSION)
	$(UV) pip compile --quiet --python $(BIN)/python $(WHEELS) --all-extras --no-emit-package torch --no-annotate \
		--custom-compile-command 'make lock' $(UPGRADE) --output-file requirements.lock pyproject.toml

demo: install
	rm -rf demo
	PATH="$(BIN):$$PATH" bash demo.sh demo

# Two at a time, one core each, the longest first. Then, alone, those that measure or share the suite's server.
# A worker that dies is not replaced: xdist 3.8 would wait for ever at the end (pytest-dev/pytest-xdist#1323, #1378).
TWO_AT_A_TIME := OMP_NUM_THREADS=1 $(BOUND) $(BIN)/pytest \
	--numprocesses 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder

test: install
	PATH="$(BIN):$$PATH" $(TWO_AT_A_TIME) -m "not alone" tests/e2e tests/drills tests/integration tests/unit
	PATH="$(BIN):$$PATH" $(BOUND) $(BIN)/pytest -m alone tests/e2e tests/drills

unit: install
	PATH="$(BIN):$$PATH" $(TWO_AT_A_TIME) tests/unit

# The drills at full length (`make test` runs about a minute of them): publishes under load, and changes that are killed.
drills: install
	PATH="$(BIN):$$PATH" DRILLS=whole $(BIN)/pytest tests/drills

# The graphs that `build` writes, and the hand-written models, with what NVIDIA's container 24.10 has: Python 3.10 and
# these runtimes. They are installed apart, as they are older than those of .venv. REPOSITORIES="DIR DIR" adds your own.
CONTAINER := .container_runtimes
# The second: uv does not look among pyenv's.
CONTAINER_PYTHON ?= $(lastword 3.10 $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python3.10))

test-container-runtimes: install
	rm -rf $(CONTAINER)/repositories
	mkdir -p $(CONTAINER)/repositories
	test -x $(CONTAINER)/venv/bin/python || $(UV) venv --quiet --python $(CONTAINER_PYTHON) $(CONTAINER)/venv
	$(UV) pip install --quiet --python $(CONTAINER)/venv/bin/python \
		"numpy<2" onnxruntime==1.19.2 openvino==2024.4.0 tokenizers==0.23.3 prometheus-client==0.26.0 pytest
	PYTHONPATH=tests $(BIN)/python tests/container_runtimes/write_repositories.py $(CONTAINER)/repositories
	REPOSITORIES="$$(echo $(CONTAINER)/repositories/openvino $(CONTAINER)/repositories/onnxruntime $(REPOSITORIES) | tr ' ' :)" \
		$(CONTAINER)/venv/bin/python -m pytest --quiet -c /dev/null --rootdir . --noconftest -p no:cacheprovider \
		--import-mode=importlib tests/container_runtimes

# The resources of deploy/kserve against KServe's own SDK, which is installed apart.
KSERVE := .kserve

test-kserve: install
	test -x $(KSERVE)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(KSERVE)
	$(UV) pip install --quiet --python $(KSERVE)/bin/python kserve==0.21.0
	$(KSERVE)/bin/python deploy/kserve/check.py

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

# All that the targets above have made. What the verbs made elsewhere (teachers/, branches/) is yours.
clean:
	rm -rf $(VENV) $(CONTAINER) demo bench bench_work load_test build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
