# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the reconciler of a mesh is on: it takes back what others do to its CRDs and webhooks. Pure.

Source: osm-edge v1.3.9 pkg/reconciler and charts/osm/templates (``--enable-reconciler``, from the value ``osm.enableReconciler``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

_FLAG = "--enable-reconciler"


def reconciler(mesh: Mesh, observed: Observed) -> dict[str, Any]:
    """Return whether it is enabled, in which components it runs, and how many definitions and webhooks it looks after."""
    label = f"{mesh.product.key_domain}/reconcile"
    app_name = mesh.product.app_name
    crds = [crd.labels for crd in (observed.crds or {}).values() if crd.labels.get("app.kubernetes.io/name") == app_name]
    running = [name for name in mesh.product.deployments if _is_enabled(mesh.deployment(name), name)]
    return {
        "enabled": bool(running),
        "components": running,
        "crds": sum(1 for labels in crds if labels.get(label) == "true"),
        "webhooks": sum(1 for hook in mesh.webhooks if hook.labels.get(label) == "true"),
    }


def reconciler_findings(mesh: Mesh, observed: Observed) -> Iterator[Finding]:
    """Say what an enabled reconciler means for those who change things by hand."""
    found = reconciler(mesh, observed)
    if not found["enabled"]:
        return
    yield Finding(
        "info",
        "reconciler-enabled",
        mesh.ref,
        f"the reconciler runs in {', '.join(found['components'])} and looks after {found['crds']} CustomResourceDefinitions and"
        f" {found['webhooks']} webhook configurations",
        "as long as these Deployments run it takes every change of them back, and makes them again when they are deleted: a repair by"
        " hand does not last, and an uninstallation must remove the control plane first",
        f"to change one, scale these Deployments to 0 first, or upgrade with {mesh.product.values_root}.enableReconciler=false",
    )


def _is_enabled(deployment: Mapping[str, Any] | None, container_name: str) -> bool:
    containers = (deployment or {}).get("spec", {}).get("template", {}).get("spec", {}).get("containers") or ()
    named: Mapping[str, Any] = next((item for item in containers if item.get("name") == container_name), {})
    return _flag_value([*(named.get("command") or ()), *(named.get("args") or ())]) == "true"


def _flag_value(arguments: Sequence[str]) -> str:
    """Return the value of the flag as pflag reads a boolean one: without ``=`` it is true."""
    values = [argument.partition("=") for argument in arguments if argument.partition("=")[0] == _FLAG]
    return (values[-1][2].lower() if values[-1][1] else "true") if values else "false"
