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
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline


def wait_while_pending(api: Api, mesh: Mesh, deadline: Deadline, progress: Callable[[str], None]) -> Mesh:
    """Return the mesh when no young foreign Helm operation is pending on its release, or as it is when the time is over.

    Not waited for: a revision that an earlier run of ours began (its helm ended with it), and one older than the timeout, which is taken
    for dead. Whoever plans on the returned mesh refuses a release that is still pending.
    """

    records = KubeRecordStore(api, mesh.namespace, object_name(NAME, mesh.name))

    def worth_waiting(found: Mesh) -> bool:
        release = found.release
        if release is None or release.status not in PENDING:
            return False
        state = helm_state(release, records.read(), time.time())
        return not state.ours and (state.pending_since or 0.0) < deadline.seconds

    if not worth_waiting(mesh):
        return mesh
    found, _done = poll_until(
        lambda: select_mesh(discover(api, mesh_name=mesh.name, data_plane=False), mesh.name, mesh.namespace),
        lambda state: not worth_waiting(state),
        deadline,
        on_wait=lambda state: progress(f"release {state.release.name} is {state.release.status}: waiting" if state.release else "waiting"),
    )
    return found
