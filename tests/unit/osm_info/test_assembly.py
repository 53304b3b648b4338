# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A mesh is found by any one of its parts, and told apart from its neighbours."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import Evidence, release_candidates, sites
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_3
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import (
    crd,
    deployment,
    evidence,
    healthy,
    mesh_config,
    namespace,
    observed,
    release,
    revision,
    webhook,
)

ENROLLED = [namespace("shop", mesh="osm")]


@pytest.mark.parametrize(
    "found",
    [
        evidence(deployments=[deployment("osm-controller", "1.2.3")]),
        evidence(deployments=[deployment("osm-injector", "1.2.3")]),
        evidence(deployments=[deployment("osm-bootstrap", "1.2.3")]),
        evidence(webhooks=[webhook()]),
        evidence(webhooks=[webhook("ValidatingWebhookConfiguration", version="something old")]),
        evidence(mesh_configs=[mesh_config(PRESET_1_3)]),
        evidence(mesh_configs=[mesh_config(PRESET_1_3)], namespaces=ENROLLED),
        evidence(releases=[release("1.2.3")]),
        evidence(releases=[release("1.2.3", name="platform", place="deploy", osmNamespace="osm-system")]),
    ],
    ids=[
        "controller",
        "injector",
        "bootstrap",
        "injector-webhook",
        "validator-webhook",
        "mesh-config",
        "enrolled",
        "release",
        "release-elsewhere",
    ],
)
def test_any_one_part_is_enough(found: Evidence) -> None:
    mesh = select_mesh(observed(found), "osm", "osm-system")
    assert (mesh.product, mesh.name, mesh.namespace) == (OSM_EDGE, "osm", "osm-system")


def test_after_the_orphan_step_nothing_but_the_controller_is_missing() -> None:
    found = healthy("1.2.3", deployments=[deployment(name, "1.2.3") for name in ("osm-bootstrap", "osm-injector")])
    mesh = select_mesh(observed(found, version="1.2.3"))
    assert mesh.deployment("osm-controller") is None
    assert mesh.release is not None
    assert mesh.version == "1.2.3"


def test_release_is_the_one_in_the_annotations() -> None:
    """Release and mesh may have different names, and the record may lie in another namespace than the control plane."""
    controller = deployment("osm-controller", "1.2.3", mesh="red")
    controller["metadata"]["annotations"] = {"meta.helm.sh/release-name": "platform", "meta.helm.sh/release-namespace": "deploy"}
    records = [release("1.2.3", name="red", place="deploy"), release("1.2.3", name="platform", place="deploy", osmNamespace="osm-system")]
    found = evidence(deployments=[controller], releases=records)
    mesh = next(mesh for mesh in observed(found).meshes if mesh.name == "red")
    assert mesh.release_ref == ReleaseRef("platform", "deploy")
    assert mesh.release is records[1]
    assert [info.name for info in mesh.release_history] == ["platform"]


def test_release_that_is_annotated_and_gone() -> None:
    mesh = select_mesh(observed(evidence(deployments=[deployment("osm-controller", "1.2.3")])))
    assert mesh.release_ref == ReleaseRef("osm", "osm-system")
    assert mesh.release is None


@pytest.mark.parametrize(
    ("found", "product"),
    [
        (evidence(deployments=[deployment("osm-controller", "1.2.4", product=OSM)]), OSM),
        (evidence(deployments=[deployment("fsm-controller", "1.5.1", product=FSM, namespace="fsm-system")]), FSM),
        (evidence(releases=[release("1.2.4", chart="osm")]), OSM),
        (evidence(mesh_configs=[mesh_config({"sidecar": {"envoyImage": ""}})]), OSM),
        (evidence(mesh_configs=[mesh_config({"sidecar": {"sidecarDrivers": []}})]), OSM_EDGE),
        (evidence(mesh_configs=[mesh_config({})]), OSM),
        (evidence(mesh_configs=[mesh_config({})], definitions=[crd("accesscontrols.policy.openservicemesh.io", "v1alpha1")]), OSM_EDGE),
        (evidence(mesh_configs=[mesh_config({}, product=FSM)]), FSM),
    ],
)
def test_product(found: Evidence, product: Any) -> None:
    assert select_mesh(observed(found)).product is product


def test_neighbours_keep_their_parts() -> None:
    both = evidence(
        deployments=[
            deployment("osm-controller", "1.3.9", mesh="red", namespace="red-system"),
            deployment("osm-controller", "1.2.3", mesh="blue", namespace="blue-system"),
            deployment("fsm-controller", "1.5.1", product=FSM, mesh="fsm", namespace="red-system"),
        ],
        webhooks=[webhook(mesh="red", place="red-system"), webhook(mesh="blue", place="blue-system")],
        mesh_configs=[mesh_config(PRESET_1_3, place="red-system")],
        namespaces=[namespace("a", mesh="red"), namespace("b", mesh="blue")],
    )
    blue, fsm, red = observed(both).meshes
    assert [blue.name, fsm.name, red.name] == ["blue", "fsm", "red"]
    assert [hook.mesh_name for hook in red.webhooks] == ["red"]
    assert [len(mesh.deployments) for mesh in (blue, fsm, red)] == [1, 1, 1]
    assert (blue.mesh_config, fsm.mesh_config) == (None, None)
    assert red.mesh_config is not None


def test_releases_that_are_looked_into() -> None:
    """Records are large: of a cluster's releases only those that may be a mesh are read, and of these the newest revision."""
    other = [release("1.0.0", name=f"app-{number}", place=f"team-{number}", chart="app") for number in range(50)]
    by_name = release("1.2.3", name="osm", place="elsewhere")
    by_place = release("1.2.3", name="platform", place="osm-system")
    newer = by_place._replace(revision=12)
    found = evidence(deployments=[deployment("osm-controller", "1.2.3")])
    found.revisions = [revision(item) for item in (*other, by_name, newer, by_place)]
    assert {(info.name, info.revision) for info in release_candidates(found, None)} == {("osm", 1), ("platform", 12)}
    assert {info.name for info in release_candidates(found, "app-7")} == {"osm", "platform", "app-7"}


def test_releases_that_are_looked_into_without_any_other_trace() -> None:
    found = Evidence(revisions=[revision(release("1.0.0", name=f"app-{number:02}", chart="app")) for number in range(50)])
    assert len(release_candidates(found, None)) == 20


def test_other_charts_are_no_mesh() -> None:
    assert (
        sites(evidence(releases=[release("1.0.0", chart="nginx"), release("0.2.0", name="classic", chart="fsm")._replace(manifest="")]))
        == []
    )


def test_refuses_to_choose_between_two() -> None:
    both = observed(evidence(webhooks=[webhook(mesh="red", place="a"), webhook(mesh="blue", place="b")]))
    with pytest.raises(Refused) as error:
        select_mesh(both)
    assert "more than one mesh" in error.value.msg
    assert [mesh["name"] for mesh in error.value.details["meshes"]] == ["red", "blue"]  # type: ignore[attr-defined]
    assert select_mesh(both, "red").namespace == "a"
    assert select_mesh(both, None, "b").name == "blue"


def test_refuses_an_unknown_name_and_names_the_nearest() -> None:
    with pytest.raises(Refused) as error:
        select_mesh(observed(healthy()), "osn")
    assert error.value.msg == "There is no mesh named osn"
    assert "osm in namespace osm-system (osm-edge 1.3.9)" in error.value.why
    assert error.value.next == "did you mean osm?"


def test_refuses_an_empty_cluster_and_says_what_was_not_read() -> None:
    with pytest.raises(Refused) as error:
        select_mesh(observed(evidence(), unknown={"webhooks": "not allowed to list them"}))
    assert "webhooks (not allowed to list them)" in error.value.why
