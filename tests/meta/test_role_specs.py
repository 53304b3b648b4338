# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role options are those of the module, and the examples can be played."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from documented import COLLECTION, ROOT, roles

EXAMPLES = ROOT / "examples"


def test_role_specs_are_up_to_date() -> None:
    done = subprocess.run([ROOT / "tools" / "role-spec", "--check"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", roles())
def test_role_hands_every_option_to_its_module(role: str) -> None:
    """And none of the connection's: a task that sets one does not fall through to module_defaults."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    tasks = yaml.safe_load((ROOT / "roles" / role / "tasks" / "main.yml").read_text(encoding="utf-8"))
    (task,) = (task[f"{COLLECTION}.{role}"] for task in tasks if f"{COLLECTION}.{role}" in task)
    assert {f"{role}_{name}" for name in task} == set(specs["main"]["options"])
    assert all(f"{role}_{name}" in str(value) for name, value in task.items())


@pytest.mark.parametrize("inventory", sorted(path.name for path in EXAMPLES.glob("inventory-*.yml")))
def test_inventory_is_one_of_clusters(inventory: str) -> None:
    """Every host says which cluster it is, and that nothing is logged in to."""
    done = subprocess.run(["ansible-inventory", "-i", EXAMPLES / inventory, "--list"], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    assert hosts
    for host, variables in hosts.items():
        assert variables["ansible_connection"] == "local", host
        assert {"meshops_kubeconfig", "meshops_host"} & set(variables), host


@pytest.mark.parametrize("inventory", sorted(path.name for path in EXAMPLES.glob("inventory-*.yml")))
def test_playbooks_parse_with_inventory(inventory: str) -> None:
    playbooks: list[Path] = [*sorted((ROOT / "playbooks").glob("*.yml")), *sorted(EXAMPLES.glob("show-*.yml"))]
    done = subprocess.run(
        ["ansible-playbook", "--syntax-check", "-i", EXAMPLES / inventory, *playbooks], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
