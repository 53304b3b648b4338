# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces and a mesh as a procedure: one phase, a patch per namespace, and one of each pod where metrics are switched."""

from __future__ import annotations

from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AlreadyExists, Conflict, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_findings import namespace_findings, unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_plan import CREATE, PATCH, namespace_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_reading import NamespaceReader, has_to_change
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_refusals import namespace_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import NamespacesState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import scrape_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Phase, Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

_POD_ATTEMPTS = 4


def namespace_procedure(api: Api, observed: Observed, mesh: Mesh, request: NamespaceRequest) -> Procedure[NamespacesState]:
    """Return the procedure that brings the namespaces of ``request`` into the state that it wants of ``mesh``."""
    reader = NamespaceReader(api, observed, mesh, request)

    def apply(step: Step) -> str:
        if step.action == CREATE:
            return _create(api, step)
        if step.action == PATCH:
            api.patch(NAMESPACE, step.object.name, _metadata(step), uid=step.uid, resource_version=step.resource_version)
            return ""
        return _annotate(api, step.object.name, mesh.product.pod_uuid_label, scrape=request.scrape is True)

    def dry_run(step: Step) -> None:
        if step.action == CREATE:
            api.create(NAMESPACE, _new(step), dry_run=True)
        elif step.action == PATCH:
            api.patch(NAMESPACE, step.object.name, _metadata(step), uid=step.uid, dry_run=True)

    return Procedure(
        name="mesh_namespace",
        target=f"{mesh.namespace}/{mesh.name}",
        observe=lambda _record: reader.read(),
        phases=(Phase("namespaces", namespace_steps, apply, dry_run),),
        refuse=namespace_refusals,
        findings=namespace_findings,
        verify=unproven,
    )


def _metadata(step: Step) -> dict[str, Any]:
    """Return a merge patch; a key that is not to be there is null, which does nothing when it is not."""
    return {"metadata": {part: step.desired[part] for part in ("labels", "annotations")}}


def _new(step: Step) -> dict[str, Any]:
    given = {part: {key: value for key, value in step.desired[part].items() if value is not None} for part in ("labels", "annotations")}
    return {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.kind, "metadata": {"name": step.object.name, **given}}


def _create(api: Api, step: Step) -> str:
    try:
        api.create(NAMESPACE, _new(step))
    except AlreadyExists as error:
        raise _created_by_somebody_else(step) from error
    return ""


def _created_by_somebody_else(step: Step) -> StepFailed:
    return StepFailed(
        f"{step.object} was created by somebody else meanwhile",
        object=step.object,
        why="it did not exist when the plan was made",
        state="it is as they made it, this step was not done",
        next="run again and read the new plan",
    )


def _annotate(api: Api, namespace: str, uuid_label: str, *, scrape: bool) -> str:
    """Patch the pods of a namespace that differ, each on the state that it was read in; returns how many."""
    done = 0
    for attempt in range(_POD_ATTEMPTS):
        listed = api.list(POD, namespace, label_selector=uuid_label, metadata_only=True)
        pods = [item["metadata"] for item in listed if has_to_change(item["metadata"], uuid_label, scrape)]
        if not pods:
            break
        done += sum(api.map(partial(_patch_pod, api, scrape, attempt == _POD_ATTEMPTS - 1), pods))
    return f"{done} pods"


def _patch_pod(api: Api, scrape: bool, last: bool, metadata: dict[str, Any]) -> bool:
    """Patch one pod; False when it is gone, or was changed and is to be read again."""
    body = {"metadata": {"annotations": scrape_patch(metadata.get("annotations") or {}, scrape)}}
    try:
        api.patch(POD, metadata["name"], body, metadata["namespace"], uid=metadata["uid"], resource_version=metadata["resourceVersion"])
    except NotFound:
        return False
    except Conflict:
        if last:
            raise
        return False
    return True
