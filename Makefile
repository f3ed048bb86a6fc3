# Every target installs what it needs; the only things taken for granted are Python 3.11 or newer, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

KILLS ?= 1000
ROUNDS ?= 30

.PHONY: help install run test explore soak check bench format generate lock pictures broker clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## the virtual environment .venv with the package and its tools

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is %s: say make PYTHON=python3.11" % sys.version.split()[0])'
	@echo "installing into $(VENV) (once; about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: install ## the monitor, live, on a made-up AI debt wave; Ctrl-C stops it, after a kill it goes on
	@exec $(BIN)/stress-monitor run --state var/state

broker: ## a real Kafka broker on 127.0.0.1:9092, for trying out; wants Java 17 and Maven; Ctrl-C stops it
	@exec deploy/kafka/broker.sh

test: install ## the whole test suite
	@POLARS_MAX_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

explore: install ## the suite on random examples that no run has seen before; says how to see a failure again
	@BLIND_DAYS=40 DIRTY_DAYS=20 POLARS_MAX_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal \
	  --hypothesis-profile explore

soak: install ## kill the monitor KILLS times (1000), then ROUNDS rounds (30) with a broker; a second call goes on
	@$(BIN)/python -m tests.restart.soak --kills $(KILLS)
	@$(BIN)/python -m tests.kafka.exactly_once --rounds $(ROUNDS)

check: install ## lint, format, strict types, generated files current
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/stress-monitor generate --check

bench: install ## what it costs, as ratios against loops by hand in the same run (several minutes)
	@$(BIN)/python -m tests.bench.run
	@$(BIN)/python -m tests.bench.kafka
	@$(BIN)/python -m tests.bench.scrape
	@$(BIN)/python -m tests.bench.page

format: install ## write the format that check wants
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

generate: install ## write all generated files
	@$(BIN)/python -m tests.runbooks.figures
	@$(BIN)/stress-monitor generate
	@$(BIN)/python -m tests.truth

pictures: install ## make the README's pictures anew; wants Debian's chromium
	@command -v chromium >/dev/null || { echo "chromium is missing: apt-get install chromium"; exit 1; }
	@$(BIN)/stress-monitor replay --scenario ai-debt-wave --report --out out/pictures/ai-debt-wave
	@$(BIN)/stress-monitor replay --history repo-2018-2025 --report --out out/pictures/repo-2018-2025
	@for name in ai-debt-wave repo-2018-2025; do \
	  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1300,1500 \
	    --user-data-dir="$$(mktemp -d)" --virtual-time-budget=15000 --screenshot=docs/$$name.png \
	    "file://$(CURDIR)/out/pictures/$$name/report.html"; \
	done
	@$(BIN)/python -m tests.page.picture docs/live-page.png

LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
  --no-emit-index-url --no-emit-find-links --quiet

lock: install ## compile requirements.lock anew from pyproject.toml, and the image's two out of it
	@$(LOCK) pyproject.toml --group dev --output-file requirements.lock
	@$(LOCK) pyproject.toml --constraints requirements.lock --output-file deploy/requirements.lock
	@echo hatchling | $(LOCK) - --constraints requirements.lock --output-file deploy/build.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) var out dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
