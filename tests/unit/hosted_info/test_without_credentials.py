# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks for parts of AWS without credentials gets the rest, and is told why these are missing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import info_reading
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_run import look
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule
from ansible_collections.meshops.lifecycle.tests.unit.hosted_info.clusters_seen import inventory, settings


def _inventory(*_asked: Any) -> Inventory:
    return inventory()


def _settings(*_asked: Any) -> Management:
    return settings()


def _nothing(*_told: Any) -> None:
    return None


def test_a_profile_that_is_not_there_is_a_part_that_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info_reading, "read_inventory", _inventory)
    monkeypatch.setattr(info_reading, "read_management", _settings)
    params = {"name": "prod", "namespace": None, "include": ["instances", "dns"], "zone_id": None, "machines": False, "profile": "nowhere"}
    module = SimpleNamespace(
        params=params,
        name="hosted_cluster_info",
        tmpdir="",
        connection=SimpleNamespace(api=None, server="https://management.example.com", uid="u"),
        progress=SimpleNamespace(line=_nothing),
        protect_values=_nothing,
    )
    (report,) = look(cast(LifecycleModule, module))["hosted_clusters"]
    told = [finding["what"] for finding in report["findings"] if finding["code"] == "part-not-read"]
    assert [what.partition(":")[0] for what in told] == ["dns", "instances"]
    assert all("nowhere" in what for what in told)
    assert report["name"] == "prod"
