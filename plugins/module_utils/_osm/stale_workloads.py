# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads run another sidecar than they would get now. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import DesiredSidecar, stale_reason
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


class StaleWorkload(NamedTuple):
    """Pods of one workload that are stale for one reason; ``bypassing`` when their traffic passes by the mesh."""

    namespace: str
    workload: str
    pods: int
    reason: str
    bypassing: bool

    def as_dict(self) -> dict[str, object]:
        """Return the public form that results carry."""
        return {"namespace": self.namespace, "workload": self.workload, "pods": self.pods, "reason": self.reason}


def stale_workloads(data_plane: Mapping[PodTraits, int], mesh: Mesh, desired: DesiredSidecar) -> list[StaleWorkload]:
    """Return the stale workloads of ``mesh``, those whose traffic bypasses the mesh first, then by namespace and name."""
    counts: Counter[tuple[str, str, str, bool]] = Counter()
    for traits, pods in data_plane.items():
        if traits.injected and traits.mesh == mesh.name:
            reason = stale_reason(traits.as_pod(), mesh.product, desired)
            if reason is not None:
                kind, name = traits.owner
                bypassing = desired.with_init and not traits.init_container
                counts[traits.namespace, f"{kind}/{name}" if kind else "bare pod", reason, bypassing] += pods
    rows = [StaleWorkload(namespace, workload, pods, reason, bypassing) for (namespace, workload, reason, bypassing), pods in counts.items()]
    return sorted(rows, key=lambda row: (not row.bypassing, row.namespace, row.workload, row.reason))


def bypass_findings(rows: list[StaleWorkload]) -> list[Finding]:
    """Return an error for each workload whose pods were created while the MeshConfig was incomplete."""
    return [
        Finding(
            "error",
            "traffic-bypasses-mesh",
            _reference(row),
            f"{row.pods} pods have a sidecar but no init container: their traffic bypasses the mesh",
            "they were created while the MeshConfig lacked traffic.interceptionMode",
            "restart them first (kubectl rollout restart)",
        )
        for row in rows
        if row.bypassing
    ]


def _reference(row: StaleWorkload) -> ObjectRef:
    kind, separator, name = row.workload.partition("/")
    return ObjectRef(kind, name, row.namespace) if separator else ObjectRef("Namespace", row.namespace)
