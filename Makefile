# Gantry's commands. `make help` lists them; each does its own set-up first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := .venv/bin/python
MANAGE := $(PYTHON) manage.py
# Settings make a data folder when they are read; tools that only look must not make a real one.
LOOKING := GANTRY_DATA=.venv/lint-data
SEEDS := 2000
CASES := 10000
# Each command is several processes of the same code: what one compiles is kept for the others.
unexport PYTHONDONTWRITEBYTECODE
CHAOS := tests/chaos/results

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: venv ## Start Gantry in the foreground (GANTRY_PORT, GANTRY_DATA, …: see the README)
	@exec $(MANAGE) up

.PHONY: down
down: venv ## End a running Gantry, its Postgres, and a Docker engine that it started
	@exec $(MANAGE) down

.PHONY: demo
demo: venv ## Fill a fresh, running Gantry with a demonstration (docs/demo.md)
	@GANTRY_ALLOW_FAKE=1 exec $(MANAGE) demo $(ARGS)

.PHONY: test
test: venv-dev ## Run the whole suite: real containers, a real browser, real kills
	@exec $(PYTHON) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-ui-long
test-ui-long: venv-dev ## Watch pages for long: floods, outages, 50,000 lines; prints what was measured
	@exec $(PYTHON) -m pytest -m ui_long -s $(ARGS)

.PHONY: test-fresh
test-fresh: ## Run `make up` and `make test` in a bare Debian root (needs root and debootstrap)
	@exec deploy/test-fresh.sh

.PHONY: lint
lint: venv-dev ## Check style, types, templates and import directions
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check --quiet .
	@$(LOOKING) $(PYTHON) -m mypy .
	@.venv/bin/djlint --quiet --check templates
	@.venv/bin/djlint --quiet --lint templates
	@.venv/bin/lint-imports --no-cache

.PHONY: format
format: venv-dev ## Put code and templates into shape
	@$(PYTHON) -m ruff check --fix-only --quiet .
	@$(PYTHON) -m ruff format --quiet .
	@.venv/bin/djlint --quiet --reformat templates || true

.PHONY: sim
sim: venv-dev ## Simulate engines, faults and a clock from SEEDS=2000 seeds (ARGS="--seed 7 --trace" for one)
	@$(LOOKING) $(PYTHON) -m tests.simulation --seeds $(SEEDS) $(ARGS)

.PHONY: plan-cases
plan-cases: venv-dev ## Hold what is promised of every plan against CASES=10000 made-up queues
	@PLAN_CASES=$(CASES) exec $(PYTHON) -m pytest tests/unit/test_plan_properties.py $(ARGS)

.PHONY: bench
bench: venv-dev ## Measure Gantry against bare containers
	@exec $(PYTHON) -m benchmarks $(ARGS)

.PHONY: bench-full
bench-full: venv-dev ## Measure what docs/performance.md has figures of (some 60 minutes)
	@$(PYTHON) -m pip install --quiet --target .venv/bench --requirement benchmarks/requirements.txt
	@status=0; for what in "" --idle "--watch 2" --pages; do $(PYTHON) -m benchmarks $$what || status=1; done; \
	for what in rates deep_queue held_snapshot lists "live logs" "live changes" "live list" capture notices followed purge namespaces; do \
	    echo "== $$what"; $(PYTHON) -m benchmarks.$$what || status=1; done; exit $$status

.PHONY: chaos
chaos: venv-dev ## Run the long fault campaigns in the background; goes on where it was
	@mkdir -p $(CHAOS)
	@nohup setsid $(PYTHON) -m tests.chaos $(ARGS) >> $(CHAOS)/campaign.log 2>&1 < /dev/null & \
	echo "Campaigns run as process $$!; what they say: $(CHAOS)/campaign.log"
	@echo "Results so far: make chaos-table"

.PHONY: chaos-table
chaos-table: venv-dev ## What the fault campaigns have found so far
	@exec $(PYTHON) -m tests.chaos --table $(ARGS)

.PHONY: drill
drill: venv-dev ## Deaths of each process, an upgrade with 50 jobs running, a restore; see docs/operations.md
	@exec $(PYTHON) -m tests.drills $(ARGS)

.PHONY: shell
shell: venv ## A Python shell inside a running Gantry's settings
	@exec $(MANAGE) shell

.PHONY: venv
venv: # the virtual environment with what Gantry runs on
	@deploy/bootstrap.sh runtime

.PHONY: venv-dev
venv-dev: # the same, with the tools of tests and lint
	@deploy/bootstrap.sh dev
