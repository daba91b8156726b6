# Every target does its own set-up: `make demo` on a fresh checkout is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WAREHOUSE := $(BIN)/python -m warehouse
VERSION = $(shell awk -F '"' '/^version = / {print $$2; exit}' pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help demo test elt serve setup roles rebuild audit evidence backup restore soak docs lint bench psql clean lock \
	release audit-dependencies

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## load a month of sample TWAPs through real S3 and Postgres, and show them
	@$(WAREHOUSE) demo

# Each worker has a Postgres of its own. A worker without work takes half of another's,
# mostly whole modules, so that few of their fixtures are made twice.
test: setup ## run the whole test suite, on up to 4 processors; ARGS="-n 0" on one
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal $(ARGS)

soak: setup ## run the long tests: hours; SOAK_MINUTES=60 of hourly loads, SEQUENCES=500
	@$(BIN)/python -m pytest -m soak $(ARGS)

elt: setup ## load what is new, then build the marts; ARGS="--dry-run" says what it would do
	@$(WAREHOUSE) elt $(ARGS)

serve: setup ## answer HTTP requests on API_HOST:API_PORT
	@$(WAREHOUSE) serve

setup: $(VENV)/.complete ## make .venv with all that the other targets need

roles: setup ## make the database's roles, each with what it needs and no more
	@$(WAREHOUSE) roles

rebuild: setup ## make the marts anew from what has landed; needs no S3
	@$(WAREHOUSE) rebuild

audit: setup ## compare the marts with a full rebuild beside them, and run every test on it
	@$(WAREHOUSE) audit

evidence: setup ## show where every figure of a TWAP comes from; TWAP=1430699
	@$(WAREHOUSE) evidence '$(TWAP)'

backup: setup ## copy the database into a new folder; TO=/backups/monday
	@$(WAREHOUSE) backup '$(TO)'

restore: setup ## fill an empty database from such a folder; FROM=/backups/monday
	@$(WAREHOUSE) restore '$(FROM)' $(ARGS)

docs: setup ## show the documentation of the marts, with lineage; ARGS="--port 8081"
	@$(WAREHOUSE) docs $(ARGS)

lint: setup ## check format, types and style of Python and SQL
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --nocolor --disable-progress-bar dbt_project
	@$(BIN)/sqlfluff lint --nocolor --disable-progress-bar --templater placeholder \
		benchmarks ingestion warehouse

bench: setup ## measure our speed against limits of the same run
	@$(BIN)/python -m benchmarks $(ARGS)

psql: setup ## open a shell on the database
	@$(WAREHOUSE) psql

clean: ## end the sandbox's Postgres and remove all that we made
	@if [ -x $(BIN)/python ] && [ -d .local/postgres ]; then $(WAREHOUSE) clean; fi
	@rm -rf .local $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: ## pin the dependencies of pyproject.toml anew, with hashes (needs uv)
	uv pip compile pyproject.toml --universal --no-strip-extras --generate-hashes \
		--python-version 3.11 --no-header --quiet --output-file requirements.txt
	uv pip compile pyproject.toml --extra dev --universal --no-strip-extras --generate-hashes \
		--python-version 3.11 --no-header --quiet --output-file requirements-dev.txt

audit-dependencies: setup ## ask whether a pinned dependency has a known vulnerability
	@$(BIN)/python .ci/audit_dependencies.py requirements-dev.txt

release: setup ## build sdist and wheel of what is committed, in dist/, and tag it
	@test -z "$$(git status --porcelain)" || { \
		echo "Commit everything first: a release is what is committed." >&2; exit 1; }
	@test "$$(awk '/^## / {print $$2; exit}' CHANGELOG.md)" = '$(VERSION)' || { \
		echo "CHANGELOG.md must begin with the section: ## $(VERSION) (its day)" >&2; exit 1; }
	@! git rev-parse --quiet --verify 'refs/tags/v$(VERSION)' >/dev/null || { \
		echo "v$(VERSION) is there already: raise the version, see CONTRIBUTING.md" >&2; exit 1; }
	@rm -rf dist
	@$(BIN)/python -m hatchling build
	@git tag --annotate 'v$(VERSION)' --message 'Release $(VERSION)'
	@echo "v$(VERSION) is tagged here; to publish it: git push origin v$(VERSION)"

$(VENV)/.complete: requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { \
		echo "Python 3.11 or newer is needed. On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is too old: 3.11 or newer is needed, named by make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv, once: a minute or two …" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements-dev.txt
	@touch $@
