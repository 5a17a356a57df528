# Two commands for a newcomer: `make demo` and `make test`. Both work from a clean clone with Python 3.11+.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SRC    := src tests benchmarks docs/hooks
# Tests that share an expensive fixture stay on one of two workers, see tests/conftest.py.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
# Compiled modules are kept, whatever the environment says: tests start hundreds of processes that import them.
TESTING := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=

PAGES := src/steelsight/service/pages

.PHONY: docs words bundles bundle-fast bundle-accurate demo console test check format lint static types imports pytest coverage test-plant test-long release-check bench clean

# constraints.txt pins the versions this tree was measured with; pyproject.toml declares what it accepts.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The plant, without torch, and the generator of the demo's sheets. A computer beside the line needs no extra.
$(VENV)/.plant: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[synth]'
	touch $@

# The plant's tests without torch, in an environment of their own.
$(VENV)-plant/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-plant
	$(VENV)-plant/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

demo: $(VENV)/.plant  ## generate sheets, scan them with the model that comes along, write a report
	$(BIN)/steelsight demo --out demo

console: $(VENV)/.installed  ## a generated coil runs live; the console opens at the printed address
	$(BIN)/steelsight console --out demo-console

# The type checker uses one core: it runs beside the tests.
test: lint  ## everything CI runs
	$(MAKE) --no-print-directory -j 2 static pytest

static: types imports

check: format test  ## what to run before a commit

format: $(VENV)/.installed
	$(BIN)/ruff format $(SRC)
	$(BIN)/ruff check --fix $(SRC)

lint: $(VENV)/.installed
	$(BIN)/ruff format --check $(SRC)
	$(BIN)/ruff check $(SRC)
	$(BIN)/vulture

types: $(VENV)/.installed
	$(BIN)/mypy

imports: $(VENV)/.installed
	$(BIN)/lint-imports

pytest: $(VENV)/.installed
	$(TESTING) $(BIN)/pytest $(PARALLEL) -m 'not long'

coverage: $(VENV)/.installed  ## the same tests with branch coverage; fails below the threshold in pyproject.toml
	$(TESTING) $(BIN)/pytest $(PARALLEL) -m 'not long' --cov --cov-report=term

test-plant: $(VENV)-plant/.installed  ## the plant's tests, without torch
	$(TESTING) $(VENV)-plant/bin/pytest $(PARALLEL) -m 'not long'

test-long: $(VENV)/.installed  ## long statistics, trainings and attacks; writes docs/results/hardening.md
	$(BIN)/pytest -m long -o faulthandler_timeout=7200  # the whole learning loop is one test
	$(BIN)/python benchmarks/hardening.py build/hardening docs/results/hardening.md
	$(BIN)/python benchmarks/service.py --prepare build/service/list.db

release-check: $(VENV)/.installed  ## wheel and sdist twice, empty environments, SBOMs, licences; writes docs/results/release.md
	$(BIN)/python benchmarks/release_check.py

# Trains and exports the bundles that come with the package, on generated sheets alone: one target a bundle.
# The weights of each are kept for `model.pretrained = steel` too.
bundles: bundle-fast bundle-accurate

SHEETS := build/default/big
FRESH  := build/default/b
SHARES := --shares .32,.17,.17,.17,.17 --stain-given-none .12 --stain-given-defect .06 --plate-given-none .12
BUNDLE := --task multiclass --fresh --seed 7 --set balance.power=1.0 --set augment.camera_noise=8.0 \
  --set augment.blur=0.1 --set split.train=.8 --set split.validation=.05 --set split.test=.15

bundle-fast: $(VENV)/.installed
	$(BIN)/steelsight synth $(SHEETS) --count 6000 --seed 31 $(SHARES) --force
	$(BIN)/steelsight train $(SHEETS) --out build/default/fast $(BUNDLE) --epochs 16 \
	  --set loss.masks=1.0 --set learning_rate=0.001 --set places.hidden=16
	$(BIN)/steelsight export build/default/fast --data $(SHEETS) \
	  --out src/steelsight/runtime/bundles/fast --risk .05 --probes 12
	$(BIN)/python -m steelsight.models.steel_file build/default/fast \
	  src/steelsight/models/steel/squeezenet_reduced.safetensors

# Needs ImageNet's weights of EfficientNet-Lite0. The features, those of `fast` among them, stay as they are:
# a head is fitted to sheets that they have not learnt from.
bundle-accurate: $(VENV)/.installed
	$(BIN)/steelsight synth $(FRESH) --count 2500 --seed 32 $(SHARES) --force
	$(BIN)/steelsight train $(FRESH) --out build/default/accurate --recipe accurate $(BUNDLE) --epochs 0 \
	  --set loss.masks=0.5 --set model.name=two_scales --set model.pretrained=steel \
	  --set model.pooling=average+max --set probe.enabled=true --set probe.copies=2 --set probe.penalty=3.0 \
	  --set places.hidden=64
	$(BIN)/steelsight export build/default/accurate --data $(FRESH) \
	  --out src/steelsight/runtime/bundles/accurate --risk .05 --probes 12

bench: $(VENV)/.installed  ## speed as ratios against the usual way; run nothing else meanwhile
	for file in $(filter-out $(addprefix benchmarks/,house.py golden.py hardening.py console_pictures.py learning_loop.py cluster.py release_check.py),$(wildcard benchmarks/*.py)); do \
	  $(BIN)/python $$file || exit 1; done

docs: $(VENV)/.installed  ## the documentation site in build/site; every warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

words: $(VENV)/.installed  ## find the console's messages, add them to its catalogs, compile those
	mkdir -p build && cd $(PAGES) && for language in en de; do mkdir -p locale/$$language/LC_MESSAGES; done
	cd $(PAGES) && $(abspath $(BIN))/pybabel -q extract -F locale/babel.cfg -k N_ -k words -k _ --sort-output \
	  --no-location -o $(abspath build)/console.pot . ../access ../wording
	for language in en de; do $(BIN)/pybabel -q update -D console -N -w 110 --ignore-pot-creation-date -l $$language -i build/console.pot \
	  -d $(PAGES)/locale && $(BIN)/pybabel compile -D console -l $$language -d $(PAGES)/locale; done

clean:
	rm -rf $(VENV) $(VENV)-plant demo demo-console build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
