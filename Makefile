# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# PYTHON chooses the interpreter (3.11 or newer), MESHOPS_CACHE where everything that is made outside the checkout is kept.

.DEFAULT_GOAL := help
STAGE := tools/stage
IN_TREE := tools/in-tree
# More arguments for pytest: make test-unit PYTEST='-k merge -x'
PYTEST ?=
# Legs of the version matrix: make test-matrix LEGS=all; tools/matrix --list names them.
LEGS ?=

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo demo-down
demo: ## a sandbox cluster with a mesh, upgraded by the playbook before your eyes
	@tools/demo

demo-down: ## remove everything that the demo started
	@tools/demo-down

.PHONY: test test-unit test-meta test-molecule test-integration test-matrix binaries istio hosted
test: test-unit test-meta test-molecule test-integration ## all tests

test-unit: ## decisions: plain data in, plan out
	@$(STAGE) unit 240 $(IN_TREE) pytest -n 2 tests/unit $(PYTEST)

test-meta: ## everything is documented, tested and wired
	@$(STAGE) meta 60 $(IN_TREE) pytest tests/meta $(PYTEST)

test-molecule: binaries hosted ## roles and playbooks as a user runs them, on sandbox clusters
	@$(STAGE) molecule 600 $(IN_TREE) molecule test --all --report

test-integration: binaries istio hosted ## modules against sandbox clusters
	@$(STAGE) integration 2700 tools/integration $(PYTEST)

test-matrix: binaries ## one upgrade with the oldest and one with the newest of everything; the other ansible-core
	@$(STAGE) matrix 540 tools/matrix $(LEGS)

binaries: ## build the sandbox's control plane into the cache (about 7 minutes, once)
	@$(STAGE) binaries 600 tests/sandbox/sandbox build

istio: ## build two releases of Istio into the cache (about 5 minutes, once)
	@$(STAGE) istio 900 tests/sandbox/sandbox build istio-1.30.0 istio-1.31.0

hosted: ## build what hosted clusters need into the cache (about a minute and a half, once)
	@$(STAGE) hosted 600 tests/sandbox/sandbox build etcd-clients etcd-clients-3.5 cluster-api

.PHONY: lint
lint: ## all quality gates
	@$(STAGE) lint 420 tools/gates

# One gate: make lint-ruff; tools/gates --list names them.
lint-%:
	@tools/gates $*

.PHONY: bench
bench: binaries hosted ## measure against doing it with kubectl, helm and kubernetes.core
	@$(STAGE) bench 1800 $(IN_TREE) tests/bench/run --write "$(CURDIR)/docs/benchmarks.md"

.PHONY: tree build clean
tree: ## bring the copy that gates and tests run in up to date and print its path
	@tools/tree

build: ## build the collection's artefact into dist/
	@tools/build

clean: ## remove dist/ and all copies and environments in the cache (not the sandbox's binaries)
	rm -rf dist
	@tools/clean
