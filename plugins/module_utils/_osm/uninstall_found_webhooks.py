# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose each webhook configuration is: by the Service that it leads to, and by name, instance and app. Pure.

The chart's cleanup hook also asks for ``app.kubernetes.io/version``, which says another version after every upgrade, so it leaves them
behind with ``failurePolicy: Fail`` (osm-edge v1.3.9 charts/osm/templates/cleanup-hook.yaml; fixed in upstream's #5191 only).
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import MUTATING_WEBHOOK, VALIDATING_WEBHOOK
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Webhook
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_claims import Claim, Claims
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import NAME_LABEL
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_living import titles

_KINDS = {kind.kind: kind for kind in (MUTATING_WEBHOOK, VALIDATING_WEBHOOK)}
_APP_NAMES = frozenset(product.app_name for product in PRODUCTS)
_APPS = frozenset(app for product in PRODUCTS for app in (product.injector, product.controller))


def webhooks(claims: Claims) -> Iterator[Artefact]:
    """Yield all webhook configurations of the family.

    ``state`` has ``manager`` (who wrote it last), ``fails_closed``, ``services`` (``namespace/name``) and ``endpoints``: the ready ones of
    the least served Service, -1 when it does not exist, None when that is not known.
    """
    observed = claims.observed
    found = {hook.ref: hook for mesh in observed.meshes for hook in mesh.webhooks} | {hook.ref: hook for hook in observed.stray_webhooks}
    for hook in found.values():
        endpoints = hook.endpoints if hook.endpoints is not None else _endpoints(hook, claims)
        claim = _claim(hook, claims, endpoints)
        kind = _KINDS[hook.ref.kind]
        yield Artefact(
            hook.ref,
            kind,
            "mutating-webhook" if kind is MUTATING_WEBHOOK else "validating-webhook",
            claim.owner,
            claim.found_by,
            hook.uid,
            hook.resource_version,
            users=claim.users,
            state={
                "fails_closed": hook.fails_closed,
                "endpoints": endpoints,
                "services": [f"{namespace}/{name}" for namespace, name, dummy in hook.services],
                "manager": hook.manager,
            },
        )


def _endpoints(hook: Webhook, claims: Claims) -> int | None:
    services = claims.observed.leftovers.services if claims.observed.leftovers is not None else {}
    known = [services[namespace, name] for namespace, name, dummy in hook.services if (namespace, name) in services]
    return min(known) if known and len(known) == len(hook.services) else None


def _claim(hook: Webhook, claims: Claims, endpoints: int | None) -> Claim:
    services = [(namespace, name) for namespace, name, dummy in hook.services]
    leads = f"it leads to Service {', '.join(f'{namespace}/{name}' for namespace, name in services)}" if services else "it leads nowhere"
    mesh = claims.other_behind(services)
    if mesh is not None:
        return claims.of_mesh(mesh, leads)
    if claims.leads_to_subject(services):
        if _is_mesh_made(hook):
            return Claim("named", f"{leads} of the control plane")
        return Claim("other", f"{leads} of the control plane, but has neither the name nor the labels of one that the mesh makes")
    app_name = hook.labels.get(NAME_LABEL, "")
    # FSM's chart has some that carry no label app, and are empty until its controller fills them.
    labelled = bool(hook.mesh_name) and app_name in _APP_NAMES and (not hook.app or hook.app in _APPS)
    labels = f"its labels name mesh {hook.mesh_name}" + (f" and {hook.app}" if hook.app else "")
    if (endpoints or 0) > 0:
        return Claim("other", f"{leads}, which is of no mesh here and is served")
    alike = claims.named_alike(hook.mesh_name, app_name)
    if labelled and alike:
        return Claim("other", labels, titles(alike))
    if labelled and claims.is_subjects(hook.mesh_name, app_name):
        return Claim("named", f"{labels}; {leads}")
    if labelled:
        return Claim("unclaimed", f"{labels}, which has no control plane here; {leads}")
    return Claim("other", f"{leads}, and its labels do not say which mesh made it")


def _is_mesh_made(hook: Webhook) -> bool:
    """Whether a control plane can have made it: all that it makes are labelled, and by default named after it."""
    names = (name for product in PRODUCTS for name in (product.mutating_webhook(""), product.validating_webhook("")))
    return hook.labels.get(NAME_LABEL) in _APP_NAMES or hook.ref.name.startswith(tuple(names))
