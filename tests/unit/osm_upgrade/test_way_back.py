# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back begins while the newer bootstrap may still write definitions: its plan is made again until the cluster holds still."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import PlanOutdated
from ansible_collections.meshops.lifecycle.plugins.modules import mesh_upgrade

MESH: Any = SimpleNamespace(name="osm", namespace="osm-system")


class Outdated:
    """Stands for a run whose plan is outdated the first ``times``."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.looks = 0

    def discover(self, *_api: object, **_options: object) -> None:
        self.looks += 1

    def run(self, *_arguments: object, **_options: object) -> str:
        if self.left:
            self.left -= 1
            raise PlanOutdated("The cluster changed between planning and the first write")
        return "done"


def run_back(monkeypatch: pytest.MonkeyPatch, runs: Outdated, seconds: float) -> tuple[Any, list[str]]:
    said: list[str] = []
    module: Any = SimpleNamespace(connection=SimpleNamespace(api=None), progress=SimpleNamespace(line=said.append), redactor=None)
    monkeypatch.setattr(mesh_upgrade, "discover", runs.discover)
    monkeypatch.setattr(mesh_upgrade, "select_mesh", lambda *_: MESH)
    monkeypatch.setattr(mesh_upgrade, "RevisionGoal", lambda *_: None)
    monkeypatch.setattr(mesh_upgrade, "MeshUpgrade", lambda *_, **__: SimpleNamespace(procedure=lambda: None))
    monkeypatch.setattr(mesh_upgrade, "run_procedure", runs.run)
    monkeypatch.setattr(mesh_upgrade, "_PLAN_AGAIN_SECONDS", 0.01)
    nothing: Any = None
    return mesh_upgrade._run_back(module, nothing, MESH, nothing, Deadline(seconds)), said


def test_it_is_planned_on_a_new_look_until_the_cluster_holds_still(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Outdated(2)
    assert run_back(monkeypatch, runs, 60) == ("done", ["the cluster is still changing: planning the way back again"] * 2)
    assert runs.looks == 3


def test_a_cluster_that_never_holds_still_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanOutdated):
        run_back(monkeypatch, Outdated(10_000), 0.05)
