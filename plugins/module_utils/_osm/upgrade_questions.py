# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of the cluster before Helm is going to work: would it take the objects, and what becomes of what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.blocking_edits import blocking_edits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.drift_read import edits_by_hand
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.escalation import escalation
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.server_check import ask_server
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.surge import surge_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_target import Situation
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.room import Room


class Answer(NamedTuple):
    """What the cluster says to the objects that Helm would write; ``missing`` are permissions that only a dry run shows."""

    refusals: tuple[Refusal, ...]
    findings: tuple[Finding, ...]
    missing: tuple[Permission, ...]


def ask_cluster(api: Api, state: UpgradeState, situation: Situation, room: Callable[[], Room] | None) -> Answer:
    """Ask about the rendered objects, what was changed by hand in those that they replace, and whether there is room for their pods."""
    mesh, manifests, namespace = state.mesh, state.target.manifests, situation.base.namespace
    says = ask_server(api, manifests, namespace, situation.before)
    # Helm's rollback compares with the newest revision, its upgrade with the deployed one.
    workloads = [*mesh.deployments, *mesh.daemon_sets]
    compared, other = situation.before, situation.attempted
    if state.target.revision and situation.attempted:
        compared, other = situation.attempted, situation.before
    return Answer(
        refusals=(*says.refusals, *blocking_edits(workloads, compared, manifests, mesh.namespace)),
        findings=(
            *says.findings,
            *edits_by_hand(api, mesh, compared, manifests, other),
            *(surge_findings(room(), manifests, workloads, mesh.namespace, mesh.product) if room is not None else ()),
        ),
        missing=escalation(api, manifests, namespace),
    )
