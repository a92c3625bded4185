# `make` lists the targets. Everything runs from .venv, which `make setup` builds.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Of the two environments; looked for, or downloaded, where nothing is said.
PYTHON ?=
PYTHON_TF ?= $(shell $(bin)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null && echo $(bin)/python)
# Free disk that they need, GB.
NEEDED_GB ?= 8
# Whole files, the longest first: what the tests of a file share is made once.
PYTEST_FLAGS ?= -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

bin := .venv/bin
with_path := PATH="$$PWD/$(bin):$$PATH"
code := $(wildcard method baselines pipelines tests)

# For tests that train in pytest's own processes: programs that train set it themselves.
allocator = GLIBC_TUNABLES=$$($(bin)/python -c 'from pipelines.system.allocator import ALLOCATOR; print(ALLOCATOR)')

# Named after what the requirements say, not after their dates: a clone can share an environment.
# Written last, so that an interrupted set-up leaves none and is repeated.
hash_of = $(shell cat $(patsubst %,requirements/%.txt,$(1)) | git hash-object --stdin | cut -c 1-16)
installed := .venv/.installed-$(call hash_of,boot detectron2 main)
installed_tf := .venv-tf/.installed-$(call hash_of,tensorflow)

# Without the byte code that the first import writes, every process compiles torch anew: 5 seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-tf rival repro verify test lint release bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s  %s\n", $$1, $$2 }' Makefile

setup: $(installed) ## build the environment in .venv (once; again when requirements/*.txt change)

setup-tf: $(installed_tf) ## build TensorFlow's environment in .venv-tf (for one of the rivals)

rival: setup
	@$(MAKE) --no-print-directory setup-tf || echo "Note: without TensorFlow's environment, its rival (ssd-mobilenet-v2-tf) is left out" >&2

repro: rival ## make the study, say how far it agrees with what is committed (UPDATE=1: let it take its place)
	@git rev-parse --git-dir > /dev/null 2>&1 || $(bin)/python -m dvc config --local core.no_scm true
	$(bin)/python -m pipelines.agreement quick --keep
	$(with_path) python -m pipelines.launch quick
	$(bin)/python -m pipelines.agreement quick $(if $(UPDATE),--update)

verify: setup ## recompute the committed results (FAST=1: checksums and ledger alone; PROFILE=quick: one study)
	OMP_NUM_THREADS=1 $(bin)/python -m pipelines.verify $(if $(FAST),--fast) $(PROFILE)

test: lint rival ## lint, then every test, the slow ones too
	$(allocator) OMP_NUM_THREADS=1 $(bin)/python -m pytest $(PYTEST_FLAGS)

lint: setup ## check style and format (ruff), and types (mypy)
	$(bin)/python -m ruff check
	$(bin)/python -m ruff format --check
	$(bin)/python -m mypy $(code)

release: setup ## pack models to take away in release/, with cards and checksums (PROFILE=quick: of which study)
	$(bin)/python -m pipelines.release $(foreach run,best-recipe-s0 lapnet-s0,results/$(or $(PROFILE),quick)/trained/$(run))

bench: setup ## what this machine does well in training: bf16 against fp32, threads, starts, the loop
	$(with_path) python -m pipelines.benchmark

lock: setup ## compile requirements/*.in to *.txt (UPGRADE=1 takes newer versions)
	$(call compile,boot,3.11 $(x86_linux))
	$(call compile,main,3.11 --universal)
	$(call compile,detectron2,3.10 $(x86_linux) --no-deps)
	$(call compile,tensorflow,3.11 $(x86_linux))

clean: ## remove the environments, caches and checkpoints; data and results stay
	rm -rf .boot .venv .venv-tf .checkpoints .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find method baselines pipelines tests -name __pycache__ -prune -exec rm -rf {} + 2> /dev/null || true

define compile
$(bin)/python -m uv pip compile --quiet --no-header --no-annotate --generate-hashes $(if $(UPGRADE),--upgrade) \
	--python-version $(2) --output-file requirements/$(1).txt requirements/$(1).in
endef

x86_linux := --python-platform x86_64-manylinux_2_28
install = $(bin)/python -m uv pip install --quiet --python $(1)/bin/python --require-hashes

$(installed):
	@command -v git > /dev/null || { echo "git is missing; on Debian or Ubuntu: sudo apt-get install git" >&2; exit 1; }
	@free=$$(($$(df -Pk . | awk 'END { print $$4 }') / 1000000)); test $$free -ge $(NEEDED_GB) || { echo "Both environments take $(NEEDED_GB) GB of disk, and $$free are free in $$PWD; if that will do: make setup NEEDED_GB=$$free" >&2; exit 1; }
	@python=$$(PYTHON="$(PYTHON)" requirements/python.sh 3.11 3.12 3.13) || { echo "Python 3.11, 3.12 or 3.13 with its venv module is missing; on Debian 12 or 13 or Ubuntu 24.04: sudo apt-get install python3 python3-venv (or say where one is: make setup PYTHON=...)" >&2; exit 1; }; \
	set -x; rm -rf .venv; "$$python" -m venv .venv
	$(bin)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/boot.txt
	$(call install,.venv) --build-constraints requirements/main.txt -r requirements/main.txt
	$(call install,.venv) --no-deps --python-version 3.10 $(x86_linux) --target $$($(bin)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') -r requirements/detectron2.txt
	$(bin)/python -W ignore -c 'import detectron2.model_zoo, torch, torchvision; torchvision.ops.nms(torch.ones(1, 4), torch.ones(1), 0.5)'
	@touch $@

# A set-up that fails leaves nothing: where there is an environment, the rival is trained.
$(installed_tf): | $(installed)
	@test "$$(uname -sm)" = "Linux x86_64" || { echo "TensorFlow's environment is for Linux on x86-64 alone" >&2; exit 1; }
	@python=$$(PYTHON="$(PYTHON_TF)" requirements/python.sh 3.11) || { echo "Python 3.11, which TensorFlow's environment needs, is missing and cannot be downloaded (say where one is: make setup-tf PYTHON_TF=...)" >&2; exit 1; }; \
	trap 'rm -rf .venv-tf' ERR; set -Ex; rm -rf .venv-tf; "$$python" -m venv .venv-tf; \
	$(call install,.venv-tf) --build-constraints requirements/tensorflow.txt -r requirements/tensorflow.txt; \
	.venv-tf/bin/python -W ignore -c 'import object_detection, tensorflow' 2> /dev/null; \
	touch $@
