# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pod is ended for, and df does not show."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_room import within_limits

GIB = 2**30
FREE = {"/tmp": 100 * GIB, "/var/lib": 5}


def limited(empty_dir: dict[str, Any] | None, *, storage: Any = None, mounted: str = "/tmp") -> dict[str, int]:
    """What is left of FREE in a pod whose volume ``tmp`` is this."""
    volume = {"name": "tmp", "hostPath": {}} if empty_dir is None else {"name": "tmp", "emptyDir": empty_dir}
    container: dict[str, Any] = {"name": "etcd", "volumeMounts": [{"name": "tmp", "mountPath": mounted}]}
    if storage is not None:
        container["resources"] = {"limits": {"ephemeral-storage": storage}}
    return within_limits(FREE, {"spec": {"volumes": [{"name": "other", "emptyDir": {"sizeLimit": "1"}}, volume]}}, container)


@pytest.mark.parametrize(
    ("quantity", "size"),
    [("1Gi", GIB), ("512Mi", 2**29), ("64Ki", 2**16), ("2G", 2 * 10**9), ("1.5k", 1500), ("1e9", 10**9), ("1000000m", 1000), (77, 77)],
)
def test_limits_of_a_volume_and_of_the_container(quantity: str, size: int) -> None:
    assert limited({"sizeLimit": quantity}) == {"/tmp": size, "/var/lib": 5}
    assert limited({}, storage=quantity) == {"/tmp": size, "/var/lib": 5}
    assert limited({"sizeLimit": quantity}, storage="1Ti")["/tmp"] == size


def test_memory_is_no_place_for_a_snapshot() -> None:
    assert limited({"medium": "Memory"}) == {"/tmp": 0, "/var/lib": 5}


def test_what_limits_nothing() -> None:
    assert limited({}) == limited(None) == limited({"sizeLimit": "1Gi"}, mounted="/cache") == limited({"sizeLimit": "much"}) == FREE
    assert within_limits({}, {}, {}) == {}
