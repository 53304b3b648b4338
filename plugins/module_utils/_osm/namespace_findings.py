# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is worth knowing about namespaces although nothing keeps the module from its work, and what reading back does not show. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_keys import is_switch
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_plan import CREATE, PODS, after_of, namespace_steps
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import LiveNamespace, NamespacesState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# Who writes the namespace from elsewhere, by the label or annotation that is left there.
_OWNERS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "kapp.k14s.io/app": "kapp",
    "meta.helm.sh/release-name": "Helm",
}
_MOST = 10


def namespace_findings(state: NamespacesState) -> list[Finding]:
    """Return what the reader of the plan should know."""
    return [*_no_match(state), *_pods_unread(state), *_no_webhook(state), *_left_out(state), *_bad_metrics(state), *_owned(state)]


def unproven(state: NamespacesState) -> list[Finding]:
    """Return what is not as it is wanted when everything was applied."""
    found = []
    for step in namespace_steps(state):
        what = {
            CREATE: "it does not exist any more",
            PODS: f"{len((state.scrape or {}).get(step.object.name, ()))} of its pods do not have the wanted annotations",
        }.get(step.action, f"it is not as it is wanted: {step.why}")
        found.append(_gone_back(step.object, what))
    if not state.request.create:
        found += [_gone_back(ObjectRef("Namespace", name), "it does not exist any more") for name in state.missing]
    return found


def _gone_back(ref: ObjectRef, what: str) -> Finding:
    return Finding(
        "error",
        "namespace-not-as-wanted",
        ref,
        what,
        "somebody else writes it as well, for instance what deploys the namespace from a repository",
        "look who does (kubectl get namespace -o yaml --show-managed-fields), and declare the labels and annotations there",
    )


def _no_match(state: NamespacesState) -> Iterator[Finding]:
    if state.request.selector and not state.targets and not state.bad_selector:
        yield Finding(
            "warning",
            "selector-matches-nothing",
            state.mesh.ref,
            f"no namespace matches {state.request.selector}",
            "nothing is done",
            "kubectl get namespaces --show-labels shows what there is",
        )


def _pods_unread(state: NamespacesState) -> Iterator[Finding]:
    if state.pods is None:
        yield Finding(
            "warning",
            "pods-not-read",
            state.mesh.ref,
            f"which pods need a restart{' or have annotations of the mesh' if state.request.state == 'absent' else ''} is not known: "
            f"{state.pods_unread}",
            "labels and annotations of a namespace only reach new pods",
            "grant list pods, or restart the workloads of these namespaces",
        )


def _no_webhook(state: NamespacesState) -> Iterator[Finding]:
    kinds = {hook.ref.kind for hook in state.mesh.webhooks}
    if state.request.state == "present" and state.targets and "MutatingWebhookConfiguration" not in kinds:
        yield Finding(
            "warning",
            "injector-webhook-not-found",
            state.mesh.ref,
            f"no MutatingWebhookConfiguration of mesh {state.mesh.name} was found",
            "new pods get no sidecar until there is one, or it may not be read",
            f"look at {state.mesh.product.injector} in namespace {state.mesh.namespace}, which makes it",
        )


def _left_out(state: NamespacesState) -> Iterator[Finding]:
    if state.request.state != "present":
        return
    names = [item.name for item in state.found if "control-plane" in item.labels or item.labels.get("name") == state.mesh.namespace]
    if names:
        yield Finding(
            "warning",
            "left-out-by-webhook",
            ObjectRef("Namespace", names[0]),
            f"new pods get no sidecar in {_listed(names)}",
            f"the injector's webhook leaves out namespaces with the label control-plane, or name={state.mesh.namespace}",
            "remove that label",
        )


def _bad_metrics(state: NamespacesState) -> Iterator[Finding]:
    if state.request.state != "present":
        return
    key = state.mesh.product.metrics_annotation
    names = [item.name for item in state.found if not is_switch(after_of(state, item.name).annotations.get(key) or "no")]
    if names:
        yield Finding(
            "warning",
            "metrics-annotation-invalid",
            ObjectRef("Namespace", names[0]),
            f"the annotation {key} has a value that the injector cannot read in {_listed(names)}",
            "the injector denies new pods there",
            "set metrics: enabled or metrics: disabled",
        )


def _owned(state: NamespacesState) -> Iterator[Finding]:
    changing = {step.object.name for step in namespace_steps(state)}
    owners: dict[str, list[str]] = {}
    for item in state.found:
        owner = _owner(item) if item.name in changing else ""
        if owner:
            owners.setdefault(owner, []).append(item.name)
    for owner, names in sorted(owners.items()):
        yield Finding(
            "info",
            "namespace-managed-elsewhere",
            ObjectRef("Namespace", names[0]),
            f"{owner} deploys {_listed(names)}",
            "it may take labels and annotations away that its source does not have",
            "declare them there too",
        )


def _owner(namespace: LiveNamespace) -> str:
    return next((owner for key, owner in _OWNERS.items() if key in namespace.annotations or key in namespace.labels), "")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more}"
