# Every target sets up what it needs. Without make: see "Plain commands" in README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export KODOMO_DATA_DIR ?= $(CURDIR)/data
export DAGSTER_HOME ?= $(CURDIR)/.dagster
RESIDENTS ?= 259000
WORLD ?= linear

.PHONY: help demo test test-host test-offline ui refresh after-meeting summary templates wheelhouse docs lint format lock clean

help:
	@echo "make demo                      synthetic city of $(RESIDENTS) residents, all its reference dates, summary"
	@echo "                               (RESIDENTS=18000: a small one; WORLD=contact: another truth, see demo/worlds.py)"
	@echo "make test                      ruff, mypy, import-linter, sqruff (SQL), oxlint (the page's script), pytest"
	@echo "make ui                        Dagster UI on the same data, http://127.0.0.1:3000 (PORT=3001: there)"
	@echo "make refresh DATE=2025-04-01   everything that this reference date needs"
	@echo "make after-meeting DATE=2025-04-01   decisions and support from the inbox, school lists, funnel"
	@echo "make summary DATE=2025-04-01   the funnel of a refreshed reference date"
	@echo "make docs                      docs/configuration.md and docs/dictionary.md anew, after a change of what they tell"
	@echo "make wheelhouse                one archive that installs without internet (docs/導入手順.md), 1 GB"
	@echo "make test-offline              that archive made, then installed and run by its guide where there is no route (root)"
	@echo "make test-host                 a host of three cities on systemd and PostgreSQL, and the walls between them (root)"
	@echo "make templates                 an empty Excel workbook per table, for the offices"

$(VENV)/.runtime: requirements.lock setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	touch $@

demo: $(VENV)/.runtime
	$(BIN)/python -m kodomo_assets.demo --data-dir "$(KODOMO_DATA_DIR)" --residents $(RESIDENTS) --world $(WORLD)
	$(BIN)/python -m kodomo_assets refresh --all
	$(BIN)/python -m kodomo_assets.demo --data-dir "$(KODOMO_DATA_DIR)" --meeting
	$(BIN)/python -m kodomo_assets after-meeting 2025-04-01
	$(BIN)/python -m kodomo_assets.demo --data-dir "$(KODOMO_DATA_DIR)" --support
	$(BIN)/python -m kodomo_assets after-meeting 2025-04-01
	$(BIN)/python -m kodomo_assets.demo --data-dir "$(KODOMO_DATA_DIR)" --compare
	@echo "look next: make ui (http://127.0.0.1:3000), docs/analysts.md (analyst.duckdb), docs/method.md"

refresh: $(VENV)/.runtime
	@test -n "$(DATE)" || { echo "usage: make refresh DATE=2025-04-01"; exit 2; }
	$(BIN)/python -m kodomo_assets refresh $(DATE)

after-meeting: $(VENV)/.runtime
	@test -n "$(DATE)" || { echo "usage: make after-meeting DATE=2025-04-01"; exit 2; }
	$(BIN)/python -m kodomo_assets after-meeting $(DATE)

summary: $(VENV)/.runtime
	@test -n "$(DATE)" || { echo "usage: make summary DATE=2025-04-01"; exit 2; }
	$(BIN)/python -m kodomo_assets summary $(DATE)

templates: $(VENV)/.runtime
	$(BIN)/python -m kodomo_assets templates

wheelhouse: $(VENV)/.runtime
	$(BIN)/python -m kodomo_assets wheelhouse

docs: $(VENV)/.runtime
	$(BIN)/python -m kodomo_assets.catalogue.document
	$(BIN)/python -m kodomo_assets.doors.data_dictionary

ui: $(VENV)/.runtime
	$(BIN)/python -m kodomo_assets ui $(if $(PORT),--port $(PORT))

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqruff --parsing-errors lint kodomo_assets
	$(BIN)/oxlint kodomo_assets

# Databases of tests lie in memory where there is room for them: on a disk a fifth of the time is spent waiting for it.
# What pytest makes of a test's assertions is kept for the next run, whatever this shell says of bytecode.
ROOM := $(shell test "$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $$4 }')" -gt 4000000 2>/dev/null && echo /dev/shm)
test: lint
	$(if $(ROOM),TMPDIR=$(ROOM)) PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Of its own: it downloads a gigabyte and takes some minutes. Needs root, unshare, ip and strace.
test-offline: $(VENV)/.dev
	$(BIN)/python -m kodomo_assets_tests.offline

# Of its own: it boots a machine with three cities, and has workers of Celery killed. Needs root, unshare, ip, systemd,
# PostgreSQL and Redis.
test-host: $(VENV)/.dev
	$(BIN)/python -m kodomo_assets_tests.host
	$(BIN)/python -m kodomo_assets_tests.workers

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# uv resolves once for all platforms and Python versions.
lock: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet uv
	echo "duckdb==1.5.5" > $(VENV)/constraints.txt
	echo "setuptools" > $(VENV)/build.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--constraint $(VENV)/constraints.txt setup.cfg $(VENV)/build.in --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--constraint requirements.lock --extra dev setup.cfg $(VENV)/build.in --output-file requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--constraint requirements-dev.lock --extra host setup.cfg --output-file $(VENV)/host.lock
	echo '# What the extra `host` adds to requirements.lock; made by `make lock`.' > requirements-host.lock
	grep -vxFf requirements.lock $(VENV)/host.lock >> requirements-host.lock
	echo '# What the extra `encryption` adds to requirements.lock; made by `make lock`.' > requirements-encryption.lock
	grep '^duckdb-extension-httpfs' requirements-dev.lock >> requirements-encryption.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
