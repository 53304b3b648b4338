# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sandbox with a mesh and applications, as the demo and the tests of the modules get it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options

ENROLLED = {"bookbuyer", "bookthief", "bookstore", "bookwarehouse", "observers"}
PLAIN = {"legacy", "outside"}


@pytest.fixture(scope="module")
def bookstore(sandbox_home: Path) -> Iterator[Cluster]:
    cluster = Cluster("bookstore", sandbox_home)
    options = Options(mesh="osm-edge=1.2.3", mesh_name="shop", mesh_namespace="mesh-system", apps="bookstore")
    try:
        assert cluster.up(options)
        yield cluster
    finally:
        cluster.down()


def test_the_mesh_is_a_helm_release_with_its_name(bookstore: Cluster) -> None:
    assert "osm-edge-1.2.3" in bookstore.helm("list", "--namespace", "mesh-system", "--filter", "^shop$")
    config = "/apis/config.openservicemesh.io/v1alpha2/namespaces/mesh-system/meshconfigs/osm-mesh-config"
    assert bookstore.api.exists(config)


def test_exactly_the_enrolled_namespaces_have_sidecars(bookstore: Cluster) -> None:
    containers: dict[str, set[int]] = {}
    for pod in bookstore.api.get("/api/v1/pods")["items"]:
        containers.setdefault(pod["metadata"]["namespace"], set()).add(len(pod["spec"]["containers"]))
    expected = {namespace: {2} for namespace in ENROLLED} | {namespace: {1} for namespace in PLAIN}
    assert {namespace: containers[namespace] for namespace in expected} == expected


def test_what_sets_the_bookstore_up_is_nobodys_write(bookstore: Cluster) -> None:
    assert {event.user for event in bookstore.writes_since(0)} == {"sandbox-admin"}


def test_without_the_standin_the_injector_is_dead(bookstore: Cluster) -> None:
    create = ("run", "one-more", "--image=web:1", "--namespace=bookbuyer")
    bookstore.standin.stop()
    try:
        assert bookstore.dead_components() == ["standin-osm"]
        with pytest.raises(SandboxError, match=r"failed calling webhook"):
            bookstore.kubectl(*create)
    finally:
        bookstore.standin.start()
    assert bookstore.dead_components() == []
    bookstore.kubectl(*create)
    pod = bookstore.api.get("/api/v1/namespaces/bookbuyer/pods/one-more")
    assert len(pod["spec"]["containers"]) == 2
