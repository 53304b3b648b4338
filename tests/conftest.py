# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters for tests. Each run keeps its own below one private directory and puts all of them down at its end."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sandboxlib.cluster import Cluster
    from sandboxlib.options import Options


@contextmanager
def _cluster(home: Path, name: str, options: Options) -> Iterator[Cluster]:
    from sandboxlib.cluster import Cluster

    cluster = Cluster(name, home)
    try:
        cluster.up(options)
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def sandbox_home() -> Iterator[Path]:
    """The directory of this run's clusters (MESHOPS_SANDBOX_HOME), and with it a temporary directory of its own:
    kubernetes.core keeps what it discovered in the temporary directory, by URL, and ports come back."""
    from sandboxlib import run_directory

    with run_directory.directory() as run, pytest.MonkeyPatch.context() as patch:
        clusters, temporary = run / "clusters", run / "tmp"
        temporary.mkdir(mode=0o700)
        patch.setenv("MESHOPS_SANDBOX_HOME", str(clusters))
        patch.setenv("TMPDIR", str(temporary))
        patch.setattr(tempfile, "tempdir", str(temporary))
        yield clusters


@pytest.fixture(scope="session")
def shared_cluster(sandbox_home: Path) -> Iterator[Cluster]:
    """One full cluster for the whole run: leave it as you found it, or work in the ``namespace`` fixture."""
    from sandboxlib.options import Options

    with _cluster(sandbox_home, "shared", Options()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def api_cluster(sandbox_home: Path) -> Iterator[Cluster]:
    """One API server with its etcd for the whole run: no controllers, no nodes (a deleted namespace stays)."""
    from sandboxlib.options import Options

    with _cluster(sandbox_home, "api", Options(api_only=True)) as cluster:
        yield cluster


@pytest.fixture
def fresh_cluster(sandbox_home: Path) -> Iterator[Callable[[Options], Cluster]]:
    """Makes clusters that only this test has: ``fresh_cluster(Options(...))``; they are put down after it."""
    with ExitStack() as stack:
        yield lambda options: stack.enter_context(_cluster(sandbox_home, f"fresh-{uuid.uuid4().hex[:8]}", options))


@pytest.fixture
def namespace(shared_cluster: Cluster) -> Iterator[str]:
    """A new namespace on the shared cluster."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    shared_cluster.kubectl("create", "namespace", name)
    yield name
    shared_cluster.kubectl("delete", "namespace", name, "--wait=false")
