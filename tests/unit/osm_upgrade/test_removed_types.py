# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types that Kubernetes has removed: which value brings them, and what to create instead."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import BUILT_IN
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.removed_types import unknown_types
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal


def found(api_version: str, kind: str, name: str, *, recorded: bool = False) -> list[Refusal]:
    manifest: dict[str, Any] = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
    return list(unknown_types(lambda *key: BUILT_IN.get(key), [manifest], "osm-system", recorded=recorded))


@pytest.mark.parametrize(
    ("api_version", "kind", "name", "words"),
    [
        (
            "autoscaling/v2beta2",
            "HorizontalPodAutoscaler",
            "osm-controller-hpa",
            ("removed in Kubernetes 1.26", "osm.osmController.autoScale.enable to false", "autoscaling/v2 for Deployment osm-controller"),
        ),
        (
            "policy/v1beta1",
            "PodDisruptionBudget",
            "osm-injector-pdb",
            ("removed in Kubernetes 1.25", "osm.injector.enablePodDisruptionBudget to false", "policy/v1 for Deployment osm-injector"),
        ),
        (
            "policy/v1beta1",
            "PodDisruptionBudget",
            "fsm-controller-pdb",
            ("fsm.fsmController.enablePodDisruptionBudget to false", "Deployment fsm-controller"),
        ),
        ("policy/v1beta1", "PodDisruptionBudget", "mine", ("removed in Kubernetes 1.25", "turn off what needs it")),
        ("policy/v1beta1", "PodSecurityPolicy", "osm", ("removed in Kubernetes 1.25",)),
        ("example.org/v1", "Widget", "osm-controller-hpa", ("Widget of example.org/v1", "turn off what needs it")),
    ],
)
def test_what_the_chart_brings(api_version: str, kind: str, name: str, words: tuple[str, ...]) -> None:
    (refusal,) = found(api_version, kind, name)
    text = f"{refusal.what} {refusal.next}"
    assert (refusal.code, refusal.object) == ("unknown-type", (kind, name, "osm-system"))
    assert [word for word in words if word not in text] == []


def test_what_the_record_has() -> None:
    (refusal,) = found("policy/v1beta1", "PodDisruptionBudget", "osm-controller-pdb", recorded=True)
    assert "in the release's record" in refusal.what
    assert "to policy/v1 (helm plugin mapkubeapis" in refusal.next


@pytest.mark.parametrize("recorded", [True, False])
def test_types_that_the_server_has(recorded: bool) -> None:
    assert found("policy/v1", "PodDisruptionBudget", "osm-controller-pdb", recorded=recorded) == []
