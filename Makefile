# Needs Python 3.11 or newer and make; everything else is installed into .venv. `make help` lists the targets.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv/bin
RUN_DEPS := $(PYTHON) deploy/bootstrap.py requirements.txt
DEV_DEPS := $(PYTHON) deploy/bootstrap.py requirements-dev.txt
SOURCES := rls core mcp_server tests benchmarks deploy examples manage.py

.DEFAULT_GOAL := help
.PHONY: help run test test-django lint fmt migrate audit matrix reference bench shell psql messages wheel lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "  make %-11s %s\n", $$1, $$2}'

run:  ## two demo tenants and a working MCP endpoint: PORT=8000
	@$(RUN_DEPS)
	@PORT=$(PORT) $(VENV)/python manage.py quickstart

test: ARGS ?= -n auto --dist loadgroup
test:  ## the tests: TEST_PG=container, embedded or local says where PostgreSQL comes from, ARGS= go to pytest instead of -n auto --dist loadgroup
	@$(DEV_DEPS)
	@$(VENV)/python -m pytest $(ARGS)

test-django:  ## Django's own suite on the backend, held against tests/django_suite/differences.toml; ARGS="queries lookup" runs a part
	@$(DEV_DEPS)
	@$(VENV)/python -m tests.django_suite $(ARGS)

lint:  ## format, lint, types, import directions, system checks, migrations
	@$(DEV_DEPS)
	@$(VENV)/ruff format --check $(SOURCES)
	@$(VENV)/ruff check $(SOURCES)
	@$(VENV)/mypy
	@$(VENV)/lint-imports --no-cache
	@$(VENV)/python manage.py check --fail-level WARNING
	@$(VENV)/python manage.py makemigrations --check --dry-run

fmt:  ## format and mend what ruff can
	@$(DEV_DEPS)
	@$(VENV)/ruff format $(SOURCES)
	@$(VENV)/ruff check --fix $(SOURCES)

migrate:  ## bring the database to the current migrations, as app_owner
	@$(RUN_DEPS)
	@$(VENV)/python manage.py migrate

audit:  ## is isolation as it was built? names the object and the mending SQL where it is not; ARGS="--format json"
	@$(RUN_DEPS)
	@$(VENV)/python manage.py rls audit $(ARGS)

matrix:  ## who reaches what, written to docs/reference/access-matrix.txt
	@$(RUN_DEPS)
	@mkdir -p .local && $(VENV)/python manage.py rls matrix > .local/matrix && mv .local/matrix docs/reference/access-matrix.txt

reference:  ## what the doors offer, written to docs/reference/tools.md
	@$(RUN_DEPS)
	@mkdir -p .local && $(VENV)/python manage.py mcp reference > .local/reference && mv .local/reference docs/reference/tools.md

bench:  ## what isolation costs, as ratios of interleaved runs
	@$(DEV_DEPS)
	@$(VENV)/python -m benchmarks.hook
	@$(VENV)/python -m benchmarks.statements
	@$(VENV)/python -m benchmarks.audit
	@$(VENV)/python -m benchmarks.lists

shell:  ## Django's shell
	@$(RUN_DEPS)
	@$(VENV)/python manage.py shell

psql:  ## psql as app_tenant: TENANT=test1 opens that tenant's context
	@$(RUN_DEPS)
	@$(VENV)/python manage.py psql $(if $(TENANT),--tenant $(TENANT)) $(if $(ARGS),-- $(ARGS))

messages:  ## compile the translations of core/locale
	@$(DEV_DEPS)
	@$(VENV)/pybabel compile -d core/locale -D django --statistics

wheel:  ## the wheel of the two libraries, in dist/
	@rm -rf dist
	@$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist .

lock:  ## resolve the newest allowed dependencies into the lock files
	@$(DEV_DEPS)
	@$(VENV)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade --quiet --extra mcp --extra embedded --group core -o requirements.txt
	@$(VENV)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade --quiet --all-extras --group core --group dev -c requirements.txt -o requirements-dev.txt

clean:  ## remove the virtual environment, the caches and the development database
	@rm -rf .venv .local dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
