# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the injectors of an Istio can answer now, for the pods of a refresh."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.discovery import IstioInstallation
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.webhook_rules import SidecarWebhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, POD
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.injector_proof import (
    UNTOUCHED,
    deployment_refusal,
    hook_refusals,
    probe_pod,
    probe_refusals,
)

Object = Mapping[str, Any]

_NAMES_SHOWN = 5


class Concern(NamedTuple):
    """Pods with these labels in this namespace, and the webhooks that are asked about them.

    ``wish`` is the label that asks for a sidecar although no webhook serves it.
    """

    namespace: str
    labels: Mapping[str, str]
    webhooks: tuple[SidecarWebhook, ...]
    wish: str


def injector_refusals(api: Api, istio: IstioInstallation, concerns: Sequence[Concern], wrong: Callable[[Object], str]) -> list[Refusal]:
    """Return why new pods would not come up, or not with the sidecar that they should get; empty when all injectors proved able.

    Of each revision one pod is created as a dry run, where its webhook allows that (not in Istio 1.5: it declares no side effects).
    ``wrong`` says what is wrong with the sidecar of a pod as it would be stored.
    """
    refusals = [*_unserved(concerns)]
    by_revision: dict[str, list[Concern]] = {}
    for concern in concerns:
        for webhook in concern.webhooks:
            by_revision.setdefault(webhook.revision, []).append(concern)
    for revision, members in by_revision.items():
        refusals += _revision_refusals(api, istio, revision, members, wrong)
    return refusals


def _revision_refusals(
    api: Api, istio: IstioInstallation, revision: str, concerns: Sequence[Concern], wrong: Callable[[Object], str]
) -> list[Refusal]:
    plane = istio.control_planes[revision]
    remedy = f"bring istiod back: kubectl get pods -n {plane.namespace} -l app=istiod,istio.io/rev={revision}"
    hooks = dict.fromkeys(webhook.hook for concern in concerns for webhook in concern.webhooks if webhook.revision == revision)
    refusals = hook_refusals(api, hooks, remedy)
    down = _down(api, istio, revision, remedy)
    # One that is down has no ready endpoint either: told once.
    if down is not None and not any(refusal.code == "injector-down" for refusal in refusals):
        refusals.append(down)
    injector = istio.injectors[revision]
    if not injector.known:
        refusals.append(_unknown(plane.namespace, revision))
    if refusals:
        return refusals
    pods = (probe_pod(item.namespace, item.labels) for item in _in_namespaces(concerns))
    return probe_refusals(api, pods, hooks, wrong, remedy)


def _in_namespaces(concerns: Iterable[Concern]) -> Iterable[Concern]:
    """Return one concern per namespace: a namespace that says nothing about the injector does so for each pod."""
    return {concern.namespace: concern for concern in concerns}.values()


def _down(api: Api, istio: IstioInstallation, revision: str, remedy: str) -> Refusal | None:
    """An istiod of which only webhooks tell runs in another cluster, or its missing Service says so."""
    plane = istio.control_planes[revision]
    if plane.deployment is None:
        return None
    ref = ObjectRef("Deployment", plane.name, plane.namespace)
    return deployment_refusal(api.get_or_none(DEPLOYMENT, plane.name, plane.namespace), ref, remedy)


def _unserved(concerns: Iterable[Concern]) -> list[Refusal]:
    """One reason for each label that no webhook serves."""
    namespaces: dict[str, list[str]] = {}
    for concern in concerns:
        if concern.wish and concern.namespace not in namespaces.setdefault(concern.wish, []):
            namespaces[concern.wish].append(concern.namespace)
    return [_missing(wish, names) for wish, names in namespaces.items()]


def _missing(wish: str, names: Sequence[str]) -> Refusal:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    shown = f"{', '.join(names[:_NAMES_SHOWN])}{more}"
    return Refusal(
        "injector-webhook-missing",
        ObjectRef("Namespace", names[0]),
        f"no webhook serves the label {wish} (namespaces: {shown})",
        "its revision or tag is gone, or its MutatingWebhookConfiguration is: pods that are replaced now would come up without a sidecar",
        UNTOUCHED,
        "set the label to a revision or tag that exists (istioctl tag list), install the revision again, or leave these namespaces out",
    )


def _unknown(namespace: str, revision: str) -> Refusal:
    name = "istio-sidecar-injector" if revision == "default" else f"istio-sidecar-injector-{revision}"
    return Refusal(
        "injector-configuration-missing",
        ObjectRef("ConfigMap", name, namespace),
        f"the configuration of the injector of revision {revision} is not there or cannot be understood",
        "which sidecar new pods get is not known, so that nobody can tell which pods are out of date",
        UNTOUCHED,
        "install this revision again (istioctl install), or remove it if it is no longer meant to be there",
    )


def try_pod(
    api: Api, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str], webhooks: Sequence[SidecarWebhook]
) -> Object | None:
    """Return the pod that the API server would store for these labels and annotations; None when it cannot be asked."""
    if not webhooks or not all(webhook.hook.dry_runs for webhook in webhooks):
        return None
    pod = probe_pod(namespace, labels)
    pod["metadata"]["annotations"] = dict(annotations)
    try:
        return api.create(POD, pod, namespace, dry_run=True)
    except NotFound:
        return None
    except KubeError as error:
        if error.status is None:
            raise
        return None
