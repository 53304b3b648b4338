# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proving that an injector can answer, before pods are replaced: its webhook, what is behind it, and one pod that is never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import AdmissionDenied, Forbidden, KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import ENDPOINTSLICE, POD, SERVICE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

Object = Mapping[str, Any]

UNTOUCHED = "no pod was touched"
# A pod that nobody stores: namespaces in which it says nothing about the injector (quotas, Pod Security, other webhooks) are passed over.
_NAMESPACES_TO_TRY = 3
_PROBE_NAME = "meshops-lifecycle-probe"
# Longer than the 30 seconds that an API server waits for a webhook at most.
_PROBE_SECONDS = 35.0
_UNAVAILABLE = "pods could not be created any more in the namespaces that it serves, or would come up without a sidecar"


class Hook(NamedTuple):
    """One webhook of a MutatingWebhookConfiguration; ``service`` is (namespace, name), None when it is called by its URL.

    ``dry_runs`` tells whether the API server asks it on a dry run.
    """

    ref: ObjectRef
    name: str
    service: tuple[str, str] | None
    has_ca: bool
    dry_runs: bool


def hooks_of(configuration: Object) -> list[Hook]:
    """Return the webhooks of a raw MutatingWebhookConfiguration."""
    ref = ObjectRef("MutatingWebhookConfiguration", configuration["metadata"]["name"])
    found = []
    for hook in configuration.get("webhooks") or ():
        client = hook.get("clientConfig") or {}
        service = client.get("service")
        found.append(
            Hook(
                ref,
                hook["name"],
                (service["namespace"], service["name"]) if service else None,
                bool(client.get("caBundle")),
                # kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/dispatcher.go: others make a dry run fail.
                hook.get("sideEffects") in ("None", "NoneOnDryRun"),
            )
        )
    return found


def hook_refusals(api: Api, hooks: Iterable[Hook], remedy: str) -> list[Refusal]:
    """Return what keeps the API server from asking these webhooks, one reason for each configuration and Service.

    ``remedy`` says how the injector is brought back. What may not be read is left to the dry run.
    """
    wanted = [*hooks]
    refusals = {}
    for hook in wanted:
        # A URL may have a certificate that the API server's own roots verify.
        if hook.service is not None and not hook.has_ca:
            refusals[hook.ref] = _without_ca(hook, remedy)
    services = {hook.service: hook for hook in wanted if hook.service is not None}
    unserved = api.map(lambda hook: _unserved(api, hook, remedy), services.values())
    return [*refusals.values(), *(refusal for refusal in unserved if refusal is not None)]


def _without_ca(hook: Hook, remedy: str) -> Refusal:
    return Refusal(
        "injector-ca-missing",
        hook.ref,
        f"webhook {hook.name} has an empty caBundle",
        f"the API server cannot verify the injector's certificate, so every call fails: {_UNAVAILABLE}",
        UNTOUCHED,
        f"{remedy} (it writes the bundle when it starts)",
    )


def _unserved(api: Api, hook: Hook, remedy: str) -> Refusal | None:
    namespace, name = hook.service or ("", "")
    try:
        ready = ready_endpoints(api, namespace, name)
    except Forbidden:
        return None
    if ready:
        return None
    what = "does not exist" if ready is None else "has no ready endpoint"
    return Refusal(
        "injector-down",
        ObjectRef("Service", name, namespace),
        f"the Service {namespace}/{name} behind webhook {hook.name} {what}",
        f"the injector cannot answer: {_UNAVAILABLE}",
        UNTOUCHED,
        remedy,
    )


def ready_endpoints(api: Api, namespace: str, service: str) -> int | None:
    """Return how many ready endpoints a Service has, None when there is no such Service."""
    if api.get_or_none(SERVICE, service, namespace, metadata_only=True) is None:
        return None
    slices = api.list(ENDPOINTSLICE, namespace, label_selector=f"kubernetes.io/service-name={service}")
    # ``ready`` may be absent, which counts as true (EndpointConditions in k8s.io/api discovery/v1).
    endpoints = [endpoint for item in slices for endpoint in item.get("endpoints") or ()]
    return sum(1 for endpoint in endpoints if (endpoint.get("conditions") or {}).get("ready") is not False)


def deployment_refusal(deployment: Object | None, ref: ObjectRef, remedy: str) -> Refusal | None:
    """Return why an injector's raw Deployment cannot answer; None when it has an available replica."""
    if deployment is not None and int((deployment.get("status") or {}).get("availableReplicas") or 0) > 0:
        return None
    what = "does not exist" if deployment is None else "has no available replica"
    return Refusal("injector-down", ref, f"{ref} {what}", f"the injector cannot answer: {_UNAVAILABLE}", UNTOUCHED, remedy)


def probe_pod(namespace: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a small pod that even restricted namespaces with a quota accept; it is only for dry runs, so its image is no real one."""
    amounts = {"cpu": "1m", "memory": "1Mi"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _PROBE_NAME, "namespace": namespace, "labels": dict(labels or {})},
        "spec": {
            "containers": [
                {
                    "name": "probe",
                    "image": "probe",
                    "resources": {"requests": amounts, "limits": amounts},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }


def probe_refusals(api: Api, pods: Iterable[Object], hooks: Iterable[Hook], wrong: Callable[[Object], str], remedy: str) -> list[Refusal]:
    """Create one of ``pods`` as a dry run, and judge what comes back; empty when it is right or when nothing can be said.

    ``hooks`` are those of the injector that may be asked about them. ``wrong`` gets the pod as the API server would store it and says
    what is wrong with its sidecar (empty: nothing). A pod that is refused for a reason that is not the injector's (a permission, a
    quota, another webhook) proves nothing: the next one is tried.
    """
    by_name = {hook.name: hook for hook in hooks}
    if not all(hook.dry_runs for hook in by_name.values()):
        return []
    for pod, dummy in zip(pods, range(_NAMESPACES_TO_TRY), strict=False):
        namespace = pod["metadata"]["namespace"]
        try:
            stored = api.within(_PROBE_SECONDS).create(POD, pod, namespace, dry_run=True)
        except AdmissionDenied as error:
            if error.webhook in by_name:
                return [_no_answer(namespace, by_name[error.webhook], error, remedy)]
        except KubeError as error:
            if error.status is None:
                raise
        else:
            reason = wrong(stored)
            return [_wrong_sidecar(namespace, next(iter(by_name.values())), reason, remedy)] if reason else []
    return []


def _no_answer(namespace: str, hook: Hook, error: AdmissionDenied, remedy: str) -> Refusal:
    return Refusal(
        "injector-no-answer",
        hook.ref,
        f"a pod cannot be created in namespace {namespace}: "
        + (f"webhook {hook.name} does not answer" if error.unavailable else f"webhook {hook.name} denies it"),
        f"{error.message}" or "no reason was given",
        f"{UNTOUCHED}; the pod was only tried (dry run)",
        remedy,
    )


def _wrong_sidecar(namespace: str, hook: Hook, reason: str, remedy: str) -> Refusal:
    return Refusal(
        "injector-wrong-sidecar",
        hook.ref,
        f"a new pod in namespace {namespace} would not be as it should: it {reason}",
        "the injector answers, but pods that are replaced now would not get the sidecar that its configuration tells",
        f"{UNTOUCHED}; the pod was only tried (dry run)",
        remedy,
    )
