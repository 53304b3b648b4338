# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods have the sidecar that they should have, counted. Pure.

Pods come as traits with counts: what must be decided is decided once per distinct trait, not once per pod.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import (
    DesiredSidecar,
    desired_sidecar,
    must_inject,
    stale_reason,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, Observed, PodTraits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import gaps
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Verdict

# The Go type of a driver misspells this key, so osm-bootstrap loses it when it writes the preset into a MeshConfig
# (osm-edge v1.3.9 pkg/apis/config/v1alpha2/mesh_config.go).
_LOST_AT_INSTALLATION = ".sidecarWindowsImage"


class StaleWorkload(NamedTuple):
    """Pods of one workload that want a restart for one reason; kind and name are empty for bare pods."""

    namespace: str
    kind: str
    name: str
    pods: int
    reason: str
    unintercepted: bool


@dataclass
class DataPlane:
    """Pods by what is to be said about them; per namespace and, for stale ones, per reason.

    ``pods`` counts all pods of the enrolled namespaces. ``unintercepted`` are pods with a sidecar whose traffic bypasses it.
    """

    pods: int = 0
    injected: int = 0
    current: int = 0
    expected_but_missing: int = 0
    unexpected: int = 0
    unintercepted: int = 0
    stale: Counter[str] = field(default_factory=Counter)
    by_namespace: dict[str, Counter[str]] = field(default_factory=dict)

    def namespaces_with(self, state: str) -> list[str]:
        """Return the namespaces that have pods in that state, the most affected first."""
        found = {name: counts[state] for name, counts in self.by_namespace.items() if counts[state]}
        return sorted(found, key=lambda name: (-found[name], name))

    def as_dict(self) -> dict[str, object]:
        """Return the public form that results carry."""
        return {
            "pods": self.pods,
            "injected": self.injected,
            "current": self.current,
            "expected_but_missing": self.expected_but_missing,
            "stale": sum(self.stale.values()),
            "stale_reasons": dict(self.stale),
            "without_interception": self.unintercepted,
            "unexpected": self.unexpected,
        }


def is_enrolled(facts: NamespaceFacts, mesh: Mesh) -> bool:
    """Whether a namespace carries the mesh's name, ignored or not."""
    return facts.labels.get(mesh.product.monitored_by_label) == mesh.name


def wanted_sidecar(mesh: Mesh) -> DesiredSidecar | None:
    """Return the sidecar that pods should have; None while there is no MeshConfig to tell.

    Where only the *missing* interception mode keeps new pods from getting the init container, pods should have it.
    """
    if mesh.mesh_config is None:
        return None
    spec = mesh.mesh_config_spec
    desired = desired_sidecar(spec, mesh.injector_environment, mesh.product, mesh.injector_version)
    return desired._replace(with_init=desired.with_init or "traffic.interceptionMode" in missing_keys(mesh))


def missing_keys(mesh: Mesh) -> list[str]:
    """Return the paths of the version's own preset that the live MeshConfig lacks, without those that a new installation lacks as well."""
    if mesh.mesh_config is None or mesh.preset_spec is None:
        return []
    return [path for path in gaps(mesh.mesh_config_spec, mesh.preset_spec) if not path.endswith(_LOST_AT_INSTALLATION)]


def verdict(traits: PodTraits, namespace: NamespaceFacts, mesh: Mesh, wanted: DesiredSidecar | None) -> Verdict:
    """Judge the sidecar of pods with these traits."""
    pod = traits.as_pod()
    expected = must_inject(pod, namespace.as_namespace(), mesh.product, mesh.name, mesh.namespace).inject is True
    if not traits.injected:
        return Verdict("missing" if expected else "outside")
    if not _is_of(traits, namespace, mesh):
        return Verdict("stale", f"has the sidecar of mesh {traits.mesh or '(unnamed)'}") if expected else Verdict("outside")
    if not expected:
        return Verdict("unexpected")
    reason = stale_reason(pod, mesh.product, wanted) if wanted is not None else None
    return Verdict("current") if reason is None else Verdict("stale", reason)


def data_plane(mesh: Mesh, observed: Observed) -> DataPlane | None:
    """Count the pods of a mesh; None when pods were not read."""
    if observed.data_plane is None:
        return None
    wanted = wanted_sidecar(mesh)
    result = DataPlane()
    for traits, count in observed.data_plane.items():
        # A namespace that was created between the two lists has no facts yet.
        namespace = observed.namespaces.get(traits.namespace, NamespaceFacts(traits.namespace, {}, {}, terminating=False))
        if traits.injected or is_enrolled(namespace, mesh):
            _count(result, traits, count, namespace, mesh, wanted)
    return result


def _count(result: DataPlane, traits: PodTraits, count: int, namespace: NamespaceFacts, mesh: Mesh, wanted: DesiredSidecar | None) -> None:
    found = verdict(traits, namespace, mesh, wanted)
    ours = traits.injected and _is_of(traits, namespace, mesh)
    if not ours and not is_enrolled(namespace, mesh):
        return
    counts = result.by_namespace.setdefault(traits.namespace, Counter())
    counts.update({"pods": count, found.state: count})
    if is_enrolled(namespace, mesh):
        result.pods += count
    if ours:
        result.injected += count
        counts["injected"] += count
    if ours and wanted is not None and wanted.with_init and not traits.init_container and not traits.windows:
        result.unintercepted += count
        counts["unintercepted"] += count
    if found.state == "current":
        result.current += count
    elif found.state == "stale":
        result.stale[found.reason] += count
    elif found.state == "missing":
        result.expected_but_missing += count
    elif found.state == "unexpected":
        result.unexpected += count


def _is_of(traits: PodTraits, namespace: NamespaceFacts, mesh: Mesh) -> bool:
    """Whether the sidecar is one of this mesh; a sidecar that does not name its mesh counts for the namespace's."""
    product = mesh.product
    if (traits.container, traits.volume) != (product.sidecar_container, product.bootstrap_volume):
        return False
    return traits.mesh == mesh.name if traits.mesh else is_enrolled(namespace, mesh)


def stale_workloads(mesh: Mesh, observed: Observed) -> list[StaleWorkload]:
    """Return what has to be restarted to get the sidecar of today: first pods whose traffic bypasses it, then by place.

    Empty when pods were not read or there is no MeshConfig.
    """
    wanted = wanted_sidecar(mesh)
    counted: Counter[tuple[str, tuple[str, str], str, bool]] = Counter()
    for traits, count in (observed.data_plane or {}).items() if wanted is not None else ():
        namespace = observed.namespaces.get(traits.namespace)
        found = verdict(traits, namespace, mesh, wanted) if namespace is not None else Verdict("outside")
        if found.state == "stale":
            bypassed = wanted is not None and wanted.with_init and not traits.init_container and not traits.windows
            counted[traits.namespace, traits.workload, found.reason, bypassed] += count
    rows = [
        StaleWorkload(namespace, *workload, count, reason, bypassed) for (namespace, workload, reason, bypassed), count in counted.items()
    ]
    return sorted(rows, key=lambda row: (not row.unintercepted, row))


def namespace_rows(mesh: Mesh, namespaces: Mapping[str, NamespaceFacts], pods: DataPlane | None) -> list[dict[str, object]]:
    """Return one row per enrolled namespace: how it is set, and its pods when they were counted."""
    product = mesh.product
    rows: list[dict[str, object]] = []
    for name in sorted(name for name, facts in namespaces.items() if is_enrolled(facts, mesh)):
        facts = namespaces[name]
        row: dict[str, object] = {
            "name": name,
            "injection": facts.annotations.get(product.injection_annotation, ""),
            "metrics": facts.annotations.get(product.metrics_annotation, ""),
            "ignored": product.ignore_label in facts.labels,
        }
        if pods is not None:
            counts = pods.by_namespace.get(name, Counter())
            row.update({"pods": counts["pods"], "injected": counts["injected"], "stale": counts["stale"], "missing": counts["missing"]})
        rows.append(row)
    return rows
