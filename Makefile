# Everything sets itself up: `make demo` and `make test` are all that a fresh machine needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENV := . $(BIN)/activate &&
PORT ?= 5000

.PHONY: help setup corpus demo peers test check chaos bench report report-pdf reference lint mlflow clean

help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## Install FFmpeg's libraries where allowed, and the Python packages

$(VENV)/.ready: pyproject.toml constraints.txt setup.sh
	./setup.sh $(PYTHON) $(VENV)
	@touch $@

demo: setup  ## Train three seeds of three systems on real speech, test their claims, report; resumes
	@$(ENV) python -m experiments.study study=demo
	@$(MAKE) --no-print-directory peers
	@echo "Open reports/out/index.html in a browser; 'make mlflow' compares the runs."

PEERS := opus@6k opus@12k codec2@1300 codec2@3200 speex@24k gsm
CLIPS := 16
SCORED := runs/demo/baseline/seed0

peers: setup  ## Score classical codecs on the demo's clips, and put them into the report
	@$(ENV) python -m analysis $(PEERS:%=--system ffmpeg:%) --manifest $(SCORED) --clips $(CLIPS) \
	    --only quality
	@$(ENV) python -m reports.build

test: setup  ## Run all tests, on two cores: three at once, since a quarter of their time is waiting
	@$(ENV) OMP_NUM_THREADS=1 DCVAE_THREADS=1 pytest -n 3 --dist loadfile --no-loadscope-reorder

bench: setup  ## Time training and loading beside the published way, and inference: some minutes
	@$(ENV) python -m experiments.benchmark train --against published --steps 6
	@$(ENV) python -m experiments.benchmark data --turns 3
	@$(ENV) python -m experiments.benchmark inference --sizes tiny base --vocoders griffin_lim --repeats 3

report: setup  ## Write reports/out/index.html from all runs that were analysed
	@$(ENV) python -m reports.build

report-pdf: setup  ## Write reports/out/report.pdf as well, with LaTeX
	@$(ENV) python -m reports.build --pdf

REBUILT := build/reference
KEPT := reports/reference
LARGEST := 300k

reference: setup  ## Rebuild the reference study's verdicts, page and figures from its kept tables
	@rm -rf $(REBUILT)
	@$(ENV) python -m analysis.archive restore $(KEPT) --runs $(REBUILT)/runs
	@$(ENV) python -W ignore -m reports.build $(REBUILT)/runs --study reference --out $(REBUILT)/report
	@cp $(REBUILT)/runs/studies/reference/{statistics,claims,interactions,budget_changes}.csv \
	    $(REBUILT)/runs/studies/reference/statistics.json $(KEPT)
	@rm -rf $(KEPT)/figures && mkdir $(KEPT)/figures
	@find $(REBUILT)/report/figures -name '*.svg' -size -$(LARGEST) -exec cp {} $(KEPT)/figures \;
	@git status --short -- $(KEPT)  # nothing, where all is byte for byte what was kept
	@echo "Open $(REBUILT)/report/index.html in a browser; the verdicts are in $(KEPT)/claims.csv."

chaos: setup  ## Kill a study ten times, and compare it with one that was not
	@$(ENV) DCVAE_KILLS=10 DCVAE_THREADS=1 pytest tests/test_chaos.py

check: lint  ## Style, types and the quick tests: a minute and a half, for who is at work
	@$(ENV) OMP_NUM_THREADS=1 DCVAE_THREADS=1 pytest -n 2 -m "not slow"

lint: setup  ## Check style and types
	@$(ENV) ruff check . && ruff format --check . && mypy

mlflow: setup  ## Serve MLflow on the loopback address, and print where each study's runs are
	@$(ENV) python -m experiments.tracking ui --port $(PORT)

clean:  ## Remove runs, reports and MLflow's store; the corpus and the environment stay
	rm -rf runs build/reference reports/out mlruns mlflow.db .pytest_cache .mypy_cache .ruff_cache
