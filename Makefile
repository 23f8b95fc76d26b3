# Lens on one machine. Needs Python 3.11 or newer and make; everything else is installed into .venv, nothing outside it.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
RUNTIME := requirements.txt requirements-sandbox.txt
# Loading the settings needs addresses; checking code needs no servers.
NO_SERVERS := DATABASE_URL=postgresql://none@127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1 DJANGO_SECRET_KEY=none

# Without any bytecode every process compiles everything anew, which is most of its start. Who wants none in the tree has it in .venv.
ifdef PYTHONDONTWRITEBYTECODE
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX ?= $(abspath $(VENV))/bytecode
endif

.DEFAULT_GOAL := help
.PHONY: help run demo test lint bench faults soak docs pins clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.runtime ## Start everything, send one sample signal, show its decisions, serve until Ctrl-C
	@$(PY) -m sandbox.run --with-parent

demo: $(VENV)/.runtime ## The same, with a signal every few seconds
	@$(PY) -m sandbox.run --with-parent --demo

# Two workers must name the tests alike, sets in their parameters included: hence one hash seed.
test: $(VENV)/.dev ## The whole test suite, on servers of its own, two files at a time
	@PYTHONHASHSEED=0 $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev ## Style, types, storeys, pending migrations, system checks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(NO_SERVERS) $(PY) -m mypy .
	$(VENV)/bin/lint-imports
	$(NO_SERVERS) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(NO_SERVERS) $(PY) manage.py check

bench: $(VENV)/.dev ## Measure everything into docs/performance.md; asserts nothing
	@$(PY) -m bench --report

faults: $(VENV)/.dev ## The whole fault matrix (half an hour); writes docs/faults.md
	@$(PY) -m tests.faults

HOURS := 2

soak: $(VENV)/.dev ## Hours under load with a fault every minute (HOURS=2); writes docs/soak.md
	@$(PY) -m tests.faults.soak --hours $(HOURS)

docs: $(VENV)/.dev ## The handbook as HTML in docs/_build
	@$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo docs/_build/index.html

pins: $(VENV)/.dev ## Pin the newest versions the *.in files allow, with their hashes
	@for part in uv "" sandbox dev; do file=requirements$${part:+-$$part}; echo "$$file.txt"; \
	  $(PY) -m uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	    $$file.in --output-file $$file.txt || exit 1; done

clean: ## Remove .venv and caches; data stays in .lens until you delete it
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.runtime: $(RUNTIME) requirements-uv.txt | $(PY)
	$(call install,$(RUNTIME))

$(VENV)/.dev: requirements-dev.txt | $(VENV)/.runtime
	$(call install,$(RUNTIME) requirements-dev.txt)

$(PY):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Lens needs Python 3.11 or newer, and $(PYTHON) is " \
	  + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12")'
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# uv installs in seconds where pip takes most of a minute. It does not read pip's configuration, so it is told the index pip would
# use, and if it fails (a proxy, an own certificate, a mirror that wants a password) pip does the work. Hashes are checked either way.
define install
@echo "Installing $(1) …"
@index=$$($(PIP) config list | sed -n "s/^[a-z:]*\.index-url='\(.*\)'$$/\1/p" | head -n 1); \
if $(PIP) install --quiet --require-hashes -r requirements-uv.txt && \
   UV_HTTP_RETRIES=1 $${index:+env UV_DEFAULT_INDEX="$$index"} $(PY) -m uv pip install --quiet --python $(PY) \
     --require-hashes $(addprefix -r ,$(1)); then :; \
else echo "uv could not do it; pip will, more slowly …"; $(PIP) install --quiet --require-hashes $(addprefix -r ,$(1)); fi
@touch $@
endef
