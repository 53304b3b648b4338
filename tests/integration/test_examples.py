# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of every module about meshes is run, as it is documented, on the bookstore; test_examples_hosted.py has the others.

The examples of a module build on each other, so they are the tasks of one play; each is a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts.repository import ChartRepository
from documented import Example, examples, module_text, modules
from mesh_clusters import BOOKSTORE, MeshCluster
from sandboxlib.binaries import binary

Result = dict[str, Any]
Runs = Callable[[str], list[Result | None]]

# What stands in an example for something of the reader's, and what is there instead in the tests.
REPOSITORY = "https://charts.example.com/mesh"
UNTIL = "until: 04:00"
ABOUT_MESHES = [module for module in modules() if not module.startswith("hosted_")]
# What the examples of a module are about, where the bookstore as it is would leave them nothing to do.
TAKEN_OUT = ("bookstore", "bookbuyer", "bookthief", "bookwarehouse")


@pytest.fixture(scope="module")
def repository() -> Iterator[str]:
    """URL of a repository with the charts that the examples go to."""
    with ChartRepository(["osm-edge-1.2.3", "osm-edge-1.3.9"]) as charts:
        yield charts.url


@pytest.fixture(scope="module")
def results(mesh_cluster: MeshCluster, repository: str, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Returns the results of a module's examples in order, None for those that were not reached; each module is run once."""
    mesh_cluster.reset(BOOKSTORE)
    known: dict[str, list[Result | None]] = {}
    # What the reader's play sets once for all tasks. The product's own repository is not on loopback.
    defaults = {
        "group/meshops.lifecycle.all": {"kubeconfig": str(mesh_cluster.cluster.kubeconfig)},
        "meshops.lifecycle.mesh_upgrade": {"chart_repo": repository, "binary_path": str(binary("helm"))},
        "meshops.lifecycle.mesh_uninstall": {"binary_path": str(binary("helm"))},
    }

    def run(module: str) -> list[Result | None]:
        if module not in known:
            mesh_cluster.reset(BOOKSTORE)
            prepare(module, mesh_cluster)
            directory, soon = tmp_path_factory.mktemp(module), (datetime.now() + timedelta(hours=2)).strftime("%H:%M")
            real = {REPOSITORY: repository, UNTIL: f"until: '{soon}'"}
            known[module] = run_examples(examples(module), defaults, real, directory, mesh_cluster.environment)
        return known[module]

    return run


def prepare(module: str, mesh_cluster: MeshCluster) -> None:
    """Bring the bookstore to where the examples of a module begin."""
    if module == "mesh_namespace":
        keys = ("label", "openservicemesh.io/monitored-by-"), ("annotate", "openservicemesh.io/sidecar-injection-")
        for verb, key in keys:
            mesh_cluster.cluster.kubectl(verb, "namespace", *TAKEN_OUT, key)
    if module == "sidecar_refresh":
        mesh_cluster.patch_mesh_config({"sidecar": {"logLevel": "debug"}})
    if module == "mesh_uninstall":
        # A pod without an owner keeps the control plane where it is, which the examples are not about.
        mesh_cluster.cluster.kubectl("delete", "pod", "-n", "bookbuyer", "debug-shell", "--wait")


def changes_nothing(module: str) -> bool:
    """Whether the module says of itself that it never changes anything."""
    return "meshops.lifecycle.attributes.info" in yaml.safe_load(module_text(module, "DOCUMENTATION"))["extends_documentation_fragment"]


def run_examples(
    found: list[Example], defaults: Result, placeholders: dict[str, str], directory: Path, environment: dict[str, str]
) -> list[Result | None]:
    """Run the examples as the tasks of one play and return what each of them registered."""
    outcome = directory / "results.json"
    tasks = [{"register": f"example_{each.number}", **each.content} for each in found]
    collected = ", ".join(f"{task['register']} | default(none)" for task in tasks)
    keep = {"ansible.builtin.copy": {"content": f"{{{{ [{collected}] | to_json }}}}", "dest": str(outcome), "mode": "0600"}}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": defaults,
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [{"block": tasks, "always": [keep]}],
    }
    text = yaml.safe_dump([play], sort_keys=False)
    for placeholder, real in placeholders.items():
        text = text.replace(placeholder, real)
    playbook = directory / "examples.yml"
    playbook.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", str(playbook)],
        env={**os.environ, **environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
    )
    print(done.stdout + done.stderr)
    if not outcome.exists():
        raise AssertionError(f"the playbook kept no results ({done.returncode}): {done.stdout}{done.stderr}")
    kept: list[Result | None] = json.loads(outcome.read_text(encoding="utf-8"))
    return kept


@pytest.mark.parametrize("example", [each for module in ABOUT_MESHES for each in examples(module)], ids=lambda each: each.id)
def test_example(example: Example, results: Runs) -> None:
    """It was reached, and did what its task asked for."""
    result = results(example.module)[example.number]
    assert result is not None, "a task before it failed"
    assert result.get("failed", False) is False, result.get("msg")
    assert result.get("skipped", False) is False
    if f"meshops.lifecycle.{example.module}" in example.content and not changes_nothing(example.module):
        assert result["changed"] is True, "an example that has nothing to do shows nothing"
