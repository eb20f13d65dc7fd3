# Every target works from a fresh clone with Python >= 3.11, pip and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TEST_ARGS ?=
DEMO_ARGS ?=
NIGHTLY_ARGS ?=
BOARD_ARGS ?=

.PHONY: help demo test check format days bench bench-against leaderboard nightly second-opinion clean
help:
	@echo "make demo    start the simulated home and the server (API 127.0.0.1:7070, MQTT 127.0.0.1:1883)"
	@echo "make test    all tests, in parallel"
	@echo "make check   format, lint, types"
	@echo "make days    simulated days: in process, and every scenario full stack"
	@echo "make bench   the benchmarks; make bench-against REF=COMMIT: beside another build"
	@echo "make leaderboard  laws and other systems in the same worlds, 20 seeds each: docs/leaderboard.md (half an hour on two cores)"
	@echo "make nightly 4,000 examples of every property, changed constants, kills before every step, weeks full stack, 200 seeds (hours)"
	@echo "make second-opinion  the same days in ACN-Sim, in an environment of its own"

# One virtual environment, rebuilt only when what it depends on changes.
$(VENV)/.demo: pyproject.toml constraints.txt
	@echo "== creating $(VENV) with server and simulator (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[server,sim]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@echo "== creating $(VENV) with everything the tests need (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	@echo "== starting the simulated home and the server"
	@$(BIN)/evcc-sim demo $(DEMO_ARGS)

# Whole simulated days by the dozen are the business of `days`, changed constants that of `nightly`.
test: $(VENV)/.dev
	@echo "== running the tests"
	@$(BIN)/python -m pytest -n auto --dist loadscope -m 'not day and not mutant' $(TEST_ARGS)

check: $(VENV)/.dev
	@echo "== format and lint"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@echo "== types"
	@$(BIN)/mypy
	@# pytest.approx equals what its type does not; what a call has changed behind mypy's back is not unreachable
	@$(BIN)/mypy --no-strict-equality --no-warn-unreachable tests
	@echo "== types of what the README and docs/examples show"
	@$(BIN)/python tests/docs_code.py
	@echo "== import arrows"
	@$(BIN)/python -m pytest tests/test_import_arrows.py

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

days: $(VENV)/.dev
	@echo "== simulated days in process"
	@$(BIN)/python -m pytest -n auto -m day
	@echo "== every scenario, full stack, virtual time"
	@$(BIN)/evcc-sim days

# Runs are remembered in build/: whoever stops it goes on with what is missing. BOARD_ARGS changes what is run.
leaderboard: $(VENV)/.dev
	@mkdir -p build
	@$(BIN)/evcc-sim leaderboard --kept build/leaderboard.jsonl $(BOARD_ARGS)

# Every part is run whatever the others say, and the last lines say how each went. NIGHTLY_ARGS makes it shorter.
nightly: $(VENV)/.dev
	@$(BIN)/evcc-sim nightly $(NIGHTLY_ARGS)

# ACN-Sim wants an older numpy than we do.
$(VENV)-acn/.ready: pyproject.toml
	@echo "== creating $(VENV)-acn with ACN-Sim (once)"
	@test -x $(VENV)-acn/bin/python || $(PYTHON) -m venv $(VENV)-acn
	@$(VENV)-acn/bin/python -m pip install --quiet --disable-pip-version-check -e '.[sim]' pytest pytest-timeout hypothesis acnportal==0.3.3 'numpy<2' 'pandas<2.3'
	@touch $@

second-opinion: $(VENV)-acn/.ready
	@echo "== ACN-Sim on the same days"
	@$(VENV)-acn/bin/python -m pytest -W default tests/second_opinion

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks

# make bench-against REF=3db78f4: that commit and this tree in turns. BENCH_ARGS="step day --rounds 5" picks.
bench-against: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.against $(or $(REF),$(error REF is missing: a commit, tag or branch)) $(BENCH_ARGS)

clean:
	@rm -rf $(VENV) $(VENV)-acn .mypy_cache .ruff_cache .pytest_cache .hypothesis
