# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces, pods and workloads of a mesh that is uninstalled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory, Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import enrolled_namespaces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_templates import WHAT
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import PodFacts, Task, Verdict, Way
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import healthy, namespace, observed

Object = dict[str, Any]
SUBJECT = Subject("osm", "osm-system", OSM_EDGE)


def cluster(*namespaces: Object, others: Iterable[Mesh] = ()) -> tuple[Observed, Subject]:
    """A cluster with mesh ``osm``, ``others`` and these namespaces."""
    seen = observed(healthy(namespaces=[*namespaces, namespace("osm-system")]))
    mesh = seen.meshes[0]
    both = Observed(seen.server, (mesh, *others), seen.namespaces)
    return both, Subject("osm", "osm-system", OSM_EDGE, mesh=mesh)


def other(name: str = "blue", product: Product = OSM_EDGE) -> Mesh:
    """Another control plane."""
    return Mesh(product, name, f"{name}-elsewhere")


def task(place: str, name: str = "web", way: Way = "rollout", token: str = "t") -> Task:
    """A workload with a sidecar to lose."""
    kind = POD if way == "recreate" else DEPLOYMENT
    ref = ObjectRef(kind.kind, name, place)
    return Task(step_id(way, ref), ref, kind, way, 1, "still has a sidecar", f"uid-{place}-{name}", "7", token)


def template(place: str, name: str = "web", *, value: str = "enabled", pods: int = 1, operator: str = "", owner: Any = "named") -> Artefact:
    """A Deployment whose pod template has an injection annotation."""
    state = {"annotation": OSM_EDGE.injection_annotation, "value": value, "alone": False, "token": "", "operator": operator, "pods": pods}
    ref = ObjectRef("Deployment", name, place)
    return Artefact(ref, DEPLOYMENT, WHAT, owner, "it has one", f"uid-{place}-{name}", "7", state=state)


def inventory(seen: Observed, subject: Subject, *tasks: Task, artefacts: Iterable[Artefact] = (), **request: Any) -> Inventory:
    """What was found; each task's pod has a sidecar."""
    pods = tuple(_pod(item) for item in tasks)
    return Inventory(
        seen,
        UninstallRequest(**request),
        subject,
        tuple(artefacts),
        enrolled_namespaces(seen, subject),
        Scope(pods=pods),
        RefreshPlan(tasks=tasks),
    )


def _pod(item: Task) -> PodFacts:
    return PodFacts(
        namespace=item.object.namespace,
        name=f"{item.object.name}-1",
        uid="",
        controller=None,
        revision="",
        token="",
        phase="Running",
        ready=True,
        deleting=False,
        mirror=False,
        verdict=Verdict("unexpected"),
    )
