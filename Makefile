# make run: set up, index the samples, serve.   make test: every check.   make: this list.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR ?= .home
PORT ?= 8000

.PHONY: help install run test axe screenshots bench clean
help:
	@echo "make run      set up, index the sample documents and serve http://127.0.0.1:$(PORT)"
	@echo "make install  make $(VENV) with the khazri command in it"
	@echo "make test     install what tests need, and run them all"
	@echo "make axe      fetch the accessibility checker that the browser tests use (needs npm)"
	@echo "make screenshots  each page for docs/screenshots, wide and narrow, light and dark"
	@echo "make bench    the figures, in short form"
	@echo "make clean    remove what make made (the documents' home stays)"

# Each stamp stands for one install: it is made again only when what it depends on has changed.
$(VENV)/run.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable .
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[test]'
	touch $@

install: $(VENV)/run.stamp

run: install
	$(BIN)/khazri --home $(HOME_DIR) index samples
	$(BIN)/khazri --home $(HOME_DIR) serve --port $(PORT)

test: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

axe:
	npm ci --prefix tests/axe --no-audit --no-fund --loglevel=error

screenshots: $(VENV)/test.stamp
	$(BIN)/python tools/screenshots.py

bench: $(VENV)/test.stamp
	$(BIN)/python bench/speed.py --passages 2000
	test ! -d "$${KHAZRI_DATA:-../shared/data}" || $(BIN)/python bench/quality.py --questions 300

clean:
	rm -rf $(VENV) build tests/axe/node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
