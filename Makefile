# `make demo` and `make test` set everything up by themselves; they need python3 (3.11 to 3.14) and make. TORCH=auto takes the
# PyTorch for this machine's GPU, see Testing/set_up.py.
PYTHON ?= python3
PY := .venv/bin/python
DATA ?= ../shared/data

.PHONY: demo test install uninstall quick fuzz lint docs evaluate benchmark clean

demo: .venv/demo
	$(PY) Testing/demos/demo.py $(if $(SCAN),--scan "$(SCAN)") $(if $(BOX),--box="$(BOX)")

# all tests: two processes, and then alone those that watch the clock
test: .venv/test
	@$(PY) -m pytest -n 2 --dist worksteal -m "not clock"; others=$$?; \
	$(PY) -m pytest -m clock $$(grep -rl --include="test_*.py" mark.clock Testing); clock=$$?; \
	test $$others -eq 0 -a $$clock -eq 0

# after every edit: no training, no process, nothing slow; files that are slow as a whole are not even imported
quick: .venv/test
	$(PY) -m pytest -n 2 --dist worksteal -m "not slow and not clock" $$(grep -rL --include="test_*.py" "^pytestmark = .*mark.slow" Testing)

# damaged inputs of all kinds, for ten minutes; others with SEED=1, longer with MINUTES=60
fuzz: .venv/test
	$(PY) Testing/fuzz --minutes $(or $(MINUTES),10) --seed $(or $(SEED),0) --log fuzz-output.md

lint: .venv/test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

# the commands of both programs on your PATH, by pipx or uv
install:
	@$(PYTHON) Testing/set_up.py install

# takes them away again
uninstall:
	@$(PYTHON) Testing/set_up.py uninstall

# the documentation as a site in site/; a dead link ends it
docs: .venv/test
	$(PY) -m mkdocs build --strict

# the tables of the documentation, from the scans in DATA
evaluate: .venv/test
	.venv/bin/radiomics-persona-train evaluate "$(DATA)" --boxes 2 --output evaluation-output
	.venv/bin/radiomics-persona-train evaluate "$(DATA)" --model tissue --output evaluation-output/tissue
	.venv/bin/radiomics-persona-train evaluate "$(DATA)" --model lesion --groups IXI,MS,BraTS,LGG --output evaluation-output/lesion
	.venv/bin/radiomics-persona-train evaluate-verdict "$(DATA)" --groups IXI,OASIS,MS,BraTS,LGG --output evaluation-output/verdict

# speed and memory as ratios
benchmark: .venv/test
	$(PY) Testing/demos/benchmark.py
	$(PY) Testing/demos/benchmark_training.py
	$(PY) Testing/demos/benchmark_cohort.py

.venv/demo: pyproject.toml requirements-dev.txt
	@$(PYTHON) Testing/set_up.py demo

.venv/test: pyproject.toml requirements-dev.txt requirements-dev-apart.txt
	@$(PYTHON) Testing/set_up.py test

clean:
	rm -rf .venv demo-output evaluation-output fuzz-output.md site build *.egg-info
