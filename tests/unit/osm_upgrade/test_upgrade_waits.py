# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a wait that ends without success tells, and when it ends before its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_waits import Waits
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import StepFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads import watch
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import ScriptedServer
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.states import mesh
from ansible_collections.meshops.lifecycle.tests.unit.workloads.scripted_namespace import Namespace
from ansible_collections.meshops.lifecycle.tests.unit.workloads.test_crash_log import CLI, PANIC
from ansible_collections.meshops.lifecycle.tests.unit.workloads.troubled_pods import (
    crashing,
    deployment,
    initializing,
    replica_set,
    running,
    unscheduled,
)

NAMES = frozenset({"osm-bootstrap", "osm-controller", "osm-injector"})
NO_CPU = "0/3 nodes are available: 3 Insufficient cpu. preemption: none"


class Run:
    """Waits against a scripted namespace, with what they report meanwhile."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.lines: list[str] = []

    def rollouts(self, namespace: Namespace, seconds: float) -> StepFailed:
        return self._run(namespace, seconds, lambda waits: waits.for_rollouts(NAMES))

    def mesh_config(self, namespace: Namespace, seconds: float) -> StepFailed:
        return self._run(namespace, seconds, lambda waits: waits.for_mesh_config({"traffic": {}}, "1.3.9", lambda: mesh("1.2.3")))

    def _run(self, namespace: Namespace, seconds: float, wait: Callable[[Waits], None]) -> StepFailed:
        self.server.answer = namespace
        waits = Waits(self.server.api(), mesh("1.3.9"), Deadline(seconds), self.lines.append)
        with pytest.raises(StepFailed) as failed:
            wait(waits)
        return failed.value


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Looks come quickly."""
    for name, seconds in (("_FIRST", 0.1), ("_EVERY", 0.2), ("_CONFIRM", 0.5)):
        monkeypatch.setattr(watch, name, seconds)
    server = ScriptedServer()
    yield Run(server)
    server.close()


def control_plane(*pods: dict[str, Any], logs: dict[str, str] | None = None) -> Namespace:
    """The Deployments of a control plane that have not rolled out, each with its newest ReplicaSet."""
    sets = [replica_set(name, "new", "2") for name in NAMES]
    waiting = [deployment(name, observed=2) for name in sorted(NAMES)]
    for item in waiting:
        item["spec"]["replicas"] = 1
    return Namespace(deployments=waiting, replica_sets=sets, pods=pods, logs=logs)


def test_a_crash_loop_that_does_not_end_ends_the_wait(run: Run) -> None:
    namespace = control_plane(
        crashing("osm-controller", template="new"), running("osm-injector"), logs={"osm-controller-1/osm-controller": CLI}
    )
    started = time.monotonic()
    error = run.rollouts(namespace, 30)
    assert time.monotonic() - started < 10
    assert error.msg == "3 of 3 Deployments will not roll out, however long it takes"
    assert str(error.object) == "Deployment osm-system/osm-controller"
    assert "Please specify the mesh name using --mesh-name" in error.why
    assert "osm.image.registry and osm.image.tag" in error.next
    assert error.next.endswith("then run the same command again")
    assert error.details["diagnosis"][0]["cause"] == "cli-mismatch"


def test_pods_without_room_are_waited_for_to_the_end(run: Run) -> None:
    """Somebody, or an autoscaler, may add a node."""
    error = run.rollouts(control_plane(unscheduled("osm-injector", NO_CPU)), 1.5)
    assert error.msg.startswith("Waited 1.5 s in vain: 3 of 3 Deployments are not rolled out")
    assert "Insufficient cpu" in error.why
    assert "lower osm.injector.resource.requests.cpu" in error.next
    assert any(line.endswith(", osm-injector: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu") for line in run.lines)


def test_old_pods_that_crash_do_not_end_the_wait(run: Run) -> None:
    namespace = control_plane(crashing("osm-controller", template="old"), logs={"osm-controller-1/osm-controller": CLI})
    assert run.rollouts(namespace, 1.5).msg.startswith("Waited 1.5 s in vain")


def test_bootstrap_that_will_not_bring_the_fields(run: Run) -> None:
    log = f"Patching conversion webhook configuration for crd: tcproutes.specs.smi-spec.io\n{PANIC}"
    namespace = control_plane(
        crashing("osm-bootstrap", template="new"), initializing("osm-controller"), logs={"osm-bootstrap-1/osm-bootstrap": log}
    )
    error = run.mesh_config(namespace, 30)
    assert error.msg.startswith("osm-bootstrap will not bring CRD meshconfigs.config.openservicemesh.io")
    assert "kubectl label crd tcproutes.specs.smi-spec.io" in error.next
    assert "repair osm-bootstrap first" in error.next
    assert [item["cause"] for item in error.details["diagnosis"]] == ["crd-without-labels", "waits-for-bootstrap"]


def test_another_component_does_not_end_the_wait_for_bootstrap(run: Run) -> None:
    namespace = control_plane(crashing("osm-controller", template="new"), logs={"osm-controller-1/osm-controller": CLI})
    error = run.mesh_config(namespace, 1.5)
    assert error.msg.startswith("Waited 1.5 s in vain: osm-bootstrap did not bring")
    assert error.details["diagnosis"][0]["cause"] == "cli-mismatch"


def test_nothing_to_be_seen(run: Run) -> None:
    error = run.mesh_config(control_plane(), 0.3)
    assert "no pod of the control plane shows a fault: osm-bootstrap is slow" in error.why
    assert "kubectl logs -n osm-system deployment/osm-bootstrap" in error.next


def test_what_may_not_be_looked_at_is_told(run: Run) -> None:
    namespace = control_plane(crashing("osm-controller", template="new"))
    namespace.denied = {"log", "events"}
    error = run.rollouts(namespace, 0.3)
    assert "not looked at: Events of namespace osm-system: needs the permission to list events in namespace osm-system" in error.why
    assert "get pods/log in namespace osm-system" in error.why
    assert len(error.details["not_looked_at"]) == 2
