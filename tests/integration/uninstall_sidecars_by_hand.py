# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The removal of a mesh's sidecars without the rest of an uninstallation, in this process or (to be killed) in one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory, Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecars import (
    SidecarRemoval,
    enrolled_namespaces,
    read_sidecars,
    read_templates,
    sidecar_steps,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options


@dataclass
class Removed:
    """What was planned and what came out: outcomes by step, and what was left as it was by its code."""

    inventory: Inventory
    steps: list[Step]
    removal: SidecarRemoval
    ends: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    error: LifecycleError | None = None

    @property
    def ids(self) -> list[str]:
        return [step.id for step in self.steps]

    @property
    def why(self) -> dict[str, str]:
        return {step.id: step.why for step in self.steps}

    @property
    def leftovers(self) -> dict[str, str]:
        plan = self.inventory.sidecars
        assert plan is not None
        return {str(item.object): item.code for item in plan.leftovers}

    @property
    def codes(self) -> dict[str, str]:
        return {entry["object"]["name"]: entry["code"] for entry in self.removal.result.entries}


@dataclass
class _Caller:
    params: Mapping[str, Any]
    tmpdir: str
    name: str = "uninstall_sidecars_by_hand"


def observe(api: Api, mesh_name: str, request: UninstallRequest, *, gone: bool = False) -> Inventory:
    """What an uninstallation of the mesh would find of its data plane; ``gone``: as if no control plane were there."""
    observed = discover(api, data_plane=False)
    observed = replace(observed, meshes=()) if gone else observed
    mesh = next((item for item in observed.meshes if item.name == mesh_name), None)
    product, where = (mesh.product, mesh.namespace) if mesh is not None else (OSM_EDGE, "osm-system")
    subject = Subject(mesh_name, where, product, mesh=mesh)
    scope, plan = read_sidecars(api, observed, subject, request)
    templates = read_templates(api, observed, subject, scope)
    return Inventory(observed, request, subject, templates, enrolled_namespaces(observed, subject), scope, plan)


def remove(
    kubeconfig: str,
    mesh_name: str = "osm",
    *,
    edit_templates: bool = False,
    check: bool = False,
    plan_only: bool = False,
    gone: bool = False,
    **options: Any,
) -> Removed:
    """Remove the sidecars of a mesh as fast as it goes; with ``check`` only ask the server about each step."""
    with tempfile.TemporaryDirectory() as directory:
        api = connect(_Caller({"kubeconfig": kubeconfig}, directory), explicit=True).api
        asked = replace(Options(pods_per_minute=0), **{key: tuple(value) if key == "ordered" else value for key, value in options.items()})
        request = UninstallRequest(mesh_name=mesh_name, edit_templates=edit_templates, refresh=asked)
        inventory = observe(api, mesh_name, request, gone=gone)
        removal = SidecarRemoval(api, Deadline(120), Progress(), request)
        done = Removed(inventory, sidecar_steps(inventory), removal)
        removal.see(inventory)
        for step in done.steps if check else ():
            if not step.simulated:
                removal.dry_run(step)
        if check or plan_only or not done.steps:
            return done
        outcomes, done.error = removal.run(done.steps, lambda: None)
        assert {outcome.phase for outcome in outcomes} == {"sidecars"}
        done.ends = {outcome.id: outcome.outcome for outcome in outcomes}
        done.messages = {outcome.id: outcome.message for outcome in outcomes}
        return done


def start(kubeconfig: str, **options: Any) -> subprocess.Popen[str]:
    """Start the same in a process of its own."""
    return subprocess.Popen([sys.executable, __file__, json.dumps({"kubeconfig": kubeconfig, **options})], text=True)


if __name__ == "__main__":
    remove(**json.loads(sys.argv[1]))
