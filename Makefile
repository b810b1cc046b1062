# Everything sets itself up: `make demo` and `make test` are all that a fresh machine needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENV := . $(BIN)/activate &&
DEMO := baseline plain_ae no_dispersive no_adversary
# the other questions take minutes a run
ASKED := quality,pitch,intelligibility,speaker,latents,latent_noise,interpolation
PORT ?= 5000
# what `accelerate launch` would choose here by itself, said so that it does not warn of choosing
LAUNCH := accelerate launch --quiet --num_processes 1 --num_machines 1 --mixed_precision no \
    --dynamo_backend no

.PHONY: help setup corpus demo test bench report report-pdf lint mlflow clean

help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## Install FFmpeg's libraries where allowed, and the Python packages

$(VENV)/.ready: pyproject.toml constraints.txt setup.sh
	./setup.sh $(PYTHON) $(VENV)
	@touch $@

demo: setup  ## Train the baseline and three ablations on real speech, score them, write the report
	@$(ENV) for ablation in $(DEMO); do \
	    $(LAUNCH) experiments/run.py ablation=$$ablation || exit $$?; done
	@$(ENV) python -m analysis $(DEMO:%=runs/tiny/%/seed0) --clips 40 --robustness-clips 8 --only $(ASKED)
	@$(ENV) python -m reports.build
	@echo "Open reports/out/index.html in a browser; 'make mlflow' compares the runs."

test: setup  ## Run all tests
	@$(ENV) pytest

bench: setup  ## Time training beside the published way, and inference: some minutes
	@$(ENV) python -m experiments.benchmark train --against published --steps 6
	@$(ENV) python -m experiments.benchmark inference --sizes tiny base --vocoders griffin_lim --repeats 3

report: setup  ## Write reports/out/index.html from all runs that were analysed
	@$(ENV) python -m reports.build

report-pdf: setup  ## Write reports/out/report.pdf as well, with LaTeX
	@$(ENV) python -m reports.build --pdf

lint: setup  ## Check style and types
	@$(ENV) ruff check . && ruff format --check . && mypy

mlflow: setup  ## Open the MLflow UI on the loopback address
	@$(ENV) mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db} \
	    --host 127.0.0.1 --port $(PORT)

clean:  ## Remove runs, reports and MLflow's store; the corpus and the environment stay
	rm -rf runs reports/out mlruns mlflow.db .pytest_cache .mypy_cache .ruff_cache
