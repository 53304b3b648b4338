# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Helm operation of somebody else: wait for it to end."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.coordination import KubeRecordStore, object_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import PENDING
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.wait import poll_until
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_state import helm_state
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade import NAME
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_refusals import release_pending
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import HelmState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import refused


def wait_while_pending(api: Api, mesh: Mesh, deadline: Deadline, progress: Callable[[str], None]) -> Mesh:
    """Return the mesh when no young foreign Helm operation is pending on its release; raises Refused when it outlasts the deadline.

    Not waited for: a revision that an earlier run of ours began (its helm ended with it), and one older than the timeout, which is taken
    for dead. One that grows that old while it is waited for is not: what is left of the time would not do for the upgrade.
    """
    records = KubeRecordStore(api, mesh.namespace, object_name(NAME, mesh.name))

    def foreign(found: Mesh) -> HelmState | None:
        """Return the state of the release when a Helm operation of somebody else is pending on it."""
        if found.release is None or found.release.status not in PENDING:
            return None
        state = helm_state(found.release, records.read(), time.time())
        return None if state.ours else state

    pending = foreign(mesh)
    if pending is None or (pending.pending_since or 0.0) >= deadline.seconds:
        return mesh
    found, ended = poll_until(
        lambda: select_mesh(discover(api, mesh_name=mesh.name, data_plane=False), mesh.name, mesh.namespace),
        lambda state: foreign(state) is None,
        deadline,
        on_wait=lambda state: progress(f"release {state.release.name} is {state.release.status}: waiting" if state.release else "waiting"),
    )
    if not ended:
        raise refused(f"{NAME} of {mesh.namespace}/{mesh.name}", [release_pending(foreign(found) or pending, deadline.seconds)])
    return found
