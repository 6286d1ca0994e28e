# make            the default trial, params/mair.yaml, into build/mair/
# make help       every target
PYTHON ?= python3
N ?= 200
VENV := .venv
PY := $(VENV)/bin/python
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

# What a user may give; its text reaches commands through the environment, whatever it holds.
GIVEN := PARAMS OUT BLIND A B N DATA GRID NEW FILE DIR PAPER SCHEDULER
ALLOWED := $(GIVEN) PYTHON LAB_ARGS SHELL
UNKNOWN := $(filter-out $(ALLOWED),$(foreach v,$(.VARIABLES),$(if $(filter command,$(origin $v)),$v)))
$(if $(UNKNOWN),$(error unknown: $(UNKNOWN); a target takes $(ALLOWED) (make help)))
$(foreach v,$(GIVEN),$(eval override $v := $$(value $v)))
export $(GIVEN)
CLUSTER = $${SCHEDULER:+--scheduler} $${SCHEDULER:+"$$SCHEDULER"}
NEEDS = @test -n "$$$(1)" || { echo "make $@: $(1)= is missing, $(2)" >&2; exit 2; }

.DEFAULT_GOAL := default
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

default: setup  ## the default trial into build/mair/ (what plain `make` does)
	@$(PY) -m mair run params/mair.yaml

run: setup  ## any trial: make run PARAMS=my/trial.yaml [OUT=dir] [BLIND=1, arms shuffled]
	$(call NEEDS,PARAMS,a trial file)
	@$(PY) -m mair run $(if $(filter-out 0 no false,$(BLIND)),--blind) $${OUT:+--out} $${OUT:+"$$OUT"} -- "$$PARAMS"

new: setup  ## a draft of a trial file from a data file: make new DATA=my.sav OUT=my/trial.yaml
	$(call NEEDS,DATA,a data file)
	$(call NEEDS,OUT,the trial file to write)
	@$(PY) -m mair new --out "$$OUT" -- "$$DATA"

all: setup  ## every trial file in params/, each into build/<its name>/, and build/index.html
	@$(PY) -m mair all

check: setup  ## reads and validates, runs nothing: make check PARAMS=my/trial.yaml
	$(call NEEDS,PARAMS,a trial file)
	@$(PY) -m mair check -- "$$PARAMS"

paper: setup  ## a template for a paper's tables, NEW=my/paper.xlsx; its audit, FILE=my/paper.xlsx [OUT=dir]
	@$(PY) -m mair paper $${NEW:+--new} $${NEW:+"$$NEW"} $${OUT:+--out} $${OUT:+"$$OUT"} -- $${FILE:+"$$FILE"}

lock: setup  ## writes a trial file's choices and their hash beside it: make lock PARAMS=my/trial.yaml
	$(call NEEDS,PARAMS,a trial file)
	@$(PY) -m mair lock -- "$$PARAMS"

papers: setup  ## one table over the entered papers of a folder: make papers DIR=my/papers [OUT=dir]
	$(call NEEDS,DIR,a folder of entered papers)
	@$(PY) -m mair papers $${OUT:+--out} $${OUT:+"$$OUT"} -- "$$DIR"

compare: setup  ## the rows that differ between two runs: make compare A=build/x B=build/y
	$(call NEEDS,A,the output of a run)
	$(call NEEDS,B,the output of another)
	@$(PY) -m mair compare -- "$$A" "$$B"

size: setup  ## true size and coverage of each inference at a trial's n: make size PARAMS=… [OUT=dir]
	$(call NEEDS,PARAMS,a trial file)
	@$(PY) -m mair size $(CLUSTER) $${OUT:+--out} $${OUT:+"$$OUT"} -- "$$PARAMS"

power: setup  ## power over a grid of designs: make power PARAMS=… GRID=grid.yaml [OUT=dir]
	$(call NEEDS,PARAMS,a trial file)
	$(call NEEDS,GRID,a grid of designs)
	@$(PY) -m mair power $(CLUSTER) --grid "$$GRID" $${OUT:+--out} $${OUT:+"$$OUT"} -- "$$PARAMS"

test: setup  ## the whole test suite
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lab: setup  ## JupyterLab with the list of notebooks, which open as notebooks
	@JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" JUPYTER_PREFER_ENV_PATH=1 $(PY) -m jupyterlab --notebook-dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/index.md $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

audit: setup  ## the gate: fails when a published number that was reproduced no longer is
	@$(PY) -m mair audit

cohort: setup  ## the synthetic cohort mair/data/mair_synthetic.csv; or an entered paper's: PAPER=my/paper.xlsx [OUT=dir]
	@$(PY) -m mair cohort $${PAPER:+--paper} $${PAPER:+"$$PAPER"} $${PAPER:+$${OUT:+--out}} $${PAPER:+$${OUT:+"$$OUT"}}

cohorts: setup  ## further cohorts, seeds 1 to N, into build/cohorts/: make cohorts N=200
	@$(PY) -m mair cohorts $(CLUSTER) --n "$$N"

simulate: setup  ## the simulation tables of mair/data/simulation.csv, from one seed
	@$(PY) -m mair simulate $(CLUSTER)

campaign: setup  ## the audit's fault campaign, mair/data/campaign.csv, from one seed
	@$(PY) -m mair campaign $(CLUSTER)

bench: setup  ## the benchmark, printed and written to build/bench.json
	@$(PY) -m mair bench

verify-r: setup  ## compares with R where Rscript with lme4, lmerTest and pbkrtest exists
	@$(PY) -m mair verify-r

lint: setup  ## style and layering: ruff, and the contracts of pyproject.toml
	@$(PY) -m ruff check .
	@$(VENV)/bin/lint-imports --no-logo

count: setup  ## code lines by folder, without blanks, comments and docstrings
	@$(PY) tests/count.py

screenshot: default  ## docs/screenshot.png, the first screen of the default report, by chromium
	@$(PY) tests/screenshot.py

mutants: setup  ## planted faults, and how many of them the tests see
	@$(PY) tests/mutants.py

requirements:  ## regenerates requirements.lock from pyproject.toml (needs uv); then environment.yml by hand
	uv pip compile --generate-hashes --universal --python-version 3.11 --no-header --no-annotate --extra dev pyproject.toml -o requirements.lock

# The environment is current when its copies of lock and pyproject equal ours: contents, not times.
setup:  ## .venv, when missing or stale (run by every target that needs it)
	@if ! { cmp -s requirements.lock $(VENV)/requirements.lock && cmp -s pyproject.toml $(VENV)/pyproject.toml \
	     && $(PY) -c 'import mair, sys, pathlib; sys.exit(pathlib.Path(mair.__file__).parents[1] != pathlib.Path.cwd())' 2>/dev/null; }; then \
	  set -e; \
	  $(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv with ensurepip is missing: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }; \
	  echo "setting up $(VENV), once, from $$(grep -c '^[a-z].*==' requirements.lock) pinned packages: a minute or two"; \
	  echo "[1/4] an empty environment"; $(PYTHON) -m venv --clear $(VENV); \
	  echo "[2/4] packages, each download checked against its hash"; \
	  { $(PY) -m pip install --disable-pip-version-check --no-compile --require-hashes -r requirements.lock \
	    || touch $(VENV)/failed; } | awk -v live="$$([ -t 2 ] && echo 1)" \
	    'live && /^Collecting/ {printf "\r\033[K%d %s", ++n, $$2; fflush()} live && /^Installing/ {printf "\r\033[Kinstalling"; fflush()} END {if (live) print ""}'; \
	  test ! -e $(VENV)/failed; \
	  echo "[3/4] this package"; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --no-build-isolation -e .; \
	  echo "[4/4] compiling"; $(PY) -m compileall -q -j 0 $(VENV)/lib mair >/dev/null || true; \
	  cp requirements.lock pyproject.toml $(VENV)/; \
	fi

clean:  ## removes build/ (not .venv)
	rm -rf build

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 22
