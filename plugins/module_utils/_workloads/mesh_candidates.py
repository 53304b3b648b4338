# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which meshes a cluster has, for a procedure that serves more than one kind: the choice, and why there is none. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

Family = Literal["osm", "istio"]
_TITLES = {"osm": "the OSM family", "istio": "Istio"}


class MeshCandidate(NamedTuple):
    """A control plane: ``family`` is what the option ``mesh`` calls it, ``name`` the mesh's name."""

    family: Family
    namespace: str
    name: str

    @property
    def target(self) -> str:
        """Return for instance ``osm-system/osm``."""
        return f"{self.namespace}/{self.name}"


def family_of(candidates: Iterable[MeshCandidate]) -> Family | Refusal:
    """Return the one family that a cluster has; a refusal when it has none, or both."""
    found = [*candidates]
    families = sorted({item.family for item in found})
    if len(families) == 1:
        return found[0].family
    cluster = ObjectRef("Cluster", "this cluster")
    if not families:
        return Refusal(
            "no-mesh",
            cluster,
            "there is neither a mesh of the OSM family nor an Istio in this cluster",
            "no Deployment has the label app=osm-controller, app=fsm-controller or app=istiod",
            "nothing was changed",
            "check the connection and its context; where a control plane is gone for good, say which one is meant (mesh: osm or istio)",
        )
    listed = ", ".join(f"{_TITLES[item.family]} ({item.target})" for item in found)
    return Refusal(
        "several-meshes",
        cluster,
        f"the cluster has several kinds of mesh: {listed}",
        "mesh: auto takes the only one that there is",
        "nothing was changed",
        "say which one is meant: mesh: osm or mesh: istio",
    )
