# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module is documented, tested, wired, and loads no more than it needs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from documented import COLLECTION, ROOT, examples, modules

PLUGINS = f"ansible_collections.{COLLECTION}.plugins"
# Rooms that every procedure may use; the others belong to one family of modules.
SHARED_ROOMS = {"_procedure", "_kube", "_cli", "_workloads"}
FAMILY_ROOMS = {"mesh": {"_osm"}, "sidecar": {"_osm", "_istio"}, "istio": {"_istio"}, "hosted": {"_hosted", "_aws"}}
# What runs the examples: on the bookstore, and on hosted clusters.
EXAMPLE_TESTS = ("test_examples.py", "test_examples_hosted.py")
# Imported where a connection is made, never when a module starts: together they cost about a second of CPU per task.
LATE_LIBRARIES = {"boto3", "botocore", "kubernetes", "cryptography", "pydantic"}


def loaded_by(module: str) -> set[str]:
    """Names of everything that importing ``module`` loads into a fresh interpreter."""
    code = f"import json, sys, {PLUGINS}.modules.{module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ})
    return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def collected_examples() -> set[str]:
    """The ids that pytest collects from the tests that run the examples: MODULE-NUMBER."""
    files = [f"tests/integration/{name}" for name in EXAMPLE_TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"\[(\w+-\d+)\]", done.stdout))


def test_action_groups_name_every_module() -> None:
    """module_defaults for a group carry the connection, or what is said of AWS, so a module outside its group would run without.

    Modules about hosted clusters take no connection by itself: a default of the group ``all`` would be an option that they do not have.
    """
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    hosted = [module for module in modules() if module.startswith("hosted_")]
    assert sorted(groups["hosted"]) == hosted
    assert sorted(groups["all"]) == sorted(set(modules()) - set(hosted))


@pytest.mark.parametrize("module", modules())
def test_has_action_plugin(module: str) -> None:
    """The action plugin finds kubeconfig files on the controller and shows progress."""
    assert (ROOT / "plugins" / "action" / f"{module}.py").is_file()


@pytest.mark.parametrize("module", modules())
def test_is_named_by_an_integration_test(module: str) -> None:
    tests = [path for path in (ROOT / "tests" / "integration").rglob("test_*.py") if path.name not in EXAMPLE_TESTS]
    assert any(re.search(rf"\b{module}\b", path.read_text(encoding="utf-8")) for path in tests)


@pytest.mark.parametrize("module", modules())
def test_every_example_is_run(module: str, collected_examples: set[str]) -> None:
    assert {example.id for example in examples(module)} <= collected_examples


@pytest.mark.parametrize("module", modules())
def test_loads_libraries_only_when_needed(module: str) -> None:
    assert {name.partition(".")[0] for name in loaded_by(module)} & LATE_LIBRARIES == set()


@pytest.mark.parametrize("module", modules())
def test_loads_only_its_own_procedure(module: str) -> None:
    """Nothing is byte-cached inside a module's archive: each file of another procedure costs time in every task."""
    prefix = f"{PLUGINS}.module_utils."
    files = {name.removeprefix(prefix) for name in loaded_by(module) if name.startswith(prefix)}
    family, _separator, own = module.partition("_")
    foreign_rooms = {name.partition(".")[0] for name in files} - SHARED_ROOMS - FAMILY_ROOMS[family]
    assert foreign_rooms == set()
    others = {name.removeprefix(f"{family}_") for name in modules() if name.startswith(f"{family}_")} - {own, "info"}
    foreign_files = {name for name in files for other in others if re.match(rf"_\w+\.{other}(_|$)", name)}
    assert foreign_files == set()
