# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the newest record of a mesh's Helm release says, and which revision is the one to start from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import PENDING, Release, ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import HelmState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_target import templates_digest
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record

DESCRIPTION = "meshops.lifecycle mesh_upgrade"


def helm_state(release: Release, record: Record | None, now: float) -> HelmState:
    """Return the state of the release; ``now`` in seconds since the epoch.

    A pending revision is ours when a run of this procedure has not finished (it left its record) and the revision carries
    our description: that run's helm ended with it, and the Lease proves that the run is over.
    """
    pending = release.status in PENDING
    return HelmState(
        name=release.name,
        namespace=release.namespace,
        revision=release.revision,
        status=release.status,
        chart_name=release.chart_name,
        chart_version=release.chart_version,
        templates_digest=templates_digest(release.templates),
        values=release.values,
        pending_since=max(0.0, now - _seconds(release.last_deployed)) if pending else None,
        ours=pending and record is not None and release.description.startswith(DESCRIPTION),
    )


def base_revision(history: Sequence[ReleaseInfo]) -> int | None:
    """Return the revision whose values and preset the mesh is running with, None when nothing was ever deployed.

    It is the newest one that is deployed; after a failed rollback there is none, then the newest that once was.
    """
    for statuses in (("deployed",), ("superseded",), ("failed",)):
        found = [info.revision for info in history if info.status in statuses]
        if found:
            return max(found)
    return None


def _seconds(time: str) -> float:
    """Return an RFC 3339 time as seconds since the epoch, 0 when it cannot be read (then it is old)."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0
