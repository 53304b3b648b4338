# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done to each namespace. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_keys import Keys, differing, wanted_keys, with_keys
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import (
    LiveNamespace,
    NamespacesState,
    ScrapedPod,
    not_yet,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import SCRAPE, scrape_patch
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission, Step, step_id

CREATE, PATCH, PODS = "create", "patch", "annotate_pods"
# A diff of more pods than that says nothing more.
_PODS_SHOWN = 20


# Asked for several times on one observation, by the plan, its findings and its proof.
@lru_cache(maxsize=2)
def namespace_steps(state: NamespacesState) -> tuple[Step, ...]:
    """Return one step per namespace that is not as it is wanted, and one per namespace that has pods to annotate."""
    steps: list[Step] = []
    for name in state.targets:
        namespace = state.namespaces.get(name)
        if namespace is None:
            steps += [_create(state, name)] if state.request.create else []
            continue
        keys = wanted_keys(state.request, state.mesh, namespace)
        changes = differing(keys, namespace, state.mesh.product)
        if changes:
            steps.append(_patch(state, namespace, keys, changes))
        pods = (state.scrape or {}).get(name, ())
        if pods:
            steps.append(_annotate(state, name, pods))
    return tuple(steps)


def after_of(state: NamespacesState, name: str) -> LiveNamespace:
    """Return the target as it is to be."""
    namespace = state.namespaces.get(name)
    if namespace is None:
        return with_keys(not_yet(name), wanted_keys(state.request, state.mesh, not_yet(name))) if state.request.create else not_yet(name)
    keys = wanted_keys(state.request, state.mesh, namespace)
    return with_keys(namespace, keys) if differing(keys, namespace, state.mesh.product) else namespace


def _create(state: NamespacesState, name: str) -> Step:
    keys = wanted_keys(state.request, state.mesh, not_yet(name))
    return Step(
        CREATE,
        ObjectRef("Namespace", name),
        why=f"does not exist; {_purpose(state.request, state.mesh.name)}",
        desired=keys.as_desired(),
        after=_shown(with_keys(not_yet(name), keys)),
        permissions=(Permission("create", "", "namespaces"),),
    )


def _patch(state: NamespacesState, namespace: LiveNamespace, keys: Keys, changes: list[tuple[str, str | None, str | None]]) -> Step:
    name = namespace.name
    # A request for one namespace is authorized in that namespace as well (apiserver pkg/endpoints/request/requestinfo.go).
    permission = Permission("patch", "", "namespaces", name, name)
    return Step(
        PATCH,
        ObjectRef("Namespace", name),
        why="; ".join(_told(change, state.request, state.mesh.product) for change in changes),
        # Who is moved while its pods run has two meshes that do not trust each other until all of them are restarted.
        risk="disruptive" if keys.leaves else "low",
        desired=keys.as_desired(),
        before=_shown(namespace),
        after=_shown(with_keys(namespace, keys)),
        uid=namespace.uid,
        resource_version=namespace.resource_version,
        permissions=(permission,),
    )


def _annotate(state: NamespacesState, name: str, pods: tuple[ScrapedPod, ...]) -> Step:
    ref, scrape = ObjectRef("Namespace", name), bool(state.request.scrape)
    shown = pods[:_PODS_SHOWN]
    return Step(
        PODS,
        ref,
        why=f"{len(pods)} of its pods {'lack' if scrape else 'have'} the annotations by which Prometheus finds their sidecars",
        desired={"annotations": dict(SCRAPE) if scrape else dict.fromkeys(SCRAPE)},
        before={"pods": {pod.name: dict(pod.annotations) for pod in shown}},
        after={"pods": {pod.name: _patched(pod, scrape) for pod in shown}},
        # New pods get theirs from the injector, which looks at the namespace: first that, then the pods that are left.
        needs=(step_id(PATCH, ref),),
        simulated="each of its pods is patched, and which they are is seen then",
        permissions=(Permission("patch", "", "pods", name),),
    )


def _patched(pod: ScrapedPod, scrape: bool) -> dict[str, str]:
    merged: dict[str, str | None] = {**pod.annotations, **scrape_patch(pod.annotations, scrape)}
    return {key: value for key, value in merged.items() if value is not None}


def _shown(namespace: LiveNamespace) -> dict[str, Any]:
    """Return those of the namespace's labels and annotations that the family knows."""
    return {"metadata": {"labels": _of_family(namespace.labels), "annotations": _of_family(namespace.annotations)}}


def _of_family(pairs: Mapping[str, str]) -> dict[str, str]:
    domains = {product.key_domain for product in PRODUCTS}
    return {key: value for key, value in pairs.items() if key.partition("/")[0] in domains}


def _purpose(request: NamespaceRequest, mesh: str) -> str:
    if request.state == "ignored":
        return f"is kept out of mesh {mesh}"
    return f"joins mesh {mesh} with injection {request.injection or 'enabled'}"


def _told(change: tuple[str, str | None, str | None], request: NamespaceRequest, product: Product) -> str:
    """Say one change and, where the command line of the mesh would not have made it, that this is meant."""
    key, now, wanted = change
    domain, _slash, word = key.partition("/")
    text = f"{word if domain == product.key_domain else key} {_value(now)} → {_value(wanted)}"
    if key == product.ignore_label and now is not None and request.state == "present":
        return f"{text} (it was ignored, and state=present undoes that)"
    return text


def _value(value: str | None) -> str:
    return "(none)" if value is None else value or "(empty)"
