# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A refresh from the look at the cluster to its proof, on a simulated cluster."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, NAMESPACE, REPLICASET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_procedure import SidecarRefresh, unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_run import Clock

from .simulated_cluster import NEW, SimulatedCluster, SimulatedRules


@pytest.fixture
def cluster() -> SimulatedCluster:
    made = SimulatedCluster()
    made.put(NAMESPACE, {"metadata": {"name": "shop", "namespace": ""}})
    return made


def refresh(cluster: SimulatedCluster, **options: Any) -> SidecarRefresh:
    rules = SimulatedRules(cluster)
    clock = Clock(cluster.now, cluster.now, cluster.sleep)
    asked = Options(**{"pods_per_minute": 0, **options})
    return SidecarRefresh(cast(Api, cluster), lambda: rules, asked, Deadline(3600), Progress(), clock)


def unproven_after(made: SidecarRefresh) -> list[str]:
    """Do what ``made`` plans as a run does it, and return what is not proven then."""
    procedure = made.procedure()
    (phase,) = procedure.phases
    seen = procedure.observe(None)
    record = Record("", {}, procedure.merge_base(seen))
    assert phase.run is not None
    outcomes, failure = phase.run(phase.plan(seen), lambda: None)
    assert failure is None
    assert [outcome.outcome for outcome in outcomes] == ["done"]
    return [finding.what for finding in unproven(procedure.observe(record))]


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICASET])
@pytest.mark.parametrize("token", ["", "CHG-1"])
def test_a_restart_in_the_second_in_which_its_pods_were_created_is_proven(cluster: SimulatedCluster, kind: Kind, token: str) -> None:
    cluster.workload(kind, "web", 2)
    cluster.injected = NEW
    before = {pod["metadata"]["uid"] for pod in cluster.pods("web")}
    assert {pod["metadata"]["creationTimestamp"] for pod in cluster.pods("web")} == {cluster.stamp()}
    assert unproven_after(refresh(cluster, state="restarted", token=token)) == []
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in cluster.pods("web"))


def test_who_refreshes_loses_no_second(cluster: SimulatedCluster) -> None:
    cluster.workload(DEPLOYMENT, "web", 2)
    begun = cluster.time
    unproven_after(refresh(cluster))
    assert cluster.writes[0][0] == begun
