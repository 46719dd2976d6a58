# Everything runs from a virtual environment in .venv that `make setup` fills.
PYTHON ?= python3
RUN := .venv/bin/python
HOST ?= 127.0.0.1
PORT ?= 7860

.PHONY: setup demo test lint train bench screenshots reproduce

setup: .venv/ready

.venv/ready: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed.")'
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --require-hashes -r requirements.lock
	touch .venv/ready

demo: setup
	$(RUN) -m app serve --host $(HOST) --port $(PORT)

# Two files of tests at a time, a thread each, is faster than one at a time with two; a browser wants the machine to itself.
# What the judges computed in the first half serves the second.
test: export OMP_NUM_THREADS := 1
test: setup
	export TESTS_CACHE=$$(mktemp -d) && trap 'rm -rf "$$TESTS_CACHE"' EXIT && \
	$(RUN) -m pytest -n 2 --dist loadfile --ignore-glob='tests/test_browser*' && \
	$(RUN) -m pytest tests/test_browser*.py

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# Train a checkpoint of your own: make train NAME=mine MINUTES=10
NAME ?= mine
MINUTES ?= 10
train: setup
	$(RUN) -m app train --preset mnist --minutes $(MINUTES) --out checkpoints/$(NAME)

# Time everything beside other projects, in one run on an idle machine: about half an hour.
bench: setup
	$(RUN) -m pip install --quiet -r requirements-bench.txt
	$(RUN) -m benchmarks

# Pictures of every tab into docs/tabs/; needs Chromium.
screenshots: setup
	$(RUN) -m benchmarks.screenshots

# Everything that is shipped, from the data alone, into out/: about three hours on two cores, resumable.
reproduce: setup
	RUN=$(RUN) sh benchmarks/reproduce.sh out
