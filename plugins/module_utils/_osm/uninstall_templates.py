# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pod templates with an injection annotation of their own: in an enrolled namespace they decide, whatever the namespace says.

Source: osm-edge v1.3.9 pkg/injector/webhook.go ``mustInject``. Without the namespace's label they have no effect, so they are left alone
unless their removal is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRONJOB, DAEMONSET, DEPLOYMENT, STATEFULSET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import NamespaceFacts, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Owner, Subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import elsewhere, is_last
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope, controller_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.rollout import replicas

Object = Mapping[str, Any]

WHAT = "pod-template-annotation"
_ENABLED = ("enabled", "yes", "true")
_KINDS = (DEPLOYMENT, STATEFULSET, DAEMONSET, CRONJOB)


def read_templates(api: Api, observed: Observed, subject: Subject, scope: Scope) -> tuple[Artefact, ...]:
    """Return the Deployments, StatefulSets, DaemonSets and CronJobs whose pod template has the mesh's injection annotation.

    One list for each kind (one request per 500 objects). Those in a namespace of another mesh are its own; where nothing tells, and
    another mesh reads the same annotation, they are shared. Raises KubeError.
    """
    judge = partial(_artefact, observed, subject, {pod.namespace for pod in scope.pods if pod.verdict.has_sidecar})
    found = api.map(lambda kind: [*filter(None, (judge(kind, item) for item in api.list(kind)))], _KINDS)
    return tuple(sorted((item for items in found for item in items), key=_place))


def _artefact(observed: Observed, subject: Subject, with_sidecars: set[str], kind: Kind, item: Object) -> Artefact | None:
    key = subject.product.injection_annotation
    metadata = item["metadata"]
    place = metadata["namespace"]
    template = template_of(item)
    own = (template.get("metadata") or {}).get("annotations") or {}
    if key not in own or place in (subject.namespace, *(mesh.namespace for mesh in observed.meshes)):
        return None
    operator = controller_of(metadata)
    facts = observed.namespaces.get(place) or NamespaceFacts(place, {}, {}, terminating=False)
    alone = str(own[key]).lower() in _ENABLED and str(facts.annotations.get(key, "")).lower() not in _ENABLED
    return Artefact(
        ObjectRef(kind.kind, metadata["name"], place),
        kind,
        WHAT,
        _owner(observed, subject, facts, enrolled_before=place in with_sidecars),
        f"its pod template has {key}: {own[key]}{', although its namespace does not enable injection' if alone else ''}",
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        users=tuple(f"{mesh.namespace}/{mesh.name}" for mesh in observed.meshes if mesh.name == elsewhere(facts, subject)),
        state={
            "annotation": key,
            "value": own[key],
            "alone": alone,
            "token": own.get(TOKEN, ""),
            # Who would write it again.
            "operator": f"{operator.kind} {operator.name}" if operator is not None else "",
            # Whether taking it out makes the controller replace pods, and how many.
            "pods": replicas(item).desired if _rolls(item, kind) else 0,
        },
    )


def _owner(observed: Observed, subject: Subject, facts: NamespaceFacts, *, enrolled_before: bool) -> Owner:
    if elsewhere(facts, subject):
        return "other"
    mine = enrolled_before or facts.labels.get(subject.product.monitored_by_label) == subject.name
    return "named" if mine or is_last(observed, subject) else "shared"


def _rolls(item: Object, kind: Kind) -> bool:
    spec = item.get("spec") or {}
    strategy = (spec.get("updateStrategy") or {}).get("type", "")
    return kind != CRONJOB and strategy != "OnDelete" and not spec.get("paused")


def template_of(item: Object) -> Object:
    """Return the pod template of a raw workload or CronJob."""
    spec = item.get("spec") or {}
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"].get("spec") or {}
    found: Object = spec.get("template") or {}
    return found


def edit_patch(kind: Kind, annotation: str) -> dict[str, Any]:
    """Return the merge patch that takes an annotation out of a pod template."""
    template: dict[str, Any] = {"template": {"metadata": {"annotations": {annotation: None}}}}
    return {"spec": {"jobTemplate": {"spec": template}}} if kind == CRONJOB else {"spec": template}


def _place(item: Artefact) -> tuple[str, str, str]:
    return item.ref.namespace, item.ref.kind, item.ref.name


def editable(artefacts: Iterable[Artefact]) -> dict[ObjectRef, Artefact]:
    """Return those templates that an uninstallation may edit, by their object: not what an operator owns, which would write it again."""
    found = (item for item in artefacts if item.what == WHAT and item.owner == "named")
    return {item.ref: item for item in found if not item.state["operator"]}
