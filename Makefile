# make app          the dashboard, in a browser                     make test     the tests
# make checkpoints  train what the shipped single runs lack         make check    format, lint, types, and the tests
# make evidence     train what the shipped studies lack (hours)     make bench    the measured claims
# Needs Python 3.11 or newer, nothing else: the first call makes .venv and installs what is required.

PYTHON ?= python3
PORT ?= 8501
HOST ?= localhost
JOBS ?= 2
ONLY ?=

BIN := .venv/bin

.PHONY: app test check lint bench screenshots checkpoints evidence photographs sealed examples clean

app: .venv/installed
	$(BIN)/python -m streamlit run app.py --server.address $(HOST) --server.port $(PORT)

test: .venv/installed-dev
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "$(ONLY)"

check: lint test

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# benchmarks/photos.py is not among them: it needs a folder of photographs.
BENCHMARKS := speed step pages cold_start visitors growth watching kills photo_speed ray_runs

bench: .venv/installed-dev
	@for name in $(BENCHMARKS); do echo "== $$name"; PYTHONPATH=.:tests $(BIN)/python benchmarks/$$name.py || exit 1; done

screenshots: .venv/installed-dev
	PYTHONPATH=.:tests $(BIN)/python docs/screenshots.py docs/screenshots

# Existing runs are kept: to train all of them again, for hours, run `rm -r checkpoints` first.
checkpoints: .venv/installed
	$(BIN)/python -m gpcore study --store checkpoints --recipe article,modern,photo --pools gap,gmp --seeds 0
	for recipe in article modern photo; do for pool in gap gmp; do \
	  $(BIN)/python -m gpcore calibrate checkpoints/$$recipe-$$pool-seed0 || exit 1; done; done
	$(MAKE) sealed
	$(BIN)/python -m gpcore runs --store checkpoints

# The shipped studies: missing runs are trained, and the last epoch's weights are kept. They have few epochs, since a difference
# between poolings needs many seeds and appears early: seven seeds or more where a verdict is possible (with Holm's correction for
# three heads), otherwise five. MNIST is downloaded; a folder of images must exist. On a canvas, the article's first weights stay
# at chance within these epochs; Kaiming's in smaller batches don't, with most seeds.
STUDY := $(BIN)/python -m gpcore study --store checkpoints --recipe modern
CANVAS := $(STUDY) --epochs 5 --set train_images=10000 --set initialisation=kaiming --set batch_size=32

evidence: .venv/installed
	$(STUDY) --epochs 5 --pools gap,gmp --seeds 0-9
	$(STUDY) --epochs 5 --pools mlp,gem --seeds 0-6
	$(STUDY) --epochs 5 --pools lse,avgmax,attention,mlp-dropout --seeds 0-4
	$(STUDY) --epochs 5 --pools gap --seeds 0-4 --set precision=bfloat16
	$(BIN)/python -m gpcore study --store checkpoints --recipe augmented --pools gap --seeds 0-4
	$(STUDY) --epochs 3 --pools gap,gmp,lse,gem --seeds 0-4 --datasets mnist
	$(CANVAS) --pools gap,gmp,lse --seeds 0-2 \
	  --datasets canvas:5:8,canvas:10:8,canvas:25:8,canvas:100:8,canvas:10:0,canvas:10:24
	$(STUDY) --epochs 5 --pools gap,gmp,lse,gem --seeds 0-4 --datasets folder:data/cifar10-jpeg
	$(MAKE) sealed

# Heads on a pretrained network, for photographs of clothes: two minutes of features, then seconds a run.
photographs: .venv/installed
	$(BIN)/python -m gpcore study --store checkpoints --recipe photographs --pools all --seeds 0-9
	for run in checkpoints/clothes-photographs-*; do $(BIN)/python -m gpcore calibrate $$run || exit 1; done
	$(MAKE) sealed

sealed: .venv/installed
	$(BIN)/python -m gpcore seal --store checkpoints

# The pictures of the Classify page, from FashionMNIST test items.
examples: .venv/installed
	$(BIN)/python -m gpcore.data.examples examples

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "Poolscope needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	         "Name another one: make app PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps make every later call instant.
.venv/installed: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt requirements-ray.txt .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@
