# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pod templates that ask for, or against, a sidecar by themselves: whose they are, and what their change does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRONJOB, DAEMONSET, DEPLOYMENT, STATEFULSET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_templates import edit_patch, editable, read_templates
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import PodFacts, Verdict
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope, pod_facts
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import namespace, pod

from .sidecar_scenes import Object, cluster, other

KEY = OSM_EDGE.injection_annotation
NAMESPACES = (
    namespace("in", mesh="osm", injection="enabled"),
    namespace("bare", mesh="osm"),
    namespace("was"),
    namespace("never"),
    namespace("theirs", mesh="blue"),
)


class Workloads:
    """An API that has these workloads."""

    def __init__(self, *found: tuple[Kind, Object]) -> None:
        self._found = found

    def list(self, wanted: Kind, *_place: str) -> Iterable[Object]:
        return [item for kind, item in self._found if kind == wanted]

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return [function(item) for item in items]


def workload(place: str, kind: Kind = DEPLOYMENT, value: str = "enabled", owner: str = "", **spec: Any) -> tuple[Kind, Object]:
    annotations = {KEY: value} if value else {"example.com/other": "1"}
    body: Object = {"template": {"metadata": {"annotations": annotations}, "spec": {}}, "replicas": 2, **spec}
    if kind == CRONJOB:
        body = {"jobTemplate": {"spec": body}}
    metadata: Object = {"name": "web", "namespace": place, "uid": "u", "resourceVersion": "1"}
    if owner:
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "App", "name": owner, "uid": "o", "controller": True}]
    return kind, {"kind": kind.kind, "metadata": metadata, "spec": body, "status": {"desiredNumberScheduled": 3}}


def left(place: str) -> PodFacts:
    raw = pod(place)
    del raw["metadata"]["ownerReferences"]
    return pod_facts(raw, Verdict("unexpected"))


def read(*found: tuple[Kind, Object], others: Iterable[Mesh] = ()) -> list[Artefact]:
    seen, subject = cluster(*NAMESPACES, others=others)
    return [*read_templates(cast(Api, Workloads(*found)), seen, subject, Scope(pods=(left("was"),)))]


@pytest.mark.parametrize(
    ("place", "last", "with_another"),
    [("in", "named", "named"), ("was", "named", "named"), ("never", "named", "shared"), ("theirs", "other", "other")],
)
def test_whose_it_is(place: str, last: str, with_another: str) -> None:
    assert [item.owner for item in read(workload(place))] == [last]
    assert [item.owner for item in read(workload(place), others=[other()])] == [with_another]


def test_those_without_the_annotation_and_those_of_the_control_plane_are_none() -> None:
    assert read(workload("in", value=""), workload("osm-system"), workload("blue-elsewhere"), others=[other()]) == []


@pytest.mark.parametrize(
    ("place", "value", "alone"),
    [("in", "enabled", False), ("bare", "Yes", True), ("bare", "disabled", False), ("never", "enabled", True)],
)
def test_one_that_injects_although_its_namespace_does_not_is_told(place: str, value: str, *, alone: bool) -> None:
    (found,) = read(workload(place, value=value))
    assert found.state["alone"] is alone
    assert ("although its namespace does not" in found.found_by) is alone


@pytest.mark.parametrize(
    ("kind", "spec", "pods"),
    [
        (DEPLOYMENT, {}, 2),
        (DEPLOYMENT, {"paused": True}, 0),
        (STATEFULSET, {}, 2),
        (STATEFULSET, {"updateStrategy": {"type": "OnDelete"}}, 0),
        (DAEMONSET, {}, 3),
        (CRONJOB, {}, 0),
    ],
)
def test_how_many_pods_its_change_replaces(kind: Kind, spec: Object, pods: int) -> None:
    (found,) = read(workload("in", kind, **spec))
    assert found.state["pods"] == pods


def test_what_an_operator_owns_is_told_and_not_edited() -> None:
    found = read(workload("in", owner="shop"))
    assert found[0].state["operator"] == "App shop"
    assert editable(found) == {}
    assert [*editable(read(workload("in")))] == [found[0].ref]


def test_the_patch_of_a_cron_job_goes_one_level_deeper() -> None:
    template = {"template": {"metadata": {"annotations": {KEY: None}}}}
    assert edit_patch(DEPLOYMENT, KEY) == {"spec": template}
    assert edit_patch(CRONJOB, KEY) == {"spec": {"jobTemplate": {"spec": template}}}
