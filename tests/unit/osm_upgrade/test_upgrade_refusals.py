# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an upgrade must not start."""

from __future__ import annotations

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_refusals import (
    chart_refusals,
    image_refusals,
    mesh_config_refusals,
    preserve_refusals,
    release_refusals,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.tests.unit.osm_upgrade.states import helm, state

SCHEMA = {"type": "object", "properties": {"traffic": {"type": "object", "properties": {"enableEgress": {"type": "boolean"}}}}}
CONFIG = ObjectRef("MeshConfig", "osm-mesh-config", "osm-system")


def codes(refusals: object) -> list[str]:
    return [refusal.code for refusal in refusals]


@pytest.mark.parametrize(
    ("current", "chart", "version", "expected"),
    [
        ("1.2.3", "osm-edge", "1.3.9", []),
        ("1.2.0", "osm-edge", "1.2.3", []),
        ("1.3.9", "osm-edge", "1.3.9", []),
        ("1.1.3", "osm-edge", "1.2.3", []),
        ("1.2.3", "osm", "1.2.4", ["other-product"]),
        ("1.2.3", "fsm", "1.5.1", ["other-product"]),
        ("1.2.3", "istiod", "1.20.0", ["other-product"]),
        ("1.3.9", "osm-edge", "1.2.3", ["downgrade"]),
        ("1.3.9", "osm-edge", "1.3.8", ["downgrade"]),
        ("1.1.3", "osm-edge", "1.3.9", ["skips-minor"]),
    ],
)
def test_which_charts_are_refused(current: str, chart: str, version: str, expected: list[str]) -> None:
    assert codes(chart_refusals(OSM_EDGE, helm(current), chart, version)) == expected


def test_the_upstream_chart_is_refused_with_the_right_repository() -> None:
    (refusal,) = chart_refusals(OSM_EDGE, helm("1.2.3"), "osm", "1.2.4")
    assert "https://flomesh-io.github.io/osm-edge" in refusal.next
    assert OSM.title in refusal.what


def test_a_skipped_minor_names_the_stop_on_the_way() -> None:
    (refusal,) = chart_refusals(OSM_EDGE, helm("1.1.3"), "osm-edge", "1.3.9")
    assert "chart_version: 1.2.3 now" in refusal.next


def test_an_allowed_downgrade_goes_back_one_minor_version_at_most() -> None:
    assert codes(chart_refusals(OSM_EDGE, helm("1.3.9"), "osm-edge", "1.2.3", may_go_down=True)) == []
    (refusal,) = chart_refusals(OSM_EDGE, helm("1.3.9"), "osm-edge", "1.1.3", may_go_down=True)
    assert refusal.code == "skips-minor"
    assert "chart_version: 1.2.3 now" in refusal.next


def test_a_meshconfig_that_is_preserved_must_have_what_the_version_needs() -> None:
    mesh, target = state().mesh, state().target
    assert codes(preserve_refusals("preserve", mesh, {}, target)) == ["interception-mode-missing"]
    assert codes(preserve_refusals("preserve", mesh, {"traffic": {"interceptionMode": "none"}}, target)) == []
    assert codes(preserve_refusals("merge", mesh, {}, target)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"status": "failed"}, []),
        ({"status": "uninstalling"}, ["release-not-upgradable"]),
        ({"status": "pending-install", "pending_since": 10.0}, ["release-not-upgradable"]),
        ({"status": "pending-upgrade", "pending_since": 10.0}, ["release-pending"]),
        ({"status": "pending-upgrade", "pending_since": 601.0}, []),
        ({"status": "pending-upgrade", "pending_since": 10.0, "ours": True}, []),
        ({"status": "pending-rollback", "pending_since": 599.0}, ["release-pending"]),
    ],
)
def test_which_releases_are_refused(changes: dict, expected: list[str]) -> None:
    assert codes(release_refusals(helm("1.2.3", **changes), 600)) == expected


@pytest.mark.parametrize(
    ("wanted", "preset", "refused"),
    [
        ({"traffic": {"enableEgress": True}}, {}, False),
        ({"traffic": {"interceptionMode": "iptables"}}, {"traffic": {"interceptionMode": "iptables"}}, False),
        ({"traffic": {"interceptionMode": "iptables"}}, {}, True),
        ({"traffic": {"enableEgres": True}}, {"traffic": {"enableEgress": True}}, True),
        ({"traffic": {"enableEgress": "maybe"}}, {}, True),
    ],
)
def test_a_field_of_the_mesh_config_must_be_known_now_or_after_the_upgrade(wanted: dict, preset: dict, refused: bool) -> None:
    assert bool([*mesh_config_refusals(wanted, SCHEMA, preset, CONFIG)]) is refused


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("1.2.3", 3), ("1.3.0", 0), ("v1.3.9-corp", 0), ("latest", 0), ("1.3.9@sha256:00", 0), ("2.0.0", 3)],
)
def test_images_of_another_minor_version_are_refused(tag: str, expected: int) -> None:
    target = state().target
    for manifest in target.manifests:
        container = manifest["spec"]["template"]["spec"]["containers"][0]
        container["image"] = f"{container['image'].partition(':')[0]}:{tag}"
    refusals = list(image_refusals(OSM_EDGE, target))
    assert codes(refusals) == ["image-mismatch"] * expected
    assert all("osm.image.tag" in refusal.next for refusal in refusals)
