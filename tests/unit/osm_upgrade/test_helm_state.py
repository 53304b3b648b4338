# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which revision an upgrade starts from, when a pending one is ours, and what a diff may show of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release, ReleaseInfo
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.helm_state import base_revision, helm_intent, helm_state
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.shown_values import shown_values
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_target import templates_digest
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, digest

NOW = 1_700_000_100.0
A_MOMENT_AGO = "2023-11-14T22:13:20.123456789Z"  # 1,700,000,000


def release(status: str) -> Release:
    # Helm writes a description of its own into a pending revision and ours only at the end (helm pkg/action/upgrade.go).
    return Release("osm", "osm-system", 2, status, "osm-edge", "1.3.9", "1.3.9", {}, {}, "", "", A_MOMENT_AGO, "Preparing upgrade", {})


def record_of_upgrade(version: str = "1.3.9", release: str = "osm", values: dict | None = None) -> Record:
    intent = helm_intent("osm-edge", version, templates_digest({}), values or {})
    return Record("id", {f"helm_upgrade:Release/osm-system/{release}": digest(intent)})


def history(*statuses: str) -> list[ReleaseInfo]:
    return [ReleaseInfo("osm", "osm-system", number, status, 0.0, "") for number, status in enumerate(statuses, 1)]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("deployed",), 1),
        (("superseded", "deployed"), 2),
        (("superseded", "deployed", "failed"), 2),
        (("superseded", "deployed", "pending-upgrade"), 2),
        (("superseded", "superseded", "failed"), 2),
        (("failed", "failed"), 2),
        (("pending-install",), None),
        ((), None),
    ],
)
def test_the_revision_to_start_from(statuses: tuple[str, ...], expected: int | None) -> None:
    assert base_revision(history(*statuses)) == expected


def test_a_release_that_is_not_pending() -> None:
    found = helm_state(release("deployed"), None, NOW)
    assert (found.pending_since, found.ours) == (None, False)


@pytest.mark.parametrize(
    ("record", "ours"),
    [
        (record_of_upgrade(), True),
        (None, False),
        (Record("id", {}), False),
        (record_of_upgrade(version="1.3.8"), False),
        (record_of_upgrade(release="another"), False),
        (record_of_upgrade(values={"osm": {"enableEgress": False}}), False),
    ],
)
def test_a_pending_revision_is_ours_only_when_it_is_what_a_run_of_ours_recorded(record: Record | None, ours: bool) -> None:
    found = helm_state(release("pending-upgrade"), record, NOW)
    assert found.ours is ours
    assert found.pending_since == pytest.approx(99.9, abs=0.1)


def test_values_of_unknown_origin_are_masked_and_others_shown() -> None:
    values = {"osm": {"image": {"registry": "private.example", "tag": "1.3.9"}, "enableEgress": True, "trustDomain": None}}
    shown = shown_values(values, {"osm": {"image": {"tag": "1.3.9"}}}, "after")
    assert shown == {"osm": {"image": {"registry": "******** (after)", "tag": "1.3.9"}, "enableEgress": True, "trustDomain": None}}


@given(st.dictionaries(st.sampled_from(["templates/a.yaml", "templates/b.tpl", "templates/NOTES.txt"]), st.binary(max_size=8)))
def test_the_digest_of_templates_does_not_depend_on_order(templates: dict[str, bytes]) -> None:
    assert templates_digest(templates) == templates_digest(dict(reversed(templates.items())))


def test_the_digest_of_templates_ignores_what_helm_does_not_load_and_sees_every_change() -> None:
    base = {"templates/a.yaml": b"a: 1"}
    assert templates_digest({**base, "templates/a.yaml~": b"old"}) == templates_digest(base)
    assert templates_digest({"templates/a.yaml": b"a: 2"}) != templates_digest(base)
    assert templates_digest({"templates/b.yaml": b"a: 1"}) != templates_digest(base)
