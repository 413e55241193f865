# make serve: set up, and serve on PORT.    make test: set up, and run every check.    make bench: measure.    make pictures: the README's.

PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin
# The first Python that this project runs on; PYTHON=... names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo $$python; break; }; done)

export BENTOML_DO_NOT_TRACK ?= True
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.PHONY: serve test lint bench pictures clean

serve: $(VENV)/.serve ## Serve on PORT; the model store gets the embedded default if it has no model.
	$(BIN)/bentoml serve --port $(PORT)

test: $(VENV)/.test lint ## Lint, check the types, and run all tests.
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.test ## Measure everything beside the old design; URL=... measures a server that runs already.
	$(BIN)/python -m benchmarks $(if $(URL),--url $(URL) --out build/bench)

pictures: $(VENV)/.test ## Make the README's pictures anew with the service at URL (default: http://localhost:PORT).
	$(BIN)/python -m docs.screenshot --url $(or $(URL),http://localhost:$(PORT))
	$(BIN)/python -m docs.footage build/sample.mp4
	$(BIN)/emotion video build/sample.mp4 --out build/sample.csv --plot docs/timeline.png --overwrite \
		--url $(or $(URL),http://localhost:$(PORT))

clean: ## Remove what the other targets made.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.10 to 3.13 is needed, and none was found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml | $(BIN)/python
	@echo "Installing what serving and the clients need (about 250 MB, once) ..."
	$(BIN)/pip install --quiet --editable '.[clients]'
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.serve
	@echo "Installing what the tests need (PyTorch is several GB, once) ..."
	$(BIN)/pip install --quiet --editable '.[test]'
	@touch $@
