# `make demo` and `make test` set everything up by themselves; they need python3 (3.11 or 3.12) and make.
PYTHON ?= python3
PY := .venv/bin/python
DATA ?= ../shared/data

.PHONY: demo test quick fuzz lint evaluate benchmark clean

demo: .venv/ready
	$(PY) Testing/demos/demo.py $(if $(SCAN),--scan "$(SCAN)") $(if $(BOX),--box="$(BOX)")

# all tests: two processes, and then alone those that watch the clock
test: .venv/ready
	@$(PY) -m pytest -n 2 --dist worksteal -m "not clock"; others=$$?; \
	$(PY) -m pytest -m clock $$(grep -rl --include="test_*.py" mark.clock Testing); clock=$$?; \
	test $$others -eq 0 -a $$clock -eq 0

# after every edit: no training, no process, nothing slow; files that are slow as a whole are not even imported
quick: .venv/ready
	$(PY) -m pytest -n 2 --dist worksteal -m "not slow and not clock" $$(grep -rL --include="test_*.py" "^pytestmark = .*mark.slow" Testing)

# damaged inputs of all kinds, for ten minutes; others with SEED=1, longer with MINUTES=60
fuzz: .venv/ready
	$(PY) Testing/fuzz --minutes $(or $(MINUTES),10) --seed $(or $(SEED),0) --log fuzz-output.md

lint: .venv/ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# the tables of the README, from the scans in DATA
evaluate: .venv/ready
	.venv/bin/radiomics-persona-train evaluate "$(DATA)" --boxes 2 --output evaluation-output
	.venv/bin/radiomics-persona-train evaluate "$(DATA)" --model tissue --output evaluation-output/tissue
	.venv/bin/radiomics-persona-train evaluate "$(DATA)" --model lesion --groups IXI,MS,BraTS,LGG --output evaluation-output/lesion
	.venv/bin/radiomics-persona-train evaluate-verdict "$(DATA)" --groups IXI,OASIS,MS,BraTS,LGG --output evaluation-output/verdict

# speed and memory as ratios
benchmark: .venv/ready
	$(PY) Testing/demos/benchmark.py
	$(PY) Testing/demos/benchmark_training.py
	$(PY) Testing/demos/benchmark_cohort.py

.venv/ready: pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] in ((3, 11), (3, 12)) else "This needs Python 3.11 or 3.12; name one with: make PYTHON=python3.12 ...")'
	@echo "Setting up .venv, once; this takes a few minutes."
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch .venv/ready

clean:
	rm -rf .venv demo-output evaluation-output fuzz-output.md build *.egg-info
