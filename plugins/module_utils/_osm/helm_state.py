# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the newest record of a mesh's Helm release says, and which revision is the one to start from. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import PENDING, Release, ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import HelmState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_target import templates_digest
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, digest
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import step_id

ACTION, ROLLBACK = "helm_upgrade", "helm_rollback"


def helm_intent(chart_name: str, chart_version: str, templates: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an upgrade through Helm aims at, without any value in plain; ``templates`` is their digest."""
    return {
        "chart": chart_name,
        "version": chart_version,
        "templates": templates,
        "values": hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest(),
    }


def helm_state(release: Release, record: Record | None, now: float) -> HelmState:
    """Return the state of the release; ``now`` in seconds since the epoch.

    A pending revision is ours when it is exactly what a run of this procedure recorded and did not finish: that run's helm
    ended with it, and the Lease proves that the run is over. (A description is of no use: Helm writes it at the end.)
    """
    pending = release.status in PENDING
    templates = templates_digest(release.templates)
    ref, steps = ObjectRef("Release", release.name, release.namespace), record.steps if record is not None else {}
    begun = {steps[step] for step in (step_id(ACTION, ref), step_id(ROLLBACK, ref)) if step in steps}
    return HelmState(
        name=release.name,
        namespace=release.namespace,
        revision=release.revision,
        status=release.status,
        chart_name=release.chart_name,
        chart_version=release.chart_version,
        templates_digest=templates,
        values=release.values,
        pending_since=max(0.0, now - _seconds(release.last_deployed)) if pending else None,
        ours=pending and digest(helm_intent(release.chart_name, release.chart_version, templates, release.values)) in begun,
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
