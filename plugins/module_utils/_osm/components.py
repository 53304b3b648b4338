# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a control plane that run, and how far each has rolled out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import Replicas, Rollout, replicas, rollout_status
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble


class Component(NamedTuple):
    """A Deployment or DaemonSet of a control plane; ``troubles`` are what keeps its pods from being ready.

    ``version`` is what its image says, ``chart_version`` that of the chart which wrote its command line.
    """

    ref: ObjectRef
    version: str
    chart_version: str
    images: tuple[str, ...]
    replicas: Replicas
    rollout: Rollout
    troubles: tuple[Trouble, ...]

    @property
    def message(self) -> str:
        """How far it has rolled out, and what holds it back."""
        return "; ".join(dict.fromkeys((self.rollout.message, *(trouble.message for trouble in self.troubles))))

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "name": self.ref.name,
            "kind": self.ref.kind,
            "version": self.version,
            "chart_version": self.chart_version,
            "images": [*self.images],
            **self.replicas._asdict(),
            "rolled_out": self.rollout.done,
            "message": self.message,
            "diagnosis": [trouble.as_dict() for trouble in self.troubles],
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
    ref = ObjectRef(workload["kind"], name, mesh.namespace)
    return Component(
        ref=ref,
        version=mesh.version_of(name),
        chart_version=mesh.chart_version_of(name),
        images=tuple(container.get("image", "") for container in containers),
        replicas=replicas(workload),
        rollout=rollout,
        troubles=_troubles(mesh, ref, rollout.done),
    )


def _troubles(mesh: Mesh, ref: ObjectRef, done: bool) -> tuple[Trouble, ...]:
    """Return what holds a component back; pods that only wait for the bootstrap are told in one trouble for all components."""
    if done:
        return ()
    own = tuple(trouble for trouble in mesh.troubles if trouble.component == ref.name or trouble.object.name == ref.name)
    # The label app of jaeger's pods is not the name of its Deployment.
    own = own or tuple(trouble for trouble in mesh.troubles if trouble.object.name.startswith(f"{ref.name}-"))
    return own or tuple(trouble for trouble in mesh.troubles if trouble.cause == "waits-for-bootstrap")
