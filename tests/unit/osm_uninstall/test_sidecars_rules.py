# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose sidecar a pod has, when its mesh is uninstalled."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.scrape import SCRAPE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecar_rules import RemovalRules
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import namespace, pod

from .sidecar_scenes import Object, cluster, other

NO_API = cast(Api, None)
NAMESPACES = (
    namespace("shop", mesh="osm", injection="enabled"),
    namespace("left"),
    namespace("moved", mesh="blue", injection="enabled"),
    namespace("fsm", mesh="osm", product=FSM),
)


def rules(*others: Mesh, product: Product = OSM_EDGE, secrets: Collection[tuple[str, str]] = ()) -> RemovalRules:
    seen, subject = cluster(*NAMESPACES, others=others)
    subject = subject if product is OSM_EDGE else Subject("osm", "osm-system", product)
    return RemovalRules(NO_API, seen, subject, secrets)


def sidecar(place: str = "shop", mesh: str = "osm", product: Product = OSM_EDGE, uuid_of: Product | None = None, **fields: Any) -> Object:
    found = pod(place, image="proxy:1", mesh=mesh, product=product, **fields)
    found["metadata"]["labels"][(uuid_of or product).pod_uuid_label] = "1"
    return found


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        (sidecar(), True),
        (sidecar("left"), True),
        (sidecar("moved"), True),
        (sidecar("moved", mesh="blue"), False),
        (sidecar(mesh="blue"), False),
        (sidecar(product=OSM), False),
        (sidecar("fsm", product=FSM), False),
        (pod("shop"), False),
        (sidecar("unlisted"), True),
    ],
    ids=["enrolled", "left", "moved", "of-the-other", "stranger", "envoy", "fsm-alike", "none", "new-namespace"],
)
def test_whose_sidecar_it_is(raw: Object, *, ours: bool) -> None:
    assert rules().judge(raw).has_sidecar is ours
    assert rules().judge(raw).state in ("unexpected", "outside")


@pytest.mark.parametrize(
    ("place", "alone", "with_another"),
    [("shop", True, True), ("left", True, False), ("moved", False, False), ("fsm", False, False)],
)
def test_a_sidecar_that_names_no_mesh(place: str, *, alone: bool, with_another: bool) -> None:
    """Open Service Mesh's: by the namespace, or because there is no other mesh that it could be of."""
    raw = sidecar(place, mesh="", product=OSM)
    assert rules(product=OSM).judge(raw).has_sidecar is alone
    assert rules(other("red", OSM), product=OSM).judge(raw).has_sidecar is with_another


def test_a_bootstrap_secret_tells_whose_it_is() -> None:
    raw = sidecar("moved", mesh="", product=OSM)
    raw["spec"]["volumes"][-1]["secret"] = {"secretName": "envoy-bootstrap-config-1"}
    assert not rules(product=OSM).judge(raw).has_sidecar
    assert rules(other("red", OSM), product=OSM, secrets={("moved", "envoy-bootstrap-config-1")}).judge(raw).has_sidecar


def test_templates_are_judged_as_if_the_namespace_were_out() -> None:
    template: Object = {"metadata": {"namespace": "shop", "annotations": {OSM_EDGE.injection_annotation: "maybe"}}, "spec": {}}
    assert not rules().injects(template)
    assert rules().denies(template) == ""


def test_a_twin_would_inject_again() -> None:
    template: Object = {"metadata": {"namespace": "shop"}, "spec": {}}
    assert rules(other("osm", OSM)).injects(template)


def test_scraped_pods_are_remembered_when_their_annotations_are_the_mesh_s_own() -> None:
    found = rules()
    found.judge(sidecar(annotations=SCRAPE))
    found.judge({**sidecar("left", annotations={**SCRAPE, "prometheus.io/port": "8080"})})
    found.judge(sidecar(mesh="blue", annotations=SCRAPE))
    assert found.scraped == {("shop", "app-5d7f-x")}


def test_without_a_control_plane_there_are_rules_all_the_same() -> None:
    seen, _subject = cluster(*NAMESPACES)
    bare = RemovalRules(NO_API, seen, Subject("osm", "", OSM_EDGE))
    assert (bare.target, bare.namespace) == ("/osm", "")
    assert bare.judge(sidecar()).has_sidecar
