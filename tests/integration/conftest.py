# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures that the files of this directory share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hosted_clusters import ManagementCluster
from istio_clusters import IstioCluster
from mesh_clusters import MeshCluster
from sandboxlib.cluster import Cluster


@pytest.fixture(scope="session")
def mesh_cluster(sandbox_home: Path) -> Iterator[MeshCluster]:
    """One cluster for all tests that change a mesh: begin with ``mesh_cluster.reset(...)``."""
    cluster = Cluster("meshes", sandbox_home)
    try:
        yield MeshCluster(cluster)
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def istio_cluster(sandbox_home: Path) -> Iterator[IstioCluster]:
    """One cluster for all tests on a real Istio: begin with ``istio_cluster.reset(...)``."""
    cluster = Cluster("istio", sandbox_home)
    try:
        yield IstioCluster(cluster)
    finally:
        cluster.down()


MANAGEMENT = pytest.StashKey[ManagementCluster]()


@pytest.fixture(scope="session")
def management_cluster(sandbox_home: Path, pytestconfig: pytest.Config) -> Iterator[ManagementCluster]:
    """One management cluster for all tests of hosted clusters: ask it for those that a test needs."""
    cluster = Cluster("management", sandbox_home)
    made = pytestconfig.stash[MANAGEMENT] = ManagementCluster(cluster)
    try:
        yield made
    finally:
        cluster.down()


@pytest.fixture(scope="module", autouse=True)
def _real_hosted_clusters_end_with_their_file(pytestconfig: pytest.Config) -> Iterator[None]:
    """An API server and etcd members that nobody asks anything take their part of two cores all the same."""
    yield
    made = pytestconfig.stash.get(MANAGEMENT, None)
    if made is not None:
        made.remove_real()
