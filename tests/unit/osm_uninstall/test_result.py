# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an uninstallation says about each thing, and the table that the documentation has of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_result import fate, uninstall_result
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_table import ROWS, TABLE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import StepOutcome
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.plan_scenes import (
    CONFIG,
    HOME,
    KINDS,
    OTHER,
    artefact,
    bare,
    enrolled,
    inventory,
    neighbour,
    task,
)

EGRESSES = "egresses.policy.openservicemesh.io"
DELETE = f"delete:MeshConfig/{HOME}/osm-mesh-config"


class Removed(NamedTuple):
    """What the removal of sidecars came to."""

    counts: Mapping[str, int] = {"workloads": 1, "pods": 3}
    entries: Sequence[Mapping[str, Any]] = ()
    rate: float = 97.5


def outcomes(before: Inventory, after: Inventory | None, *told: StepOutcome) -> dict[str, tuple[str, str]]:
    """Outcome and reason of each thing, by its name."""
    return {item.item.ref.name: (item.outcome, item.why) for item in fate(before, after, told)}


def test_in_check_mode_each_thing_is_to_remove_or_kept() -> None:
    crd = artefact("osm-crd", EGRESSES, "shared", users=(OTHER,))
    found = outcomes(inventory(CONFIG, crd, alive=False), None)
    assert found["osm-mesh-config"][0] == "to_remove"
    assert found[EGRESSES] == ("kept", f"{OTHER} uses it")


def test_what_is_gone_is_gone_and_what_is_kept_says_why_as_it_is_now() -> None:
    before = inventory(CONFIG, artefact("osm-crd", EGRESSES, "unclaimed", count=None), alive=False)
    after = inventory(
        artefact("osm-crd", EGRESSES, "unclaimed", count=4),
        alive=False,
        request=UninstallRequest("osm", confirm="osm", cluster_wide=frozenset({"all"})),
    )
    found = outcomes(before, after)
    assert found["osm-mesh-config"][0] == "gone"
    assert found[EGRESSES] == ("kept", "it has 4 objects that would be deleted with it; delete_custom_resources: true allows that")


def test_what_failed_says_how() -> None:
    before = inventory(CONFIG, alive=False)
    failed = StepOutcome(DELETE, "artefacts", "failed", message="Conflict: somebody changed it")
    assert outcomes(before, before, failed)["osm-mesh-config"] == ("failed", "Conflict: somebody changed it")
    not_run = StepOutcome(DELETE, "artefacts", "not_run")
    assert outcomes(before, before, not_run)["osm-mesh-config"] == ("failed", "the run ended before its turn")
    done = StepOutcome(DELETE, "artefacts", "done")
    assert outcomes(before, before, done)["osm-mesh-config"][0] == "gone"


def test_what_was_made_again_is_told_with_who_made_it() -> None:
    again = replace(CONFIG, uid="another", state={"manager": "argocd-controller"})
    found = outcomes(inventory(CONFIG, alive=False), inventory(again, alive=False))
    assert found["osm-mesh-config"] == ("failed", "it was made again by argocd-controller")


def test_what_appeared_during_the_run_is_told() -> None:
    late = artefact("mutating-webhook", "osm-webhook-osm")
    found = outcomes(inventory(CONFIG, alive=False), inventory(late, alive=False))
    assert found["osm-webhook-osm"] == ("failed", "it appeared during the run")


def test_the_summary_counts() -> None:
    before = inventory(CONFIG, others=[neighbour()], namespaces=[enrolled()], tasks=[task()], leftovers=[bare()])
    after = inventory(others=[neighbour()], alive=False, leftovers=[bare()])
    result = uninstall_result(before, after, Removed(), check=False)
    assert result["summary"] == {
        "mesh": f"{HOME}/osm",
        "product": "osm-edge",
        "version": "1.3.9",
        "gone": 4,
        "kept": 0,
        "failed": 0,
        "to_remove": 0,
        "namespaces": 1,
        "workloads": 1,
        "pods": 1,
        "removed_workloads": 1,
        "removed_pods": 3,
        "leftover_pods": 1,
        "pods_per_minute": 97.5,
        "remaining_meshes": [OTHER],
    }
    assert [group["code"] for group in result["leftovers"]] == ["bare-pod"]
    assert uninstall_result(before, before, Removed(), check=True)["summary"]["to_remove"] == 4


def test_an_artefact_is_shown_with_what_the_documents_say_of_it() -> None:
    [shown] = uninstall_result(inventory(CONFIG, alive=False), None, Removed(), check=True)["artefacts"]
    assert shown == {
        "what": "mesh-config",
        "object": {"kind": "MeshConfig", "namespace": HOME, "name": "osm-mesh-config"},
        "outcome": "to_remove",
        "why": "no uninstallation of the chart removes it for certain",
        "found_by": "it was found by the test",
        "documented": True,
        "count": 1,
    }


def test_the_table_has_one_row_for_every_word() -> None:
    assert len(ROWS) == len(TABLE)
    assert ROWS.keys() == KINDS.keys()
    assert all(row.title and row.found_by and row.removed for row in TABLE)
