# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps that remove what goes, with the permissions that they take. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NAMESPACE, REPLICASET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import uninstall as phases
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import replicas
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_decision import (
    AWAIT,
    DELETE,
    DELETE_OBJECTS,
    DELETE_SECRETS,
    STOP,
    STRIP,
    UNINSTALL,
    Decision,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_manifest import release_content, usable_release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_namespace_conditions import repairable
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Risk, Step

_DEFINITIONS = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
# What is gone with the control plane's own pods, or is made anew when it is needed; nobody else loses anything by it.
_RISKS: dict[str, Risk] = {phases.UNBLOCK: "disruptive", phases.STOP: "disruptive"}


def step_for(item: Artefact, decision: Decision, inventory: Inventory) -> Step:
    """Return the step of its own by which a thing goes."""
    return _BUILD[decision.action](item, decision, inventory)


def stop_step(workload: Mapping[str, Any], kind: Kind = DEPLOYMENT) -> Step:
    """Return the step that scales a raw Deployment to zero."""
    metadata = workload["metadata"]
    return _stop(
        ObjectRef(kind.kind, metadata["name"], metadata["namespace"]),
        kind,
        replicas(workload),
        str(metadata.get("uid") or ""),
        str(metadata.get("resourceVersion") or ""),
    )


def stop_replica_set(item: Artefact) -> Step:
    """Return the step that scales a ReplicaSet without a Deployment to zero."""
    return _stop(item.ref, REPLICASET, int(item.state.get("replicas") or 0), item.uid, item.resource_version)


def _stop(ref: ObjectRef, kind: Kind, wanted: int, uid: str, resource_version: str) -> Step:
    return Step(
        STOP,
        ref,
        why="while it runs it writes back what is removed next: webhooks, definitions and their conversion",
        risk="disruptive",
        desired={"replicas": 0},
        before={"spec": {"replicas": wanted}},
        after={"spec": {"replicas": 0}},
        uid=uid,
        resource_version=resource_version,
        permissions=(Permission("patch", kind.group, kind.plural, ref.namespace, ref.name),),
    )


def _delete(item: Artefact, decision: Decision, inventory: Inventory) -> Step:
    kind, ref = item.kind, item.ref
    # A request for one namespace is authorized in that namespace as well (apiserver pkg/endpoints/request/requestinfo.go).
    place = ref.name if kind.kind == "Namespace" else ref.namespace
    return Step(
        DELETE,
        ref,
        why=_why(item, decision),
        risk=_RISKS.get(decision.phase, "destructive"),
        reversible=False,
        desired={"absent": True},
        before=_shown(item),
        after={},
        uid=item.uid,
        resource_version=item.resource_version,
        simulated="what it has cannot be read before a conversion webhook is gone" if decision.after else "",
        permissions=(
            Permission("delete", kind.group, kind.plural, place, ref.name),
            *(_end_of(ref, inventory) if kind == NAMESPACE else ()),
        ),
    )


def _end_of(namespace: ObjectRef, inventory: Inventory) -> Iterator[Permission]:
    """Yield what waiting for the end of a namespace asks for: looking at it, and taking off conversions that lead into it."""
    name = namespace.name
    yield Permission("get", "", "namespaces", name, name)
    into = [crd for crd in (inventory.observed.crds or {}).values() if crd.conversion == "Webhook" and crd.conversion_service[0] == name]
    for crd in repairable(into, name):
        yield Permission("patch", _DEFINITIONS.group, _DEFINITIONS.plural, "", crd.name)
    if into:
        yield Permission("list", _DEFINITIONS.group, _DEFINITIONS.plural)


def _await(item: Artefact, decision: Decision, inventory: Inventory) -> Step:
    return Step(
        AWAIT,
        item.ref,
        why=_why(item, decision),
        risk="none",
        uid=item.uid,
        resource_version=item.resource_version,
        writes=False,
        simulated="there is nothing to write",
        permissions=(*_end_of(item.ref, inventory),),
    )


def _strip(item: Artefact, decision: Decision, inventory: Inventory) -> Step:
    conversion = {"strategy": "None", "webhook": None}
    name = item.ref.name
    definition = (inventory.observed.crds or {}).get(name)
    service = definition.conversion_service if definition is not None else ("", "")
    return Step(
        STRIP,
        item.ref,
        why=_why(item, decision),
        risk="low",
        reversible=False,
        desired={"spec": {"conversion": conversion}},
        before={
            "spec": {
                "conversion": {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": {"service": {"namespace": service[0], "name": service[1]}}},
                }
            }
        },
        after={"spec": {"conversion": {"strategy": "None"}}},
        uid=item.uid,
        resource_version=item.resource_version,
        permissions=(Permission("patch", _DEFINITIONS.group, _DEFINITIONS.plural, "", name),),
    )


def _uninstall(item: Artefact, decision: Decision, inventory: Inventory) -> Step:
    release, content = usable_release(inventory), release_content(inventory)
    chart = f"{release.chart_name}-{release.chart_version}" if release is not None else ""
    status = release.status if release is not None else ""
    return Step(
        UNINSTALL,
        item.ref,
        why=f"{_why(item, decision)}; {len(content.removed)} objects of chart {chart} go with it, its hooks are not run",
        risk="destructive",
        reversible=False,
        desired={"absent": True},
        before={"chart": chart, "status": status, "objects": sorted(map(str, content.removed))},
        after={},
        simulated="helm has no dry run on the server for it",
        permissions=content.permissions,
    )


def _delete_secrets(item: Artefact, decision: Decision, _inventory: Inventory) -> Step:
    return Step(
        DELETE_SECRETS,
        item.ref,
        why=_why(item, decision),
        # What no pod mounts is of no use to anybody: every pod gets a Secret of its own.
        risk="low",
        reversible=False,
        # There may be hundreds of namespaces, and all of them were listed in one request to find this.
        permissions=(Permission("list", "", "secrets"), Permission("list", "", "pods"), Permission("delete", "", "secrets", item.ref.name)),
    )


def _delete_objects(item: Artefact, decision: Decision, _inventory: Inventory) -> Step:
    plural, dummy, group = item.ref.name.partition(".")
    known = "" if item.count is None else f" ({item.count} now)"
    return Step(
        DELETE_OBJECTS,
        item.ref,
        why=f"{_why(item, decision)}{known}",
        risk="destructive",
        reversible=False,
        permissions=(
            Permission("get", _DEFINITIONS.group, _DEFINITIONS.plural, "", item.ref.name),
            Permission("list", group, plural),
            Permission("delete", group, plural),
        ),
    )


_BUILD: dict[str, Callable[[Artefact, Decision, Inventory], Step]] = {
    DELETE: _delete,
    AWAIT: _await,
    STRIP: _strip,
    UNINSTALL: _uninstall,
    DELETE_SECRETS: _delete_secrets,
    DELETE_OBJECTS: _delete_objects,
}


def _why(item: Artefact, decision: Decision) -> str:
    return f"{item.found_by}; {decision.why}" if item.found_by else decision.why


def _shown(item: Artefact) -> dict[str, Any]:
    """Return what the diff shows of a thing: its name, never its content, which may be secret."""
    metadata = {"name": item.ref.name, **({"namespace": item.ref.namespace} if item.ref.namespace else {})}
    return {"apiVersion": item.kind.api_version, "kind": item.ref.kind, "metadata": metadata}
