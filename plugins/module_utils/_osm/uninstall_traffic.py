# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the traffic of a mesh loses while and after its sidecars go. Pure.

Source: osm-edge v1.3.9 pkg/configurator/methods.go (what an absent key means) and osm-edge-docs release-v1.3, guides/operating/uninstall.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_choice import removes_sidecars, running, sidecar_work
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def traffic_findings(inventory: Inventory) -> Iterator[Finding]:
    """Say who may be cut off while sidecars are removed, and what protects the traffic no longer."""
    subject = inventory.subject
    if subject is None or subject.mesh is None or not removes_sidecars(inventory) or not sidecar_work(inventory):
        return
    traffic: Any = subject.mesh.mesh_config_spec.get("traffic") or {}
    ref = subject.mesh.mesh_config_ref
    if subject.mesh.mesh_config is not None and running(inventory) and not traffic.get("enableEgress"):
        yield Finding(
            "warning",
            "egress-restricted",
            ref,
            "traffic.enableEgress is off",
            "a pod that is still in the mesh cannot call one that has left it: its sidecar takes that for traffic to the outside",
            "set traffic.enableEgress: true (meshops.lifecycle.mesh_config) until the sidecars are gone; it works at once",
        )
    if not inventory.request.refresh.ordered:
        yield Finding(
            "info",
            "order-unknown",
            ObjectRef("Mesh", subject.name, subject.namespace),
            "namespaces lose their sidecars in the order of their names",
            "a server that is still in the mesh refuses a client that has left it, because that has no certificate any more",
            "name the servers' namespaces first (ordered), or accept that calls fail until both have left",
        )
    permissive = bool(traffic.get("enablePermissiveTrafficPolicyMode"))
    yield Finding(
        "info",
        "traffic-unprotected",
        ref,
        "traffic is no longer encrypted and no longer restricted by the mesh"
        if not permissive
        else "traffic is no longer encrypted by the mesh, which restricted nothing (permissive mode)",
        "without sidecars only NetworkPolicies decide who may call whom: where there are none, everybody may call everybody",
        "add NetworkPolicies to the namespaces that need them before they leave the mesh",
    )
