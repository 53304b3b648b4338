# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the mesh itself lacks for pods to be enrolled, and what could not be looked at. Pure."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding


def mesh_config(facts: Facts) -> list[Finding]:
    """Without a MeshConfig, or without interception in it, a sidecar does nothing.

    Source: osm-edge v1.3.9 pkg/sidecar/providers/pipy/driver/sidecar.go ``Patch``.
    """
    mesh, ref = facts.mesh, facts.mesh.mesh_config_ref
    if mesh.mesh_config is None:
        return [
            Finding(
                "error",
                "mesh-config-absent",
                ref,
                "does not exist, or may not be read",
                "the injector has no settings, and most requirements cannot be judged without them",
                "look at the bootstrap, which makes it (mesh_info), or grant the permission to list meshconfigs",
            )
        ]
    if facts.with_init:
        return []
    mode = facts.traffic.get("interceptionMode")
    if mode:
        return [
            Finding(
                "info",
                "interception-elsewhere",
                ref,
                f"traffic.interceptionMode is {mode}: new pods get no init container",
                "what redirects their traffic, if anything does, is not in the pods and is not looked at here",
                "nothing, when that is what is wanted",
            )
        ]
    return [
        Finding(
            "error",
            "interception-off",
            ref,
            "traffic.interceptionMode is missing: new pods get a sidecar without an init container",
            "their traffic bypasses the mesh",
            "mesh_config with spec: {traffic: {interceptionMode: iptables}}, or run the upgrade to the same version again",
        )
    ]


def not_checked(facts: Facts) -> list[Finding]:
    """What the user may not read."""
    return [
        Finding(
            "warning",
            "not-checked",
            facts.mesh.ref,
            f"{part} could not be read: {reason}",
            "requirements that need them are taken for fulfilled",
            "grant the permission (docs/rbac/planner-mesh_preflight.yaml has all of them), or check by hand",
        )
        for part, reason in sorted(facts.unread.items())
    ]
