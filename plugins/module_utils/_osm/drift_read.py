# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the chart's objects as they are: one list for each kind, in the mesh's namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP, HPA, PDB, SERVICE, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.drift import drift
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.removed_workloads import removed_workloads
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding

# Deployments and DaemonSets are part of the mesh. Autoscalers are read whatever the chart has: somebody else's may scale a Deployment.
_READ = (SERVICE, CONFIGMAP, PDB)


class LiveObjects(NamedTuple):
    """Objects of a mesh's namespace; of the kinds in ``complete`` all of them. ``findings`` tell what may not be read."""

    objects: tuple[Mapping[str, Any], ...]
    complete: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()


def read_live(api: Api, mesh: Mesh, manifests: Sequence[Mapping[str, Any]]) -> LiveObjects:
    """Return what ``drift`` compares ``manifests`` with: at most four lists, concurrently, of kinds that the manifests have.

    Raises KubeError for anything but a missing permission.
    """
    kinds = [HPA, *(kind for kind in _READ if any(item.get("kind") == kind.kind for item in manifests))]
    answers = api.map(lambda kind: _list(api, kind, mesh.namespace), kinds)
    read = {kind.kind: answer for kind, answer in zip(kinds, answers, strict=True) if isinstance(answer, list)}
    return LiveObjects(
        objects=(*mesh.deployments, *mesh.daemon_sets, *(item for items in read.values() for item in items)),
        complete=frozenset(read),
        findings=tuple(_unknown(mesh, kind, answer) for kind, answer in zip(kinds, answers, strict=True) if isinstance(answer, Forbidden)),
    )


def edits_by_hand(
    api: Api,
    mesh: Mesh,
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    attempted: Sequence[Mapping[str, Any]] = (),
) -> list[Finding]:
    """Return what an upgrade by Helm from manifests ``before`` to those ``after`` makes of changes by hand, and what it deletes.

    ``before`` are of the revision that Helm compares with: the deployed one for an upgrade, the newest one for a rollback. ``attempted``
    are of a later revision that did not end well (for a rollback: of the deployed one). Raises KubeError.
    """
    live = read_live(api, mesh, after)
    return [
        *drift(live.objects, before, after, mesh.namespace, attempted=attempted, complete=live.complete),
        *removed_workloads(before, after, mesh.product, mesh.namespace),
        *live.findings,
    ]


def _list(api: Api, kind: Kind, namespace: str) -> list[dict[str, Any]] | Forbidden:
    try:
        return list(api.list(kind, namespace))
    except NotFound:
        return []  # an API server that is too old for this version of the type
    except Forbidden as error:
        return error


def _unknown(mesh: Mesh, kind: Kind, error: Forbidden) -> Finding:
    return Finding(
        "info",
        "drift-not-known",
        mesh.ref,
        f"changes by hand to {kind.plural} in {mesh.namespace} are not known: not allowed to {error.missing or f'list {kind.plural}'}",
        "what Helm reverts in them is not told beforehand",
        f"allow this user to list {kind.plural} in {mesh.namespace} to see it",
    )
