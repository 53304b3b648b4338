# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edits of a Deployment that is made anew are told before they are lost."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.lost_edits import lost_edits
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.states import controller_selector, deployment

Object = dict[str, Any]
NAME = "osm-controller"
BEFORE, AFTER = (deployment(NAME, version, selector=controller_selector(version), live=False) for version in ("1.2.3", "1.3.9"))
LIVE = deployment(NAME, "1.2.3", selector=controller_selector("1.2.3"))


def edited(edit: Callable[[Object], object]) -> Object:
    live = copy.deepcopy(LIVE)
    edit(live["spec"])
    return live


def found(live: Object, after: Object = AFTER) -> list[Finding]:
    return lost_edits([live], [BEFORE], [after], "osm-system")


def container(spec: Object) -> Object:
    first: Object = spec["template"]["spec"]["containers"][0]
    return first


def test_as_helm_made_it() -> None:
    assert found(LIVE) == []


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda spec: spec.update(replicas=3), "replicas: 3 → 1"),
        (lambda spec: spec["template"]["spec"].update(nodeSelector={"zone": "a"}), 'nodeSelector: {"zone": "a"} → (none)'),
        (lambda spec: spec["template"].update(metadata={"annotations": {"team": "mesh"}}), 'pod annotation team: "mesh" → (none)'),
        (lambda spec: container(spec).update(image="hot/fix:1"), 'image: "hot/fix:1" → "flomesh/osm-edge-controller:1.3.9"'),
        (lambda spec: container(spec).update(resources={"limits": {"memory": "1Gi"}}), "limits.memory: 1073741824.0 → (none)"),
        (lambda spec: container(spec).update(env=[{"name": "HTTP_PROXY", "value": "secret"}]), "env HTTP_PROXY: (a value) → (none)"),
    ],
)
def test_each_edit_is_told(edit: Callable[[Object], object], words: str) -> None:
    (finding,) = found(edited(edit))
    assert (finding.severity, finding.code) == ("warning", "edit-lost")
    assert words in finding.what
    assert "secret" not in str(finding.as_dict())


def test_what_the_new_chart_wants_too_is_not_lost() -> None:
    after = copy.deepcopy(AFTER)
    after["spec"]["replicas"] = 3
    assert found(edited(lambda spec: spec.update(replicas=3)), after) == []


def test_a_deployment_that_helm_can_patch_keeps_its_edits() -> None:
    after = copy.deepcopy(AFTER)
    after["spec"]["selector"] = LIVE["spec"]["selector"]
    assert found(edited(lambda spec: spec.update(replicas=3)), after) == []


def test_a_restart_and_another_way_to_write_a_quantity_are_no_edits() -> None:
    before = copy.deepcopy(BEFORE)
    container(before["spec"])["resources"] = {"requests": {"cpu": "0.5"}}
    live = edited(lambda spec: container(spec).update(resources={"requests": {"cpu": "500m"}}))
    live["spec"]["template"]["metadata"] = {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}
    assert lost_edits([live], [before], [AFTER], "osm-system") == []
