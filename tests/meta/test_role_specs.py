# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Role options are those of the module or of the role itself, all of them are used, and the examples can be played."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from documented import COLLECTION, ROOT, modules, roles

EXAMPLES = ROOT / "examples"
# What a host that is a hosted cluster says of itself in variables of every role: hosted_cluster_source and so on.
HOSTED_CLUSTER = {"source", "name", "namespace"}


def test_role_specs_are_up_to_date() -> None:
    done = subprocess.run([ROOT / "tools" / "role-spec", "--check"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def options_of(role: str) -> tuple[set[str], set[str]]:
    """Names of a role's options: those that are written from its module's documentation, and those of its own."""
    text = (ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    options = set(yaml.safe_load(text)["argument_specs"]["main"]["options"])
    written = text.partition("# Begin of what tools/role-spec writes")[2].partition("# End of what tools/role-spec writes")[0]
    of_module = set(re.findall(rf"^      ({role}_\w+):$", written, flags=re.MULTILINE))
    return of_module, options - of_module


def tasks_of(role: str) -> list[dict[str, Any]]:
    """All tasks of a role."""
    files = sorted((ROOT / "roles" / role / "tasks").glob("*.yml"))
    return [task for file in files for task in yaml.safe_load(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("role", sorted({*roles()} & {*modules()}))
def test_role_hands_every_option_to_its_module(role: str) -> None:
    """And none of the connection's: a task that sets one does not fall through to module_defaults.

    A hosted cluster is another host than the cluster that it is on, so there the role says which.
    """
    (task,) = (task[f"{COLLECTION}.{role}"] for task in tasks_of(role) if f"{COLLECTION}.{role}" in task)
    of_host = HOSTED_CLUSTER if role.startswith("hosted_") else set()
    assert {f"{role}_{name}" for name in task} - {f"{role}_{name}" for name in of_host} == options_of(role)[0]
    assert all((f"hosted_cluster_{name}" if name in of_host else f"{role}_{name}") in str(value) for name, value in task.items())


@pytest.mark.parametrize("role", roles())
def test_role_uses_every_option_of_its_own(role: str) -> None:
    files = [file for part in ("tasks", "vars") for file in sorted((ROOT / "roles" / role / part).glob("*.yml"))]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    assert {option for option in options_of(role)[1] if not re.search(rf"\b{option}\b", text)} == set()


@pytest.mark.parametrize("role", roles())
def test_no_task_has_a_connection(role: str) -> None:
    """A task that sets an option of the connection does not fall through to module_defaults."""
    of_connection = {"kubeconfig", "context", "host", "api_key", "ca_cert", "validate_certs", "expected_cluster", "max_parallel_requests"}
    of_connection |= {"access_key", "secret_key", "session_token", "profile", "region", "endpoint_url", "aws_ca_bundle"}
    calls = [value for task in tasks_of(role) for name, value in task.items() if name.startswith((COLLECTION, "kubernetes.core"))]
    assert calls or role not in modules()
    assert [call for call in calls if of_connection & set(call)] == []


@pytest.mark.parametrize("inventory", sorted(path.name for path in EXAMPLES.glob("inventory-*.yml")))
def test_inventory_is_one_of_clusters(inventory: str) -> None:
    """Every host says which cluster it is, or where, and that nothing is logged in to."""
    done = subprocess.run(["ansible-inventory", "-i", EXAMPLES / inventory, "--list"], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    assert hosts
    for host, variables in hosts.items():
        assert variables["ansible_connection"] == "local", host
        assert {"meshops_kubeconfig", "meshops_host", "hosted_cluster_source"} & set(variables), host


@pytest.mark.parametrize("inventory", sorted(path.name for path in EXAMPLES.glob("inventory-*.yml")))
def test_playbooks_parse_with_inventory(inventory: str) -> None:
    examples = sorted(path for path in EXAMPLES.glob("*.yml") if path.name.startswith(("show-", "verify-")))
    playbooks: list[Path] = [*sorted((ROOT / "playbooks").glob("*.yml")), *examples]
    done = subprocess.run(
        ["ansible-playbook", "--syntax-check", "-i", EXAMPLES / inventory, *playbooks], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
