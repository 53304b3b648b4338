# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a diagnosis reads, and what it does without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import MASK, Redactor
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.reading import Diagnosis, diagnose
from ansible_collections.meshops.lifecycle.tests.unit.kube.conftest import ScriptedServer, failure
from ansible_collections.meshops.lifecycle.tests.unit.workloads.scripted_namespace import NAMESPACE, Namespace
from ansible_collections.meshops.lifecycle.tests.unit.workloads.test_crash_log import CLI
from ansible_collections.meshops.lifecycle.tests.unit.workloads.troubled_pods import (
    ADVICE,
    crashing,
    deployment,
    event,
    log_line,
    replica_set,
    running,
    unscheduled,
)

NAMES = ("osm-bootstrap", "osm-controller", "osm-injector")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.close()


def found(server: ScriptedServer, namespace: Namespace, *secrets: str) -> Diagnosis:
    server.answer = namespace
    return diagnose(server.api(), "osm-system", NAMES, advice=ADVICE, redactor=Redactor(secrets))


def test_four_lists_and_one_log(server: ScriptedServer) -> None:
    pods = [crashing("osm-controller", template="bbb"), running("osm-injector", ready=True)]
    sets = [replica_set("osm-controller", "bbb", "2")]
    deployments = [deployment("osm-controller"), deployment("osm-injector")]
    namespace = Namespace(deployments=deployments, replica_sets=sets, pods=pods, logs={"osm-controller-1/osm-controller": CLI})
    diagnosis = found(server, namespace)
    (trouble,) = diagnosis.troubles
    assert (trouble.cause, trouble.hopeless, diagnosis.unread) == ("cli-mismatch", True, ())
    paths = sorted(request.path.rpartition("/")[2] for request in server.requests)
    assert paths == ["deployments", "events", "log", "pods", "replicasets"]
    log = next(request for request in server.requests if request.path.endswith("/log"))
    assert log.path == f"{NAMESPACE}/pods/osm-controller-1/log"
    assert log.query == {"container": "osm-controller", "tailLines": "100", "limitBytes": "65536"}
    events = next(request for request in server.requests if request.path.endswith("/events"))
    assert events.query["fieldSelector"] == "type=Warning"


def test_nothing_crashes_and_no_log_is_read(server: ScriptedServer) -> None:
    namespace = Namespace(deployments=[deployment("osm-injector")], pods=[unscheduled("osm-injector", "0/1 nodes: 1 Insufficient cpu")])
    assert [trouble.cause for trouble in found(server, namespace).troubles] == ["insufficient-cpu"]
    assert len(server.requests) == 4


def test_the_log_of_the_run_before_when_the_container_runs_again(server: ScriptedServer) -> None:
    pod = running("osm-controller")
    pod["status"]["containerStatuses"][0].update(lastState={"terminated": {"exitCode": 1}}, restartCount=2)
    namespace = Namespace(deployments=[deployment("osm-controller")], pods=[pod], logs={"osm-controller-1/osm-controller/previous": CLI})
    assert [trouble.cause for trouble in found(server, namespace).troubles] == ["cli-mismatch"]


def test_a_log_that_is_gone_is_no_failure(server: ScriptedServer) -> None:
    diagnosis = found(server, Namespace(deployments=[deployment("osm-controller")], pods=[crashing("osm-controller")]))
    assert ([trouble.cause for trouble in diagnosis.troubles], diagnosis.unread) == (["crash-loop"], ())


def test_missing_permissions_are_told_and_the_rest_is_used(server: ScriptedServer) -> None:
    told = event("osm-controller-1", "FatalInvalidCLIParameters", "Error validating CLI parameters")
    pods = [crashing("osm-controller")]
    deployments = [deployment("osm-controller")]
    diagnosis = found(server, Namespace(deployments=deployments, pods=pods, events=[told], denied=["log"]))
    assert [trouble.cause for trouble in diagnosis.troubles] == ["cli-mismatch"]
    assert diagnosis.unread == ("logs of namespace osm-system: needs the permission to get pods/log in namespace osm-system",)
    diagnosis = found(server, Namespace(deployments=deployments, pods=pods, denied=["log", "events", "replicasets"]))
    assert [trouble.cause for trouble in diagnosis.troubles] == ["crash-loop"]
    assert len(diagnosis.unread) == 3


def test_nothing_may_be_read(server: ScriptedServer) -> None:
    diagnosis = found(server, Namespace(denied=["pods", "deployments", "replicasets", "events"]))
    assert (diagnosis.troubles, len(diagnosis.unread)) == ((), 4)


def test_an_api_server_that_is_gone_costs_seconds_and_is_told(server: ScriptedServer) -> None:
    server.answer = lambda request: failure(500, "InternalError", "etcd is gone")
    diagnosis = diagnose(server.api(request_timeout=2), "osm-system", NAMES, advice=ADVICE)
    assert diagnosis.troubles == ()
    assert all("etcd is gone" in part for part in diagnosis.unread)


def test_pods_of_others_in_the_namespace_are_left_out(server: ScriptedServer) -> None:
    pods = [crashing("shop"), crashing("osm-controller")]
    diagnosis = found(server, Namespace(deployments=[deployment("osm-controller"), deployment("shop")], pods=pods))
    assert [trouble.component for trouble in diagnosis.troubles] == ["osm-controller"]


def test_pods_with_another_label_than_their_deployments_name(server: ScriptedServer) -> None:
    """osm-jaeger's pods are labelled app=jaeger."""
    item = deployment("osm-jaeger")
    item["spec"]["selector"]["matchLabels"] = {"app": "jaeger"}
    server.answer = Namespace(deployments=[item], pods=[crashing("jaeger")])
    diagnosis = diagnose(server.api(), "osm-system", ["osm-jaeger"], advice=ADVICE)
    assert [trouble.object.name for trouble in diagnosis.troubles] == ["jaeger-1"]


def test_known_secrets_are_masked_in_logs_and_events(server: ScriptedServer) -> None:
    secret = "t0psecret-of-vault"
    log = log_line("Error", f"cannot log in to Vault with {secret}", reason="FatalInvalidCertificateManager")
    told = event("osm-injector-1", "Unhealthy", f"Readiness probe failed: {secret}")
    namespace = Namespace(
        deployments=[deployment("osm-controller"), deployment("osm-injector")],
        pods=[crashing("osm-controller"), running("osm-injector")],
        events=[told],
        logs={"osm-controller-1/osm-controller": log},
    )
    diagnosis = found(server, namespace, secret)
    assert secret not in str(diagnosis)
    assert str(diagnosis).count(MASK) == 2


def test_many_crashing_pods_cost_a_bounded_number_of_logs(server: ScriptedServer) -> None:
    pods = []
    for number in range(30):
        pod = crashing("osm-injector")
        pod["metadata"] |= {"name": f"osm-injector-{number}", "uid": f"uid-{number}"}
        pods.append(pod)
    diagnosis = found(server, Namespace(deployments=[deployment("osm-injector")], pods=pods))
    assert len(diagnosis.troubles) == 30
    assert sum(request.path.endswith("/log") for request in server.requests) == 8
