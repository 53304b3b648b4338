# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pod asks for (kubernetes component-helpers/resource/helpers.go PodRequests), and where it may run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.node_fit import admits
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import Amount, pod_request
from ansible_collections.meshops.lifecycle.tests.unit.workloads.capacity_objects import LABELS, container

Object = dict[str, Any]
SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": []}, 0),
        ({"containers": [{"name": "c"}]}, 0),
        ({"containers": [container("500m"), container("0.1")]}, 600),
        # The largest init container runs alone …
        ({"containers": [container("200m")], "initContainers": [container("300m"), container("100m")]}, 300),
        ({"containers": [container("200m")], "initContainers": [container("100m")]}, 200),
        # … and sidecars run with those after them, and with the containers.
        ({"containers": [container("200m")], "initContainers": [container("100m", **SIDECAR)]}, 300),
        ({"containers": [container("200m")], "initContainers": [container("100m", **SIDECAR), container("300m")]}, 400),
        ({"containers": [container("200m")], "initContainers": [container("300m"), container("100m", **SIDECAR)]}, 300),
        ({"containers": [container("200m")], "overhead": {"cpu": "50m"}}, 250),
        # A limit is a request where there is none.
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]}, 1000),
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "200m"}}}]}, 200),
        # Pod-level requests take the place of the containers'.
        ({"containers": [container("200m")], "resources": {"requests": {"cpu": "1"}}}, 1000),
        ({"containers": [container("200m")], "resources": {"requests": {"memory": "1Gi"}}}, 200),
        ({"containers": [container("200m")], "initContainers": None, "overhead": None}, 200),
    ],
)
def test_cpu_of_a_pod(spec: Object, cpu: int) -> None:
    request = pod_request(spec)
    assert (request.cpu, request.pods) == (cpu, 1)


@given(st.lists(st.integers(0, 5000)), st.lists(st.tuples(st.integers(0, 5000), st.booleans())))
def test_a_pod_never_asks_for_less_than_runs_at_any_time(running: list[int], init: list[tuple[int, bool]]) -> None:
    spec = {
        "containers": [container(f"{cpu}m") for cpu in running],
        "initContainers": [container(f"{cpu}m", **(SIDECAR if restartable else {})) for cpu, restartable in init],
    }
    started = 0
    moments = []
    for cpu, restartable in init:
        moments.append(started + cpu)
        started += cpu if restartable else 0
    moments.append(started + sum(running))
    assert pod_request(spec).cpu == max(moments)


def test_what_is_not_asked_for_fits_on_an_overcommitted_node() -> None:
    assert Amount(-100, 50, 1).holds(Amount(0, 50, 1))
    assert not Amount(-100, 50, 1).holds(Amount(1, 50, 1))
    assert not Amount(100, 50, 0).holds(Amount(1, 1, 1))


def affinity(*terms: Object) -> Object:
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [*terms]}}}}


def expression(key: str, operator: str, *values: str) -> Object:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": [*values]}]}


TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
# The required node affinity of every component in chart osm-edge 1.3.9.
OSM = {
    "matchExpressions": [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
    ]
}


@pytest.mark.parametrize(
    ("spec", "taints", "admitted"),
    [
        ({}, [], True),
        ({"nodeSelector": {"kubernetes.io/os": "linux"}}, [], True),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, [], False),
        (affinity(OSM), [], True),
        (affinity(expression("kubernetes.io/arch", "In", "s390x")), [], False),
        (affinity(expression("kubernetes.io/arch", "In", "s390x"), OSM), [], True),
        (affinity({}), [], False),
        (affinity(expression("kubernetes.io/arch", "NotIn", "amd64")), [], False),
        (affinity(expression("pool", "NotIn", "db")), [], True),
        (affinity(expression("pool", "Exists")), [], False),
        (affinity(expression("pool", "DoesNotExist")), [], True),
        (affinity(expression("pool", "Gt", "3")), [], False),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}), [], True),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["m"]}]}), [], False),
        ({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}}, [], True),
        ({}, [TAINT], False),
        ({}, [{**TAINT, "effect": "PreferNoSchedule"}], True),
        ({"tolerations": [{"operator": "Exists"}]}, [TAINT], True),
        ({"tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}]}, [TAINT], True),
        ({"tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}]}, [TAINT], False),
        ({"tolerations": [{"key": "dedicated", "value": "db"}]}, [TAINT], True),
        ({"tolerations": [{"key": "dedicated", "operator": "Equal", "value": "web"}]}, [TAINT], False),
        ({"tolerations": [{"key": "dedicated", "value": "db"}]}, [TAINT, {"key": "other", "effect": "NoExecute"}], False),
    ],
)
def test_where_a_pod_may_run(spec: Object, taints: list[Object], admitted: bool) -> None:
    assert admits("n", LABELS, taints, spec) is admitted
