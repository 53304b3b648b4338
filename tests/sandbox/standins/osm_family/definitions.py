# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How definitions get into the cluster: by the bootstrap itself, or in 1.1 by ``kubectl apply`` in its init container."""

from __future__ import annotations

import json
from typing import Any

from .api import Api, Object
from .crds import DEFINITIONS, Crd, manifest
from .pods import ControlPlanePod
from .products import FSM
from .program import Crash
from .versions import Version

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def install(api: Api, crd: Crd, pod: ControlPlanePod, version: Version) -> None:
    """Create the definition, else overwrite its spec, conversion included.

    Source: osm-edge v1.3.9 cmd/osm-bootstrap/osm-bootstrap.go ``applyOrUpdateCRDs``, same in v1.2.3 and osm v1.2.4; fsm v1.5.1
    cmd/fsm-bootstrap/fsm-bootstrap.go has the guard against missing labels, and keeps versions that are stored (``computeVersions``).
    """
    shipped = manifest(crd, pod.product, version)
    label = f"{pod.product.domain}/reconcile"
    shipped["metadata"]["labels"][label] = "true" if pod.reconciles else "false"
    found = api.find(f"{DEFINITIONS}/{crd.name}")
    if found is None:
        shipped["metadata"].setdefault("annotations", {})[LAST_APPLIED] = json.dumps(shipped)
        api.create(DEFINITIONS, shipped)
        return
    if not found["metadata"].get("labels"):
        if pod.product is not FSM:
            # The real code writes into a map that is nil then.
            raise _nil_map(crd)
        found["metadata"]["labels"] = {}
    found["metadata"]["labels"][label] = shipped["metadata"]["labels"][label]
    if pod.product is FSM:
        shipped["spec"]["versions"] += _stored_versions(found, shipped)
    found["spec"] = shipped["spec"]
    api.update(f"{DEFINITIONS}/{crd.name}", found)


def _nil_map(crd: Crd) -> Crash:
    panic = "panic: assignment to entry in nil map"
    trace = ["", "goroutine 1 [running]:", "main.applyOrUpdateCRDs(...)", "main.main()"]
    return Crash(panic, f"the definition {crd.name} has no labels", lines=[panic, *trace], exit_code=2)


def _stored_versions(found: Object, shipped: Object) -> list[dict[str, Any]]:
    known = {entry["name"] for entry in shipped["spec"]["versions"]}
    stored = set(found.get("status", {}).get("storedVersions", [])) - known
    return [entry | {"storage": False} for entry in found["spec"]["versions"] if entry["name"] in stored]


def kubectl_apply(api: Api, crd: Crd, pod: ControlPlanePod, version: Version) -> None:
    """What is in the file becomes so; what is not in it stays, above all a conversion webhook.

    Source: osm-edge v1.1.0 charts/osm/templates/osm-bootstrap-deployment.yaml; upstream issue 4466.
    """
    shipped = manifest(crd, pod.product, version)
    shipped["metadata"].setdefault("annotations", {})[LAST_APPLIED] = json.dumps(shipped)
    if pod.reconciles:
        shipped["metadata"]["labels"][f"{pod.product.domain}/reconcile"] = "true"
    if api.find(f"{DEFINITIONS}/{crd.name}") is None:
        api.create(DEFINITIONS, shipped)
    else:
        # A merge patch does with these files what kubectl does: lists are replaced, keys that are not named stay.
        api.patch(f"{DEFINITIONS}/{crd.name}", {"metadata": shipped["metadata"], "spec": shipped["spec"]})
