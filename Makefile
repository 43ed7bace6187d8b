# What a machine needs: Python 3.11 to 3.13 with venv, Node >= 20, Java >= 17, git and make.
# Everything else is installed into this folder, at the versions of uv.lock and package-lock.json.

UV_VERSION := 0.13.9
PORT ?= 8000
STATE ?= .callmissed
ARGS ?=
NAME ?= properties

# A run of some tests may be quicker in one process: make test ARGS=tests/unit WORKERS=0
WORKERS ?= auto
PYTEST := python -m pytest -n "$(WORKERS)" --dist loadgroup

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first of these that is new enough, unless PYTHON names one.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
		&& { command -v "$$python"; break; }; \
	done)
endif

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH)
export PYRIGHT_PYTHON_GLOBAL_NODE := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

UV := .tools/uv-$(UV_VERSION)
VENV := .venv/.synced
NODE_MODULES := node_modules/.installed
CLIENTS := tests/conformance/clients
CLIENT_GROUPS := langchain instructor pydantic-ai openai-agents
CLIENT_ENVIRONMENTS := .tools/clients/.synced
CLIENT_MODULES := $(CLIENTS)/node_modules/.installed

comma := ,
PROVEN := $(addsuffix /*,$(addprefix */callmissed/,ledger keys idempotency) */callmissed_ai/calls) \
	$(addprefix */callmissed_ai/,charges.py work.py) \
	$(addsuffix /*,$(addprefix */functions/billing/,budgets coupons credits overview payments refunds subscriptions))
SOAK_properties := python -m pytest -n "$(WORKERS)" tests/properties --hypothesis-profile=deep
SOAK_delivery := python -m bench.delivery --soak 10000 --check
SOAK_whatsapp := python -m bench.whatsapp --soak 2000 --check
SOAK_billing-year := python -m bench.billing_year
SOAK_api := env WALK_SHARE=1 python -m pytest -n 0 tests/conformance/test_openapi.py
SOAK_steps := env STEP_STRIDE=1 python -m pytest -n "$(WORKERS)" tests/integration/functions/webhooks/delivery \
	$(addprefix tests/integration/functions/billing/,refunds subscriptions)
SOAK_cuts := env CUT_STRIDE=1 python -m pytest -n "$(WORKERS)" tests/unit/callmissed_ai/answers

.PHONY: help setup need-python need-node need-java dev test coverage soak compatibility sdk-tests collect check format lint synth rehearse bench bench-delivery bench-whatsapp bench-translation bench-sign-in bench-peers cost clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

setup: $(VENV) $(NODE_MODULES) $(CLIENT_ENVIRONMENTS) $(CLIENT_MODULES) ## Install what the repository needs into .tools, .venv and node_modules.

dev: setup ## Run the local stack: make dev [PORT=8000] [STATE=.callmissed] [ARGS=--reset].
	@exec python -m local --port "$(PORT)" --data "$(STATE)" $(ARGS)

test: setup need-java ## Run every test: make test [ARGS="tests/unit -x"] [WORKERS=0].
	$(PYTEST) $(ARGS)

coverage: setup need-java ## Run every test and hold the coverage of branches to its bounds.
	$(PYTEST) --cov --cov-report= --cov-fail-under=0 $(ARGS)
	coverage report --skip-covered --fail-under=100 --include='$(subst $(eval ) ,$(comma),$(PROVEN))'
	coverage report --format=total

soak: setup need-java ## Run one long proof: make soak NAME=properties (deep examples), NAME=delivery (10,000 events), NAME=whatsapp (2,000 messages), NAME=billing-year (50 tenants), NAME=cuts (every byte), NAME=steps (a death at every step) or NAME=api (every generated request).
	$(SOAK_$(NAME))

compatibility: setup need-java ## Run each client against each kind of provider; writes docs/compatibility.md.
	python -m tests.support.compatibility $(ARGS)

sdk-tests: setup need-java ## Run openai-python's own tests of embeddings, audio, images and files; downloads its source.
	python -m tests.support.sdk_tests

collect: setup need-java ## Import every test, so that the processes of the next run find it compiled.
	@python -m pytest -n 0 --collect-only -qq | tail -n 20

check: lint coverage ## Check format, lint, types and import rules, then run every test with coverage.

lint: setup ## Check format, lint, types and import rules.
	ruff format --check
	ruff check
	pyright
	lint-imports

format: setup ## Format the code and fix what ruff can fix.
	ruff format
	ruff check --fix

synth: setup ## Synthesise the CloudFormation templates into cdk.out, offline.
	npx --no-install cdk synth --quiet $(ARGS)

rehearse: setup need-java ## Deploy the templates into local engines, use the stage under its roles, tear it down.
	python -m rehearsal

bench: setup need-java ## Measure the gateway beside a direct call and the installed peers: make bench [ARGS=--check].
	python -m bench.run $(ARGS)

bench-delivery: setup need-java ## Measure deliveries and soak them; writes docs/webhooks-performance.md.
	python -m bench.delivery --soak 10000 $(ARGS)

bench-whatsapp: setup need-java ## Measure conversations at once and soak them; writes docs/whatsapp-performance.md.
	python -m bench.whatsapp --soak 2000 $(ARGS)

bench-translation: setup need-java ## Measure translated calls beside those that pass through: make bench-translation [ARGS=--check].
	python -m bench.translation $(ARGS)

bench-sign-in: setup need-java ## Measure whether an answer's time names accounts; writes docs/accounts.md: make bench-sign-in [ARGS=--check].
	python -m bench.sign_in $(ARGS)

bench-peers: setup ## Install the gateways that the benchmark compares with.
	python -m bench.peers install

cost: setup need-java ## Count units per call, price an idle month and an active user, and write docs/cost.md.
	python -m bench.cost $(ARGS)
	python -m bench.standing
	python -m bench.people
	python -m bench.conversations
	python -m bench.purchases

clean: ## Remove everything installed and built; the state of `make dev` stays.
	rm -rf .tools .venv node_modules $(CLIENTS)/node_modules cdk.out .build .bench-peers dist
	rm -rf .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

need-python:
	@[ -n "$(PYTHON)" ] || { echo "make: Python 3.11 to 3.13 is needed: python3 is missing, too old or too new" >&2; exit 1; }

need-node:
	@node -e 'process.exit(Number.parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null || \
		{ echo "make: Node >= 20 with npm is needed: found node $$(node --version 2>/dev/null || echo none)," \
			"npm $$(command -v npm || echo none)" >&2; exit 1; }

need-java: $(VENV)
	@python -c 'from local.aws.java import find_java; find_java()' 2>/dev/null \
		|| { echo "make: Java >= 17 is needed for DynamoDB Local: found $$(java -version 2>&1 | head -n 1)" >&2; exit 1; }

$(UV): | need-python
	@"$(PYTHON)" -m venv --clear .tools || { echo "make: '$(PYTHON) -m venv' fails; on Debian install python3-venv" >&2; exit 1; }
	.tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@touch $@

$(VENV): uv.lock pyproject.toml $(UV) | need-python
	.tools/bin/uv sync --locked --quiet --python "$(PYTHON)"
	@touch $@

$(CLIENT_ENVIRONMENTS): $(CLIENTS)/uv.lock $(CLIENTS)/pyproject.toml $(UV) | need-python
	for group in $(CLIENT_GROUPS); do \
		UV_PROJECT_ENVIRONMENT="$(CURDIR)/.tools/clients/$$group" .tools/bin/uv sync --project $(CLIENTS) --locked --quiet \
			--python "$(PYTHON)" --group "$$group"; \
	done
	@touch $@

$(CLIENT_MODULES): $(CLIENTS)/package-lock.json $(CLIENTS)/package.json | need-node
	npm ci --prefix $(CLIENTS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(NODE_MODULES): package-lock.json package.json | need-node
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
