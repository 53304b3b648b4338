# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods by what is to be said about their sidecar."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import (
    DataPlane,
    data_plane,
    namespace_rows,
    stale_workloads,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_2, PRESET_1_3
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import healthy, namespace, observed, pod

NOW_IMAGE, OLD_IMAGE = "flomesh/pipy:0.90.3-38", "flomesh/pipy:0.70.0-46"
NOW_INIT, OLD_INIT = "flomesh/osm-edge-sidecar-init:1.3.9", "flomesh/osm-edge-sidecar-init:1.2.3"
CURRENT = pod(image=NOW_IMAGE, init=NOW_INIT)
KEY = OSM_EDGE.injection_annotation


def count(*pods: dict[str, Any], **changes: Any) -> DataPlane:
    seen = observed(healthy(**changes), pods=pods)
    counted = data_plane(seen.meshes[0], seen)
    assert counted is not None
    return counted


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (CURRENT, "current"),
        (pod(image=OLD_IMAGE, init=NOW_INIT), "stale"),
        (pod(image=NOW_IMAGE, init=OLD_INIT), "stale"),
        (pod(image=NOW_IMAGE), "stale"),
        (pod(), "missing"),
        (pod(annotations={KEY: "disabled"}), "outside"),
        (pod(hostNetwork=True), "outside"),
        (pod(image=NOW_IMAGE, init=NOW_INIT, annotations={KEY: "disabled"}), "unexpected"),
        (pod("default", image=NOW_IMAGE, init=NOW_INIT), "unexpected"),
        (pod(image=NOW_IMAGE, init=NOW_INIT, mesh="red"), "stale"),
        (pod(image=NOW_IMAGE, init=NOW_INIT, mesh=""), "current"),
        (pod(image=NOW_IMAGE, nodeSelector={"kubernetes.io/os": "windows"}), "current"),
    ],
)
def test_states(raw: dict[str, Any], state: str) -> None:
    counted = count(raw)
    place = raw["metadata"]["namespace"]
    assert counted.by_namespace[place][state] == 1
    assert counted.namespaces_with(state) == [place]


@pytest.mark.parametrize(
    "raw",
    [pod("default"), pod("default", image=NOW_IMAGE, mesh="red"), pod("unlisted"), pod("default", image=NOW_IMAGE, mesh="")],
    ids=["no sidecar", "of another mesh", "namespace created meanwhile", "unnamed sidecar elsewhere"],
)
def test_pods_of_others_do_not_count(raw: dict[str, Any]) -> None:
    counted = count(raw)
    assert counted.by_namespace == {}
    assert counted.as_dict() == DataPlane().as_dict()


def test_stale_by_reason() -> None:
    counted = count(CURRENT, pod(image=OLD_IMAGE, init=NOW_INIT), pod(image=OLD_IMAGE, init=NOW_INIT), pod(image=NOW_IMAGE))
    assert counted.stale == {f"runs {OLD_IMAGE}, new pods get {NOW_IMAGE}": 2, "no osm-init: the pod's traffic bypasses the mesh": 1}
    assert counted.unintercepted == 1


def test_pods_created_while_the_interception_mode_was_missing() -> None:
    """osm-edge 1.3 over a MeshConfig of 1.2 injects without osm-init: new pods look like that, and it is wrong all the same."""
    counted = count(pod(image=OLD_IMAGE), pod(image=OLD_IMAGE, init=NOW_INIT), spec=PRESET_1_2)
    assert counted.unintercepted == 1
    assert counted.current == 1


def test_interception_that_is_switched_off_is_no_fault() -> None:
    spec = copy.deepcopy(PRESET_1_3)
    spec["traffic"]["interceptionMode"] = "none"
    assert count(pod(image=NOW_IMAGE), spec=spec).unintercepted == 0


def test_ignored_namespace() -> None:
    spaces = [namespace("shop", mesh="osm", injection="enabled", **{OSM_EDGE.ignore_label: "anything"})]
    counted = count(CURRENT, pod(), namespaces=spaces)
    assert (counted.pods, counted.unexpected, counted.expected_but_missing) == (2, 1, 0)


def test_nothing_is_stale_without_a_mesh_config() -> None:
    assert count(pod(image=OLD_IMAGE), mesh_configs=[]).stale == {}


def test_unread_pods_are_unknown_not_zero() -> None:
    seen = observed(healthy(), pods=None)
    assert data_plane(seen.meshes[0], seen) is None
    assert namespace_rows(seen.meshes[0], seen.namespaces, None) == [
        {"name": "shop", "injection": "enabled", "metrics": "", "ignored": False}
    ]


def test_workloads_to_restart_first_those_that_are_bypassed() -> None:
    database = pod(image=OLD_IMAGE, init=NOW_INIT)
    database["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "db", "controller": True}]
    bare = pod(image=NOW_IMAGE)
    bare["metadata"]["ownerReferences"] = []
    seen = observed(healthy(), pods=[database, database, pod(image=OLD_IMAGE, init=NOW_INIT), CURRENT, bare])
    rows = [(row.kind, row.name, row.pods, row.unintercepted) for row in stale_workloads(seen.meshes[0], seen)]
    assert rows == [("", "", 1, True), ("Deployment", "app", 1, False), ("StatefulSet", "db", 2, False)]


PODS = st.builds(
    pod,
    st.sampled_from(["shop", "default", "osm-system"]),
    image=st.sampled_from(["", NOW_IMAGE, OLD_IMAGE]),
    init=st.sampled_from(["", NOW_INIT]),
    mesh=st.sampled_from(["osm", "red", ""]),
    annotations=st.sampled_from([{}, {KEY: "enabled"}, {KEY: "disabled"}, {KEY: "perhaps"}]),
)


@given(st.lists(PODS, max_size=20))
def test_every_pod_is_counted_once(pods: list[dict[str, Any]]) -> None:
    seen = observed(healthy(), pods=pods)
    counted = data_plane(seen.meshes[0], seen)
    assert counted is not None
    ours = sum(states["pods"] for states in counted.by_namespace.values())
    outside = sum(states["outside"] for states in counted.by_namespace.values())
    assert ours == counted.current + sum(counted.stale.values()) + counted.expected_but_missing + counted.unexpected + outside
    assert sum(1 for raw in pods if raw["metadata"]["namespace"] == "shop") == counted.pods
    assert sum(row.pods for row in stale_workloads(seen.meshes[0], seen)) == sum(counted.stale.values())
    assert _same_in_any_order(seen, pods)


def _same_in_any_order(seen: Observed, pods: list[dict[str, Any]]) -> bool:
    turned = observed(healthy(), pods=pods[::-1])
    return data_plane(seen.meshes[0], seen) == data_plane(turned.meshes[0], turned)
