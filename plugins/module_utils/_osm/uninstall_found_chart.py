# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the charts of the family make: Deployments, Services, RBAC, ConfigMaps, and what their hooks leave. Pure.

Source: the templates of osm-edge v1.1.0, v1.2.3 and v1.3.9, osm v1.2.4 and fsm v1.5.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, REPLICASET
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE, PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_chart_names import is_chart_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_claims import Claim, Claims, artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import Thing, Traces, thing
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_WHAT = {
    "DaemonSet": "daemon-set",
    "Service": "service",
    "ServiceAccount": "rbac",
    "ClusterRole": "rbac",
    "ClusterRoleBinding": "rbac",
    "Role": "rbac",
    "RoleBinding": "rbac",
    "ConfigMap": "config-map",
    "HorizontalPodAutoscaler": "autoscaler",
    "PodDisruptionBudget": "disruption-budget",
    "Job": "hook",
}
_COMPONENTS = frozenset(name for product in PRODUCTS for name in product.deployments)
# Only the chart of 1.1 has them; the first was renamed, the second went.
_LAST_IN_1_1 = ("jaeger", "osm-multicluster-gateway")


def chart_objects(claims: Claims, traces: Traces) -> Iterator[Artefact]:
    """Yield the objects of charts; things of other kinds are not told here."""
    own = {item.ref for item in _deployments_of_subject(claims)}
    # A Deployment of a control plane is known by its name, so one that lost its labels is there as well.
    for item in (*_deployments_of_subject(claims), *(item for item in traces.things if item.ref not in own)):
        what = _what(item, claims)
        if what:
            yield artefact(item, what, _claim(item, claims, own))
    yield from _orphaned_replica_sets(claims)


def _deployments_of_subject(claims: Claims) -> list[Thing]:
    mesh = claims.subject.mesh if claims.subject is not None else None
    return [thing(DEPLOYMENT, item) for item in mesh.deployments] if mesh is not None else []


def _what(item: Thing, claims: Claims) -> str:
    if item.hook:
        return "hook"
    if item.kind != DEPLOYMENT:
        return _WHAT.get(item.kind.kind, "")
    if item.name in _COMPONENTS:
        return "control-plane-deployment"
    return "old-deployment" if item.name in _LAST_IN_1_1 and _is_newer(claims) else "optional-deployment"


def _is_newer(claims: Claims) -> bool:
    """Whether the subject's chart has no Deployments of 1.1 any more."""
    subject = claims.subject
    version = parse(subject.version) if subject is not None and subject.product is OSM_EDGE else None
    return version is not None and (version.major, version.minor) >= (1, 2)


def _claim(item: Thing, claims: Claims, own: Iterable[ObjectRef]) -> Claim:
    claim = claims.of_thing(item)
    if item.ref not in own or claim.owner == "named":
        return claim
    if item.release is not None and claim.owner == "other":
        return claim
    if not is_chart_name(item.kind.kind, item.name, claims.subject.product if claims.subject is not None else OSM_EDGE, ()):
        return claim
    return Claim("named", "its name is one that the chart gives, in the namespace of the control plane")


def _orphaned_replica_sets(claims: Claims) -> Iterator[Artefact]:
    """Yield what an upgrade orphaned and did not remove: its pods would go on without anybody who knows them."""
    mesh: Mesh | None = claims.subject.mesh if claims.subject is not None else None
    for item in mesh.replica_sets if mesh is not None else ():
        if not item.owner_uid and mesh is not None:
            yield Artefact(
                ObjectRef("ReplicaSet", item.name, mesh.namespace),
                REPLICASET,
                "control-plane-deployment",
                "named",
                f"its label app is {item.app}, in the namespace of the control plane, and no Deployment owns it any more",
                item.uid,
                item.resource_version,
                state={"replicas": item.replicas},
            )
