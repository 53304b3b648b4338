# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mesh is meant, by whatever is left of it, and when nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube import kinds
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import (
    crds,
    deployment,
    evidence,
    mesh_config,
    namespace,
    pod,
    release,
    webhook,
)
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.clusters import (
    Cluster,
    both,
    hook_things,
    item,
    labels,
    release_of,
    secret,
    with_mesh,
)

MEMORY: dict[str, Any] = {
    "name": "osm",
    "namespace": "osm-system",
    "product": "osm-edge",
    "version": "1.3.9",
    "release": ["mesh", "releases"],
    "ca_secret": "my-ca",
}


def test_the_only_mesh_needs_no_name() -> None:
    subject = with_mesh().subject()
    assert subject is not None
    assert (subject.name, subject.namespace, subject.product, subject.version) == ("osm", "osm-system", OSM_EDGE, "1.3.9")
    assert (subject.release, subject.ca_secret) == (release_of("osm", "osm-system"), "osm-ca-bundle")


def test_of_two_meshes_one_has_to_be_named() -> None:
    cluster = both(with_mesh(), with_mesh(name="blue", place="blue"))
    with pytest.raises(Refused, match="more than one mesh") as refused:
        cluster.subject()
    assert [mesh["name"] for mesh in refused.value.details["meshes"]] == ["blue", "osm"]
    for request in ({"mesh_name": "blue"}, {"confirm": "blue"}, {"namespace": "blue"}):
        subject = cluster.subject(**request)
        assert subject is not None, request
        assert subject.namespace == "blue", request


def test_unknown_name_while_others_exist_is_refused_with_the_list() -> None:
    with pytest.raises(Refused, match="There is no mesh named oms") as refused:
        with_mesh().subject(mesh_name="oms")
    assert "osm in namespace osm-system" in refused.value.why
    with pytest.raises(Refused, match="There is no mesh named osm in namespace shop"):
        with_mesh().subject(mesh_name="osm", namespace="shop")


def test_a_wrong_confirmation_is_not_a_name() -> None:
    """It is refused as what it is, beside the name that it should have had."""
    subject = with_mesh().subject(confirm="oms")
    assert subject is not None
    assert subject.name == "osm"


def test_nothing_at_all() -> None:
    empty = Cluster(evidence(namespaces=[namespace("default")]))
    assert empty.subject() is None
    assert empty.subject(mesh_name="osm") is None
    assert empty.subject(mesh_name="osm", namespace="osm-system", delete_namespace="empty") is None


def test_leftovers_of_nobody_who_was_named_are_no_mesh() -> None:
    cluster = Cluster(evidence(definitions=crds("1.3.9"), webhooks=[webhook()]), endpoints={})
    assert cluster.subject() is None
    named = cluster.subject(mesh_name="osm")
    assert named is not None
    assert named.mesh is not None
    assert named.namespace == "osm-system"
    assert cluster.subject(namespace="osm-system") is not None
    # And beside a mesh that lives they do not make a choice necessary.
    beside = both(with_mesh(name="blue", place="blue"), cluster)
    beside.endpoints = {}
    subject = beside.subject()
    assert subject is not None
    assert subject.name == "blue"


# Each trace by itself


@pytest.mark.parametrize(
    ("cluster", "place", "product"),
    [
        pytest.param(Cluster(evidence(namespaces=[namespace("shop", mesh="osm")])), "", OSM_EDGE, id="enrolled namespace"),
        pytest.param(Cluster(evidence(namespaces=[namespace("shop", mesh="osm", product=FSM)])), "", FSM, id="enrolled in FSM"),
        pytest.param(Cluster(evidence(), pods=[pod(image="p", init="i")]), "", OSM_EDGE, id="sidecar"),
        pytest.param(Cluster(evidence(), pods=[pod(image="p", product=OSM)]), "", OSM, id="Envoy sidecar"),
        pytest.param(Cluster(evidence(), secrets=[secret("a", "shop", mounted=False)]), "", OSM_EDGE, id="bootstrap Secret"),
        pytest.param(Cluster(evidence(), secrets=[secret("a", "shop", product=OSM)]), "", OSM, id="Envoy's bootstrap Secret"),
        pytest.param(Cluster(evidence(), hook_things("osm", "osm-system", "osm")), "osm-system", OSM_EDGE, id="hook"),
        pytest.param(
            Cluster(evidence(webhooks=[webhook(clientConfig={"service": {"namespace": "old", "name": "renamed"}})])),
            "old",
            OSM_EDGE,
            id="webhook with another Service",
        ),
        pytest.param(Cluster(evidence(), [item(kinds.SERVICE, "osm-injector", "a", labels=labels())]), "a", OSM_EDGE, id="Service"),
        pytest.param(Cluster(evidence(), [item(kinds.CLUSTERROLE, "osm", labels=labels())]), "", OSM_EDGE, id="ClusterRole"),
    ],
)
def test_one_trace_is_enough_when_it_is_named(cluster: Cluster, place: str, product: Any) -> None:
    subject = cluster.subject(mesh_name="osm")
    assert subject is not None
    assert (subject.mesh, subject.namespace, subject.product) == (None, place, product)
    assert cluster.subject(mesh_name="blue") is None
    assert cluster.subject() is None


def test_the_newest_version_and_the_release_are_told_by_what_is_left() -> None:
    left = Cluster(
        evidence(),
        [
            item(kinds.SERVICE, "osm-injector", "osm-system", labels=labels(version="1.2.3")),
            *hook_things("mesh", "osm-system", "osm"),
        ],
    )
    subject = left.subject(mesh_name="osm")
    assert subject is not None
    assert (subject.version, subject.release) == ("1.3.9", release_of("mesh", "osm-system"))


def test_a_release_of_something_else_with_the_hooks_name_is_not_the_meshs() -> None:
    stranger = release("4.0.0", name="mesh", chart="postgresql")._replace(manifest="image: postgres:16\n")
    cluster = Cluster(evidence(releases=[stranger]), hook_things("mesh", "osm-system", "osm"))
    subject = cluster.subject(mesh_name="osm")
    assert subject is not None
    assert subject.release is None


def test_what_tells_no_name_is_the_mesh_that_is_named() -> None:
    """A MeshConfig in a namespace: the mesh's name is nowhere in it."""
    left = evidence(mesh_configs=[mesh_config({}, place="mesh-system")], definitions=crds("1.3.9"))
    cluster = Cluster(left, details={})
    cluster.details = None
    cluster.endpoints = {}
    subject = cluster.subject(mesh_name="blue")
    assert subject is not None
    assert subject.mesh is not None
    assert (subject.name, subject.mesh.name, subject.namespace) == ("blue", "blue", "mesh-system")
    # Beside others the namespace has to be said.
    beside = both(with_mesh(), cluster)
    with pytest.raises(Refused, match="There is no mesh named blue"):
        beside.subject(mesh_name="blue")
    told = beside.subject(mesh_name="blue", namespace="mesh-system")
    assert told is not None
    assert told.namespace == "mesh-system"


def test_a_guessed_name_makes_no_other_mesh_ambiguous() -> None:
    """A MeshConfig that tells no name gets the one that all enrolled namespaces carry, which is another mesh's."""
    left = Cluster(evidence(mesh_configs=[mesh_config({}, place="old-system")]))
    cluster = both(with_mesh(name="green", place="green", namespaces=[namespace("shop", mesh="green")]), left)
    assert [mesh.name for mesh in cluster.observed.meshes] == ["green", "green"]
    subject = cluster.subject(mesh_name="green")
    assert subject is not None
    assert subject.namespace == "green"
    # Nor does it hide what an unfinished run is about.
    subject = cluster.subject({**MEMORY, "name": "blue", "namespace": "old-system"}, mesh_name="blue")
    assert subject is not None
    assert (subject.name, subject.namespace, subject.mesh is None) == ("blue", "old-system", False)


# Helm


def test_release_is_told_by_annotations_not_by_the_meshs_name() -> None:
    parts = [deployment(name, "1.3.9", namespace="osm-system") for name in OSM_EDGE.deployments]
    for each in parts:
        each["metadata"]["annotations"] = {"meta.helm.sh/release-name": "edge", "meta.helm.sh/release-namespace": "releases"}
    record = release("1.3.9", name="edge", place="releases", osmNamespace="osm-system", caBundleSecretName="my-ca")
    subject = with_mesh(deployments=parts, records=[record]).subject()
    assert subject is not None
    assert (subject.release, subject.namespace, subject.ca_secret) == (release_of("edge", "releases"), "osm-system", "my-ca")


@pytest.mark.parametrize("words", [["--ca-bundle-secret-name", "my-ca"], ["--ca-bundle-secret-name=my-ca"]])
def test_ca_secret_without_a_record_is_told_by_the_command_line(words: list[str]) -> None:
    parts = [deployment(name, "1.3.9") for name in OSM_EDGE.deployments]
    parts[1]["spec"]["template"]["spec"]["containers"][0]["args"] = ["--mesh-name", "osm", *words]
    subject = with_mesh(deployments=parts, records=[]).subject()
    assert subject is not None
    assert subject.mesh is not None
    assert (subject.ca_secret, subject.mesh.release) == ("my-ca", None)


def test_a_record_alone_is_a_mesh() -> None:
    cluster = Cluster(evidence(releases=[release("1.2.3", meshName="blue")]), endpoints={})
    subject = cluster.subject()
    assert subject is not None
    assert (subject.name, subject.release, subject.version) == ("blue", release_of("osm", "osm-system"), "1.2.3")


# An unfinished run


def test_an_unfinished_run_knows_what_nothing_tells_any_more() -> None:
    empty = Cluster(evidence(namespaces=[namespace("osm-system")]))
    subject = empty.subject(MEMORY)
    assert subject is not None
    assert (subject.name, subject.namespace, subject.product, subject.version) == ("osm", "osm-system", OSM_EDGE, "1.3.9")
    assert (subject.release, subject.ca_secret) == (release_of("mesh", "releases"), "my-ca")
    assert empty.subject(MEMORY, mesh_name="blue") is None


def test_an_unfinished_run_is_not_refused_because_the_mesh_is_gone_and_others_are_there() -> None:
    others = with_mesh(name="blue", place="blue")
    subject = others.subject(MEMORY, mesh_name="osm")
    assert subject is not None
    assert subject.mesh is None
    # Not even when the other one has the same name elsewhere.
    twin = with_mesh(place="elsewhere")
    subject = twin.subject(MEMORY, mesh_name="osm")
    assert subject is not None
    assert (subject.mesh, subject.namespace) == (None, "osm-system")


def test_what_is_left_keeps_the_product_that_it_had() -> None:
    """A webhook tells osm-edge from Open Service Mesh as little as its Service does."""
    cluster = Cluster(evidence(webhooks=[webhook()]), endpoints={})
    subject = cluster.subject({**MEMORY, "product": "osm"}, mesh_name="osm")
    assert subject is not None
    assert subject.product is OSM


@pytest.mark.parametrize("release_kept", [None, [], ["osm"], ["", ""], "osm", 7])
def test_a_damaged_record_is_no_memory(release_kept: Any) -> None:
    memory = {"name": "osm", "namespace": "osm-system", "product": "?", "release": release_kept}
    subject = Cluster(evidence()).subject(memory)
    assert subject is not None
    assert (subject.product, subject.release, subject.ca_secret) == (OSM_EDGE, None, "osm-ca-bundle")


# Only the namespace is left


def test_an_empty_namespace_can_still_be_named() -> None:
    cluster = Cluster(evidence(namespaces=[namespace("osm-system")]))
    asked = {"mesh_name": "osm", "namespace": "osm-system"}
    assert cluster.subject(**asked) is None
    subject = cluster.subject(**asked, delete_namespace="empty")
    assert subject is not None
    assert (subject.mesh, subject.namespace) == (None, "osm-system")
    # Not where another mesh is.
    with pytest.raises(Refused):
        with_mesh(name="blue").subject(**asked, delete_namespace="empty")
