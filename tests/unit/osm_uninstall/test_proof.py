# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not proven: everything that was to go and is still there."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_proof import unproven
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.plan_scenes import (
    CONFIG,
    HOME,
    HOME_NAMESPACE,
    artefact,
    bare,
    enrolled,
    inventory,
    task,
)


def test_nothing_of_the_mesh_left_is_proven() -> None:
    kept = artefact("osm-crd", "egresses.policy.openservicemesh.io", "unclaimed", count=0)
    assert unproven(inventory(kept, alive=False)) == []


def test_whatever_the_plan_would_still_do_is_an_error() -> None:
    found = unproven(inventory(CONFIG, namespaces=[enrolled()], tasks=[task()], alive=False))
    assert {(item.severity, item.code, str(item.object)) for item in found} == {
        ("error", "still-there", f"MeshConfig {HOME}/osm-mesh-config"),
        ("error", "still-there", "Namespace shop"),
        ("error", "still-there", "Deployment shop/web"),
    }


def test_who_makes_it_again_is_named() -> None:
    again = replace(CONFIG, state={"manager": "argocd-controller"})
    [finding] = unproven(inventory(again, alive=False))
    assert "argocd-controller" in finding.what
    assert "argocd-controller" in finding.remedy


def test_what_is_marked_for_deletion_and_stays_is_told_so() -> None:
    held = replace(CONFIG, state={"deleting": True})
    [finding] = unproven(inventory(held, alive=False))
    assert "marked for deletion" in finding.what
    assert f"-n {HOME}" in finding.remedy


def test_a_namespace_that_does_not_end_is_an_error() -> None:
    request = UninstallRequest("osm", confirm="osm", delete_namespace="empty")
    found = unproven(inventory(HOME_NAMESPACE, alive=False, namespace_terminating=True, request=request))
    assert [str(item.object) for item in found] == [f"Namespace {HOME}"]


def test_a_control_plane_that_had_to_stay_is_an_error_with_what_to_do() -> None:
    [finding] = unproven(inventory(CONFIG, leftovers=[bare()]))
    assert finding.code == "sidecars-left"
    assert "Pod shop/debug: delete it" in finding.remedy
    managed = UninstallRequest("osm", confirm="osm", managed=True)
    assert unproven(inventory(CONFIG, leftovers=[bare()], request=managed)) == []
