# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the injector of a mesh can answer now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, MUTATING_WEBHOOK
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import DesiredSidecar, sidecar_of, stale_reason
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.injector_proof import (
    UNTOUCHED,
    Hook,
    deployment_refusal,
    hook_refusals,
    hooks_of,
    probe_pod,
    probe_refusals,
)

Object = Mapping[str, Any]


def injector_refusals(
    api: Api, mesh: Mesh, namespaces: Sequence[str], wanted: DesiredSidecar | None, *, missing_mode: bool
) -> list[Refusal]:
    """Return why new pods would not come up, or not with the sidecar that is ``wanted``; empty when the injector proved able.

    ``namespaces`` are those where any pod is injected; one of them gets a pod as a dry run. ``missing_mode``: the
    MeshConfig lacks the interception mode of its version.
    """
    product = mesh.product
    remedy = f"bring {product.injector} back: kubectl get pods -n {mesh.namespace} -l app={product.injector}"
    found = [hook for item in api.list(MUTATING_WEBHOOK) for hook in hooks_of(item) if _is_of(hook, mesh)]
    if not found:
        return [_missing(mesh, remedy)]
    refusals = hook_refusals(api, found, remedy)
    ref = ObjectRef("Deployment", product.injector, mesh.namespace)
    down = deployment_refusal(api.get_or_none(DEPLOYMENT, ref.name, ref.namespace), ref, remedy)
    # One that is down has no ready endpoint either: told once.
    if down is not None and not any(refusal.code == "injector-down" for refusal in refusals):
        refusals.append(down)
    if missing_mode:
        refusals.append(_mode_missing(mesh))
    if refusals:
        return refusals
    pods = (probe_pod(namespace) for namespace in namespaces)
    return probe_refusals(api, pods, found, lambda stored: _wrong(stored, product, wanted), remedy)


def _is_of(hook: Hook, mesh: Mesh) -> bool:
    """Told by what it calls: labels of these configurations get lost, and their names can be configured."""
    return hook.name == mesh.product.injector_webhook and hook.service == (mesh.namespace, mesh.product.injector)


def _wrong(stored: Object, product: Product, wanted: DesiredSidecar | None) -> str:
    if sidecar_of(stored, product) is None:
        return "has no sidecar"
    return (stale_reason(stored, product, wanted) if wanted is not None else None) or ""


def _missing(mesh: Mesh, remedy: str) -> Refusal:
    return Refusal(
        "injector-webhook-missing",
        ObjectRef("MutatingWebhookConfiguration", mesh.product.mutating_webhook(mesh.name)),
        f"there is no MutatingWebhookConfiguration that calls {mesh.namespace}/{mesh.product.injector}",
        "pods that are replaced now would come up without a sidecar",
        UNTOUCHED,
        f"{remedy} (it makes the configuration when it starts)",
    )


def _mode_missing(mesh: Mesh) -> Refusal:
    return Refusal(
        "injector-wrong-sidecar",
        mesh.mesh_config_ref,
        "the MeshConfig has no traffic.interceptionMode, which this version of the mesh needs",
        f"new pods would get a sidecar without {mesh.product.init_container}: their traffic would bypass the mesh",
        UNTOUCHED,
        "set it with mesh_config (spec: {traffic: {interceptionMode: iptables}}), or finish the upgrade with mesh_upgrade",
    )
