# Every target does all of its own set-up. Paths are relative and commands go through
# `.venv/bin/python -m`, so that the checkout may lie in a directory with a space in its name.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PY := .venv/bin/python

# The tests start thousands of processes: with this of the environment (Docker images like to set
# it) each of them would compile the relay anew, a quarter of its start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo run test test-all audit sbom bench fmt lock clean setup setup-tests setup-bench
# One target after the other, even under -j: they share the virtualenv and the ports.
.NOTPARALLEL:

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 18

demo: setup ## The main job on real mail, shown; stays up until Ctrl-C (DEMO_EXIT=1 ends it)
	@$(PY) -m demo

run: setup ## Serve relay.example.yaml
	@exec $(PY) -m relay serve --config relay.example.yaml

# The audit waits for the network, and its output comes after that of the checks.
define check-and-audit
	@said="$$(mktemp)"; scripts/audit --offline-ok >"$$said" 2>&1 & audit=$$!; \
	checked=0; scripts/check || checked=$$?; \
	audited=0; wait $$audit || audited=$$?; \
	cat -- "$$said"; rm -f -- "$$said"; exit $$((checked | audited))
endef

test: setup-tests ## Style, types, architecture, generated files, audit, tests: what CI runs
	$(check-and-audit)
	@$(PY) -m pytest -n 3 --dist worksteal -m "not slow"
	@$(PY) -m bench --quick

test-all: setup-tests ## The same with the tests that take minutes
	$(check-and-audit)
	@EXAMPLES=new $(PY) -m pytest -n 2 --dist worksteal
	@$(PY) -m bench --quick

audit: ## Known vulnerabilities in what is locked (asks pypi.org)
	@scripts/audit

sbom: ## What a release holds, as CycloneDX: dist/warmup-relay.cdx.json
	@scripts/sbom

bench: setup-bench ## Speed and cost beside the peers, half an hour (BENCH_FLAGS=--quick: a minute)
	@$(PY) -m bench $(BENCH_FLAGS)

fmt: setup ## Format the code and mend what the linter can mend
	@$(PY) -m ruff check --fix --exit-zero .
	@$(PY) -m ruff format .

lock: ## Write the lock files anew (LOCK_FLAGS=--upgrade moves the pins)
	@scripts/lock $(LOCK_FLAGS)

clean: ## Remove what the other targets made, mail and quota in var/ excepted
	@rm -rf .venv tests/node_modules dist build
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@scripts/setup run

setup-tests:
	@scripts/setup tests

setup-bench:
	@scripts/setup bench
