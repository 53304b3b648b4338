# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failed module must tell, and that a refused one has written nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandboxlib.cluster import Cluster

Result = dict[str, Any]


@contextmanager
def unchanged(cluster: Cluster) -> Iterator[None]:
    """Assert that nobody but the cluster's own components has tried to write; the audit log is the witness."""
    mark = cluster.mark()
    yield
    assert list(map(str, cluster.writes_since(mark))) == []


def story(result: Result) -> str:
    """The text of a failure that a user reads, one line per part."""
    return "\n".join(f"{part}: {result.get(part)}" for part in ("msg", "object", "why", "state", "next"))


def assert_told(result: Result, *words: str, cluster: Cluster | None = None) -> None:
    """Assert that the module failed, and told what failed, why, the state and what to do next, with all ``words`` in that.

    ``cluster``: it was contacted, so that the result names it.
    """
    told = story(result)
    assert result.get("failed") is True, f"it did not fail: {result.get('summary')}"
    assert "Traceback" not in told
    assert "exception" not in result, told
    assert [part for part in ("msg", "why", "state", "next") if not result.get(part)] == [], told
    assert [word for word in words if word not in told] == [], told
    if cluster is not None:
        assert result["cluster"]["server"] == cluster.server, told
