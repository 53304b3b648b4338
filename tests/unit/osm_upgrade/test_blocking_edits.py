# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edits that Helm's patch would make invalid stop an upgrade before it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.blocking_edits import blocking_edits
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.chart_objects import (
    NAMESPACE,
    Object,
    as_stored,
    disruption_budget,
    rendered,
)

Edit = Callable[[Object], object]
SECRET = {"secretKeyRef": {"name": "mine", "key": "class"}}


def found(edit: Edit, after: Object | None = None) -> list[Refusal]:
    live = as_stored(rendered())
    edit(live["spec"]["template"]["spec"]["containers"][1])
    return blocking_edits([live], [rendered()], [after or rendered("1.3.9")], NAMESPACE)


def from_secret(container: Object) -> None:
    container["env"][1] = {"name": "SIDECAR_CLASS", "valueFrom": SECRET}


def by_command(container: Object) -> None:
    container["livenessProbe"] = {"exec": {"command": ["true"]}, "periodSeconds": 10}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (from_secret, "containers[osm-controller].env[SIDECAR_CLASS] has valueFrom where the chart sets value"),
        (by_command, "containers[osm-controller].livenessProbe has exec where the chart sets httpGet"),
    ],
)
def test_one_of_two_settings_was_replaced_by_the_other(edit: Edit, words: str) -> None:
    (refusal,) = found(edit)
    assert (refusal.code, refusal.object.name) == ("edit-blocks-upgrade", "osm-controller")
    assert words in refusal.what
    assert "kubectl edit deployment osm-controller -n osm-system" in refusal.next


def test_a_budget_of_another_kind() -> None:
    live = as_stored(disruption_budget())
    live["spec"]["maxUnavailable"] = live["spec"].pop("minAvailable")
    (refusal,) = blocking_edits([live], [disruption_budget()], [disruption_budget()], NAMESPACE)
    assert "spec has maxUnavailable where the chart sets minAvailable" in refusal.what


@pytest.mark.parametrize(
    "edit",
    [
        lambda container: None,
        lambda container: container["env"][1].update(value="envoy"),
        lambda container: container["env"].append({"name": "MORE", "valueFrom": SECRET}),
        lambda container: container.update(readinessProbe={"exec": {"command": ["true"]}}),
        lambda container: container["livenessProbe"]["httpGet"].update(port=1),
    ],
)
def test_other_edits_do_not_block(edit: Edit) -> None:
    assert found(edit) == []


def test_a_deployment_that_is_made_anew_is_not_patched() -> None:
    assert found(from_secret, rendered("1.3.9", {"app": "osm-controller", "codebase": ""})) == []


def test_a_change_that_the_chart_makes_itself_does_not_block() -> None:
    before: Any = rendered()
    before["spec"]["template"]["spec"]["containers"][1]["livenessProbe"] = {"tcpSocket": {"port": 9091}}
    assert blocking_edits([as_stored_probe(before)], [before], [rendered("1.3.9")], NAMESPACE) == []


def as_stored_probe(manifest: Object) -> Object:
    probe = manifest["spec"]["template"]["spec"]["containers"][1]["livenessProbe"]
    probe["httpGet"] = {}
    live = as_stored(manifest)
    del probe["httpGet"], live["spec"]["template"]["spec"]["containers"][1]["livenessProbe"]["httpGet"]
    return live


def test_a_rolling_update_may_have_both() -> None:
    manifest = rendered()
    manifest["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 1}}
    assert blocking_edits([as_stored(rendered())], [manifest], [manifest], NAMESPACE) == []
