# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first write of each way, and when it is not made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Call, Conflict, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT, REPLICATION_CONTROLLER, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.completion import RC_PHASE
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import TOKEN, Task, Way
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_begin import Begun, begin

from .simulated_cluster import Object, SimulatedCluster, template_token

CONFIG = Kind("apps.openshift.io/v1", "DeploymentConfig", "deploymentconfigs")
ROLLOUT = Kind("argoproj.io/v1alpha1", "Rollout", "rollouts")
NOW = 1_767_323_045.0


class Cluster(SimulatedCluster):
    """Serves ``instantiate``, unless it is ``old``."""

    old = False

    def post(self, kind: Kind, name: str, namespace: str | None, subresource: str, body: Mapping[str, Any]) -> Object:
        self.writes.append((self.time, subresource, str(dict(body))))
        if self.old:
            raise NotFound(Call("create", name, "/", "simulated"), status=404)
        live = self.there(kind, namespace or "", name)
        live["status"]["latestVersion"] += 1
        return live


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def made(cluster: SimulatedCluster, kind: Kind, **fields: Any) -> Object:
    body = {"metadata": {"name": "a", "namespace": "ns"}, "spec": {"template": {"metadata": {}}}, "status": {}, **fields}
    return cluster.put(kind, body)


def begun(cluster: SimulatedCluster, kind: Kind, way: Way, live: Object, token: str = "") -> Begun:
    metadata = live["metadata"]
    ref = ObjectRef(kind.kind, "a", "ns")
    task = Task("id", ref, kind, way, 1, "stale", metadata["uid"], metadata["resourceVersion"], token)
    return begin(cast(Api, cluster), task, NOW)


def test_a_deployment_config_is_instantiated_as_it_is(cluster: Cluster) -> None:
    live = made(cluster, CONFIG, status={"latestVersion": 3})
    assert begun(cluster, CONFIG, "instantiate", live)[:2] == ("begun", "4")
    ((_time, verb, body),) = cluster.writes
    assert verb == "instantiate"
    assert "'latest': False, 'force': True" in body
    assert "'kind': 'DeploymentRequest', 'apiVersion': 'apps.openshift.io/v1', 'name': 'a'" in body


@pytest.mark.parametrize(("phase", "state"), [("", "already"), ("Running", "already"), ("Complete", "begun"), ("Failed", "begun")])
def test_a_deployment_config_that_is_at_it_is_waited_for(cluster: Cluster, phase: str, state: str) -> None:
    live = made(cluster, CONFIG, status={"latestVersion": 3})
    metadata = {"name": "a-3", "namespace": "ns", "annotations": {RC_PHASE: phase}}
    cluster.put(REPLICATION_CONTROLLER, {"metadata": metadata})
    assert begun(cluster, CONFIG, "instantiate", live).state == state


def test_an_old_openshift_gets_the_next_version(cluster: Cluster) -> None:
    cluster.old = True
    live = made(cluster, CONFIG, status={"latestVersion": 3})
    assert begun(cluster, CONFIG, "instantiate", live)[:2] == ("begun", "4")
    assert live["status"]["latestVersion"] == 4


def test_a_paused_deployment_config_is_left(cluster: Cluster) -> None:
    with pytest.raises(StepFailed, match="is paused"):
        begun(cluster, CONFIG, "instantiate", made(cluster, CONFIG, spec={"paused": True}))
    assert not cluster.writes


def test_a_rollout_is_told_when_its_pods_are_too_old(cluster: Cluster) -> None:
    live = made(cluster, ROLLOUT)
    result = begun(cluster, ROLLOUT, "restart_at", live)
    assert result == ("begun", "2026-01-02T03:04:05Z", "", cluster.stamp())
    assert live["spec"]["restartAt"] == "2026-01-02T03:04:05Z"


def test_a_rollout_that_restarts_already_is_waited_for(cluster: Cluster) -> None:
    live = made(cluster, ROLLOUT, spec={"restartAt": "2026-01-01T00:00:00Z"}, status={"restartedAt": "2025-01-01T00:00:00Z"})
    assert begun(cluster, ROLLOUT, "restart_at", live)[:2] == ("already", "2026-01-01T00:00:00Z")
    assert not cluster.writes
    live["status"]["restartedAt"] = "2026-01-01T00:00:00Z"
    assert begun(cluster, ROLLOUT, "restart_at", live).state == "begun"


@pytest.mark.parametrize("way", ["rollout", "instantiate", "restart_at", "wait"])
def test_what_is_gone_is_gone(cluster: Cluster, way: Way) -> None:
    task = Task("id", ObjectRef("Deployment", "a", "ns"), DEPLOYMENT, way, 1, "stale", "uid-1", "1", "t1")
    assert begin(cast(Api, cluster), task, NOW).state == "gone"
    made(cluster, DEPLOYMENT)
    other = begin(cast(Api, cluster), Task("id", task.object, DEPLOYMENT, way, 1, "stale", "uid-9", "1", "t1"), NOW)
    assert (other.state, other.message) == ("gone", "it was deleted and made anew meanwhile: its pods are new")


def test_an_answer_that_was_lost_is_our_own_write(cluster: Cluster) -> None:
    live = made(cluster, DEPLOYMENT)
    first = [True]

    def fault(verb: str, kind: Kind, name: str) -> None:
        if verb == "patch" and first:
            first.clear()
            live["spec"]["template"]["metadata"]["annotations"] = {TOKEN: "t1"}
            cluster.touch(live)
            conflict = Conflict(Call(verb, f"{kind.kind} {name}", "/", "simulated"), status=409)
            conflict.after_lost_answer = True
            raise conflict

    cluster.fault = fault
    assert begun(cluster, DEPLOYMENT, "rollout", live, "t1").state == "begun"
    assert not cluster.writes


def test_a_status_that_never_rests_does_not_keep_the_patch_off(cluster: Cluster) -> None:
    live = made(cluster, DEPLOYMENT)
    tries = [0]

    def fault(verb: str, _kind: Kind, _name: str) -> None:
        tries[0] += verb == "patch"
        if verb == "patch" and tries[0] < 8:
            cluster.touch(live)

    cluster.fault = fault
    assert begun(cluster, DEPLOYMENT, "rollout", live, "t1").state == "begun"
    assert (template_token(live), tries) == ("t1", [8])
    tries[0] = -100
    with pytest.raises(Conflict):
        begun(cluster, DEPLOYMENT, "rollout", live, "t2")


@pytest.mark.parametrize(
    ("kind", "fields", "mark"),
    [
        (ROLLOUT, {"spec": {"restartAt": "2026-01-01T00:00:00Z"}}, "2026-01-01T00:00:00Z"),
        (CONFIG, {"status": {"latestVersion": 7}}, "7"),
        (DEPLOYMENT, {}, ""),
    ],
)
def test_waiting_finds_its_mark(cluster: Cluster, kind: Kind, fields: Object, mark: str) -> None:
    assert begun(cluster, kind, "wait", made(cluster, kind, **fields))[:2] == ("already", mark)
    assert not cluster.writes
