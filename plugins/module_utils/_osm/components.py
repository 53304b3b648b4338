# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a control plane that run, and how far each has rolled out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.diagnosis import troubles
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, Rollout, replicas, rollout_status


class Component(NamedTuple):
    """A Deployment or DaemonSet of a control plane; ``problems`` are what keeps its pods from being ready."""

    ref: ObjectRef
    version: str
    images: tuple[str, ...]
    replicas: Replicas
    rollout: Rollout
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        message = "; ".join((self.rollout.message, *self.problems))
        return {
            "name": self.ref.name,
            "kind": self.ref.kind,
            "version": self.version,
            "images": [*self.images],
            **self.replicas._asdict(),
            "rolled_out": self.rollout.done,
            "message": message,
        }


def components(mesh: Mesh) -> list[Component]:
    """Return what runs of a mesh: the three that every mesh has first, in the order in which they wait for each other."""
    order = {name: at for at, name in enumerate(mesh.product.deployments)}
    found = [_component(mesh, item) for item in (*mesh.deployments, *mesh.daemon_sets)]
    return sorted(found, key=lambda component: (order.get(component.ref.name, len(order)), component.ref.name))


def missing_components(mesh: Mesh) -> list[str]:
    """Return the names of the Deployments that every mesh has and this one lacks."""
    return [name for name in mesh.product.deployments if mesh.deployment(name) is None]


def _component(mesh: Mesh, workload: Mapping[str, Any]) -> Component:
    name = workload["metadata"]["name"]
    containers = workload["spec"]["template"]["spec"].get("containers") or ()
    rollout = rollout_status(workload)
    pods = (pod for pod in mesh.pods if pod.app == name and not pod.ready and not pod.terminating)
    told = [trouble.message for trouble in troubles([workload], ())] + [problem for pod in pods for problem in pod.problems]
    problems = dict.fromkeys(told) if not rollout.done else ()
    return Component(
        ref=ObjectRef(workload["kind"], name, mesh.namespace),
        version=mesh.version_of(name),
        images=tuple(container.get("image", "") for container in containers),
        replicas=replicas(workload),
        rollout=rollout,
        problems=tuple(problems),
    )
