.DEFAULT_GOAL := help
SHELL  := /bin/bash
VENV   ?= .venv
RUN    := $(VENV)/bin/
PYTHON ?= $(or $(firstword $(shell command -v python3 python3.11)),python3)
ARGS   ?=
SEEDS  ?= 0:2000
TUS    := tests/support/tus
ROOTS  := .servers

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: $(VENV)/.run ## Dock simulated cameras and show the page (ARGS=--once ends by itself)
	$(RUN)dock-agent demo $(ARGS)

.PHONY: test
test: $(VENV)/.dev $(VENV)/.ascmhl system $(TUS)/node_modules/.package-lock.json ## Set everything up and pass the whole suite (ARGS=tests/unit: a part, no hot-plug)
	@# A process of its own: umockdev and FUSE deadlock in one.
	$(if $(ARGS),,@if compgen -G 'tests/udev/test_*.py' > /dev/null; then umockdev-wrapper $(RUN)pytest tests/udev; fi)
	$(RUN)pytest --ignore=tests/udev --ignore=tests/hardware $(ARGS)

.PHONY: test-hardware
test-hardware: $(VENV)/.dev ## Plug, pull, break and cut the power of a station in a virtual machine (as root; CUTS=, REPLAYS=, PULLS=)
	@tools/need-system busybox depmod mcopy mke2fs mkfs.exfat mkfs.vfat mmdebstrap qemu-img qemu-system-x86_64
	$(RUN)pytest tests/hardware $(ARGS)

.PHONY: test-servers
test-servers: $(VENV)/.dev ## Pass the contract and more against Ceph, Swift and a store that lies (as root)
	@tools/need-system curl mmdebstrap
	@tools/need-servers $(ROOTS)
	@# A store takes half a minute to start, and longer on a busy machine.
	DOCK_SERVERS=$(abspath $(ROOTS)) $(RUN)pytest --timeout=600 \
	  $(or $(ARGS),tests/servers tests/contract/test_destination.py \
	  tests/contract/test_destination_resume.py tests/integration/test_sync_s3.py)

.PHONY: check
check: lint test ## Style, types and tests

.PHONY: lint
lint: $(VENV)/.dev ## Format, lint, types
	$(RUN)ruff format --check .
	$(RUN)ruff check .
	$(RUN)mypy

.PHONY: fix
fix: $(VENV)/.dev ## Apply every automatic fix
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

.PHONY: docs
docs: $(VENV)/.dev ## Make the generated pages and kept logs again
	$(RUN)python -m tools.make_docs
	$(RUN)python -m tools.make_golden

.PHONY: campaign
campaign: $(VENV)/.dev ## Play 2 000 seeds of bad weather, 400 of many who send at once, 200 through a faulty proxy (SEEDS=, CROWD_SEEDS=, PROXY_SEEDS=first:last)
	DOCK_SEEDS=$(SEEDS) $(RUN)pytest -q -p no:cacheprovider tests/faults/test_sync_weather.py
	DOCK_CROWD_SEEDS=$(or $(CROWD_SEEDS),0:400) $(RUN)pytest -q -p no:cacheprovider tests/faults/test_sync_crowd.py
	DOCK_PROXY_SEEDS=$(or $(PROXY_SEEDS),0:200) DOCK_PROXY_FILES=200 $(RUN)pytest -q -p no:cacheprovider tests/faults/test_sync_proxy.py

.PHONY: bench
bench: $(VENV)/.dev ## Run every benchmark and print the ratios
	@tools/need-system curl rsync
	for file in benchmarks/[a-z]*.py; do $(RUN)python $$file || exit 1; done

.PHONY: lock
lock: $(VENV)/.dev ## Resolve the dependencies again
	$(RUN)pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	  --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --no-annotate --output-file requirements/run.txt pyproject.toml
	$(RUN)python -m tools.dev_group > $(VENV)/dev.in
	$(RUN)pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	  --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --no-annotate --output-file requirements/dev.txt pyproject.toml $(VENV)/dev.in

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf $(VENV) $(ROOTS) $(TUS)/node_modules .hardware .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# ---- what the targets stand on ----------------------------------------------

$(VENV)/bin/python:
	@tools/need-python "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(RUN)pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt
	$(RUN)python -m tools.link
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(RUN)pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	$(RUN)python -m tools.link
	@touch $@ $(VENV)/.run

# Its click is older than ours: a virtual environment within ours.
$(VENV)/.ascmhl: requirements/ascmhl.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/ascmhl
	$(VENV)/ascmhl/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/ascmhl.txt
	@touch $@

# Debian's node is older than the server asks for; it runs there all the same.
$(TUS)/node_modules/.package-lock.json: $(TUS)/package-lock.json | system
	npm ci --prefix $(TUS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: system
system: # asked each time: what a stamp says may have been removed since
	@tools/need-system chromium fusermount3 libatomic.so.1 nginx node npm openssl systemd-analyze udevadm umockdev-wrapper
