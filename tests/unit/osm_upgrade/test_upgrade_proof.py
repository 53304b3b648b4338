# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as proven."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_proof import unproven
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.states import deployment, state, upgraded, webhook


def with_mesh(**changes: Any) -> UpgradeState:
    done = upgraded()
    return replace(done, mesh=replace(done.mesh, **changes))


def with_deployment(name: str, changed: dict[str, Any]) -> UpgradeState:
    return with_mesh(deployments=tuple(changed if d["metadata"]["name"] == name else d for d in upgraded().mesh.deployments))


def without_interception_mode() -> UpgradeState:
    """An older osm-bootstrap has put its definition back, and the API server has dropped the field."""
    state_now = upgraded()
    config = copy.deepcopy(dict(state_now.mesh.mesh_config or {}))
    del config["spec"]["traffic"]["interceptionMode"]
    known = replace(state_now, mesh=replace(state_now.mesh, mesh_config=config))
    return replace(known, merge=None)


def rolling() -> UpgradeState:
    injector = deployment("osm-injector", "1.3.9")
    injector["status"]["updatedReplicas"] = 0
    return with_deployment("osm-injector", injector)


def with_image(image: str) -> UpgradeState:
    injector = deployment("osm-injector", "1.3.9")
    injector["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return with_deployment("osm-injector", injector)


def test_an_upgraded_mesh_is_proven() -> None:
    assert unproven(upgraded()) == []


def test_a_mesh_before_its_upgrade_is_not() -> None:
    assert {finding.code for finding in unproven(state())} >= {"step-left", "wrong-version"}


@pytest.mark.parametrize(
    ("observed", "code"),
    [
        (rolling(), "not-rolled-out"),
        (with_deployment("osm-injector", deployment("osm-injector", "1.2.3")), "wrong-version"),
        (with_image("flomesh/osm-edge-injector:1.2.3"), "wrong-image"),
        (with_mesh(mesh_config=None), "no-mesh-config"),
        (without_interception_mode(), "interception-mode-missing"),
        (with_mesh(webhooks=(webhook("MutatingWebhookConfiguration", "w", "1.3.9", endpoints=0),)), "webhook-dead"),
        (with_mesh(webhooks=(webhook("MutatingWebhookConfiguration", "w", "1.3.9", endpoints=-1),)), "webhook-dead"),
        (with_mesh(webhooks=()), "no-webhook"),
        (with_mesh(webhooks=(webhook("MutatingWebhookConfiguration", "w", "1.2.3"),)), "step-left"),
    ],
)
def test_what_is_not_proven_is_told(observed: UpgradeState, code: str) -> None:
    found = unproven(observed)
    assert code in {finding.code for finding in found}
    assert all(finding.severity == "error" and finding.remedy for finding in found)


def test_a_mirror_that_an_admission_policy_puts_in_front_is_right() -> None:
    assert unproven(with_image("mirror.example.com/hub/osm-edge-injector:1.3.9@sha256:0a1b")) == []


def test_endpoints_that_may_not_be_read_are_not_held_against_it() -> None:
    hook = webhook("MutatingWebhookConfiguration", "w", "1.3.9", endpoints=None)
    assert unproven(with_mesh(webhooks=(hook,))) == []
