# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else writes the objects of a hosted cluster: a repository, an add-on of ACM, an autoscaler of the user's own. Pure.

Whoever does would take back what a procedure writes, and make again what it deletes. Told by the marks that these tools leave
(argo-cd docs/user-guide/resource_tracking.md, fluxcd kustomize-controller and helm-controller, open-cluster-management.io/api/work)
and by the field managers that the API server keeps in ``managedFields``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, metadata_of, ref_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = dict[str, Any]


class Tool(NamedTuple):
    """A tool that keeps objects as they are written elsewhere; ``pause`` is how it is told to leave one alone."""

    name: str
    pause: str


ARGO = Tool("Argo CD", "turn off automated sync of the Application, or take the object out of it")
FLUX = Tool("Flux", "flux suspend kustomization, or flux suspend helmrelease")
ACM = Tool(
    "Open Cluster Management (ACM)",
    "take the object out of the ManifestWork on the hub, or give the ManifestWork the deleteOption Orphan and delete it",
)
ACM_IMPORT = Tool("the hypershift add-on of ACM", "detach the managed cluster on the hub, and import it again after the move")
HELM = Tool("Helm", "let nobody run helm upgrade or helm rollback of that release")
KUBECTL_APPLY = Tool("kubectl apply", "let nobody, and no pipeline, apply its manifests")


class Writer(NamedTuple):
    """A tool that writes one object. ``continuous``: again and again, without anybody asking. ``evidence``: how that is known."""

    tool: Tool
    object: ObjectRef
    continuous: bool
    evidence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the public form that results carry."""
        return {
            "tool": self.tool.name,
            "object": self.object.as_dict(),
            "continuous": self.continuous,
            "evidence": self.evidence,
        }


# By the beginning of a key of an annotation or a label.
_KEYS: Mapping[str, tuple[Tool, bool]] = {
    "argocd.argoproj.io/tracking-id": (ARGO, True),
    "argocd.argoproj.io/instance": (ARGO, True),
    "kustomize.toolkit.fluxcd.io/name": (FLUX, True),
    "helm.toolkit.fluxcd.io/name": (FLUX, True),
    "open-cluster-management.io/appliedManifestWork": (ACM, True),
    "work.open-cluster-management.io/": (ACM, True),
    "apps.open-cluster-management.io/hosting-subscription": (ACM, True),
    "cluster.open-cluster-management.io/": (ACM_IMPORT, False),
    "meta.helm.sh/release-name": (HELM, False),
}
# By the beginning of a field manager's name.
_MANAGERS: Mapping[str, tuple[Tool, bool]] = {
    "argocd": (ARGO, True),
    "argo-cd": (ARGO, True),
    "kustomize-controller": (FLUX, True),
    "helm-controller": (FLUX, True),
    "work-agent": (ACM, True),
    "klusterlet": (ACM, True),
    "Helm": (HELM, False),
    "kubectl-client-side-apply": (KUBECTL_APPLY, False),
    "helm": (HELM, False),
}
# The agent of ACM owns what a ManifestWork has made (open-cluster-management.io/api/work/v1 AppliedManifestWork, cluster-scoped).
_OWNERS = {"AppliedManifestWork": ACM}


def writers_of(item: Object) -> tuple[Writer, ...]:
    """Return who else writes one object, each tool once, by the first thing that shows it."""
    found: dict[Tool, Writer] = {}
    for tool, continuous, evidence in _signs(item):
        found.setdefault(tool, Writer(tool, ref_of(item), continuous, evidence))
    return tuple(found.values())


def writers(inventory: Inventory) -> tuple[Writer, ...]:
    """Return who else writes the HostedCluster, its NodePools, or what is in its control-plane namespace."""
    top = [inventory.hosted_cluster, *inventory.node_pools, *([inventory.control_plane] if inventory.control_plane else [])]
    return tuple(writer for items in (top, *inventory.objects.values()) for item in items for writer in writers_of(item))


def field_managers(items: Iterable[Object]) -> dict[str, list[str]]:
    """Return the field managers that wrote something else than a status, with what they wrote: {"hypershift": ["HostedCluster c/p"]}."""
    found: dict[str, list[str]] = {}
    for item in items:
        for entry in metadata_of(item).get("managedFields") or ():
            if entry.get("manager") and entry.get("subresource") != "status":
                told = found.setdefault(str(entry["manager"]), [])
                if str(ref_of(item)) not in told:
                    told.append(str(ref_of(item)))
    return found


def _signs(item: Object) -> Iterator[tuple[Tool, bool, str]]:
    """Yield what shows a writer, the clearest first."""
    metadata = metadata_of(item)
    for where in ("annotations", "labels"):
        for key, value in sorted((metadata.get(where) or {}).items()):
            for beginning, (tool, continuous) in _KEYS.items():
                if str(key).startswith(beginning):
                    yield tool, continuous, f"{where[:-1]} {key}: {value}"
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("kind") in _OWNERS:
            yield _OWNERS[reference["kind"]], True, f"owned by {reference['kind']} {reference.get('name', '')}"
    for entry in metadata.get("managedFields") or ():
        manager = str(entry.get("manager") or "")
        for beginning, (tool, continuous) in _MANAGERS.items():
            if manager.startswith(beginning) and entry.get("subresource") != "status":
                yield tool, continuous, f"field manager {manager}"
