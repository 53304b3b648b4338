# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading and ordering versions, the way between two of them, and the table of releases."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.releases import default_sidecar_images, release_of_chart, releases_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import (
    Minor,
    Version,
    is_downgrade,
    minor_path,
    nearest,
    newest_of,
    parse,
    skips_minor,
)

# A slow machine is no failure.
PROPERTY = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

# Oldest first, as SemVer orders them, with the flavour after the plain release.
ORDERED = (
    "1.1.0", "1.1.3", "1.2.0-alpha.1", "1.2.0", "1.2.3", "1.2.3-ubi8", "1.2.10", "1.3.0-alpha", "1.3.0-alpha.1", "1.3.0-alpha.beta",
    "1.3.0-beta.2", "1.3.0-beta.11", "1.3.0-rc.1", "1.3.0", "1.3.9", "2.0.0",
)  # fmt: skip

PUBLISHED = [release.chart for release in releases_of(OSM_EDGE)]


def read(text: str) -> Version:
    version = parse(text)
    assert version is not None
    return version


def test_order() -> None:
    shuffled = list(ORDERED)
    random.Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=read) == list(ORDERED)


@pytest.mark.parametrize("text", ORDERED)
def test_a_version_is_written_as_it_was_read(text: str) -> None:
    assert str(read(text)) == text
    assert read(f"v{text}") == read(text) == read(f"{text}+build.7")


@pytest.mark.parametrize("text", ["", "1.3", "latest", "1.3.x", "1.3.9.1", "osm-1.3.9", "1.3.9-"])
def test_what_is_no_version(text: str) -> None:
    assert parse(text) is None


versions = st.builds(
    lambda numbers, pre, flavour: ".".join(map(str, numbers)) + (f"-{pre}" if pre else "") + flavour,
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 12)),
    st.sampled_from(["", "alpha.1", "beta.2", "beta.11", "rc"]),
    st.sampled_from(["", "-ubi8"]),
)


@PROPERTY
@given(versions, versions, versions)
def test_the_order_is_total(a: str, b: str, c: str) -> None:
    left, middle, right = read(a), read(b), read(c)
    assert (left < middle) + (left == middle) + (left > middle) == 1
    assert not (left <= middle <= right) or left <= right
    assert (left == middle) == (a == b)


@pytest.mark.parametrize(
    ("current", "target", "downgrade", "path", "skips"),
    [
        ("1.2.3", "1.3.9", False, ["1.3"], False),
        ("1.1.3", "1.3.9", False, ["1.2", "1.3"], True),
        ("v1.1.1", "1.2.3-ubi8", False, ["1.2"], False),
        ("1.3.0", "1.3.9", False, [], False),
        ("1.3.9", "1.3.9", False, [], False),
        ("1.3.9", "1.3.8", True, [], False),
        ("1.3.9", "1.2.3", True, ["1.2"], False),
        ("1.3.9", "1.1.3", True, ["1.2", "1.1"], True),
        ("1.3.0", "1.3.0-beta.4", True, [], False),
        ("1.2.3-ubi8", "1.2.3", False, [], False),
        ("1.2.3", "1.2.3-ubi8", False, [], False),
        ("1.3.9", "2.0.0", False, ["2.0"], True),
        ("0.9.2", "0.11.1", False, ["0.10", "0.11"], True),
        ("latest", "1.3.9", False, [], False),
    ],
)
def test_the_way(current: str, target: str, downgrade: bool, path: list[str], skips: bool) -> None:
    assert is_downgrade(current, target) is downgrade
    assert [str(line) for line in minor_path(current, target)] == path
    assert skips_minor(current, target) is skips


def test_the_hop_of_1_1_to_1_3_is_the_newest_1_2() -> None:
    assert newest_of(Minor(1, 2), PUBLISHED) == "1.2.3"
    assert newest_of(Minor(1, 3), PUBLISHED) == "1.3.9"
    assert newest_of(Minor(1, 4), PUBLISHED) is None
    assert newest_of(Minor(1, 3), ["1.3.0-beta.1"]) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("1.3.10", ["1.3.9", "1.3.8", "1.3.7"]),
        ("1.2.4", ["1.2.3", "1.2.3-ubi8", "1.2.2"]),
        ("1.2.9-ubi8", ["1.2.3-ubi8", "1.2.3"]),
        ("v1.3.99", ["1.3.9"]),
        ("1.39", ["1.3.9"]),
    ],
)
def test_nearest(wanted: str, expected: list[str]) -> None:
    assert nearest(wanted, PUBLISHED)[: len(expected)] == expected


def test_nearest_of_nothing() -> None:
    assert nearest("1.3.9", []) == []


# chart, image tag, repository of the sidecar, its tag: osm-edge's published chart archives.
TABLE = [
    "",
    "1.1.0 1.1.0 pipy 0.50.0-25",
    "1.1.1 1.1.1 pipy 0.50.0-25",
    "1.1.2 1.1.2 pipy 0.50.0-25",
    "1.1.3 1.1.1 pipy 0.50.0-25",
    "1.2.0 1.2.0 pipy 0.70.0-2",
    "1.2.1 1.2.1 pipy 0.70.0-46",
    "1.2.2 1.2.2 pipy 0.70.0-46",
    "1.2.3 1.2.3 pipy 0.70.0-46",
    "1.2.1-ubi8 1.2.1 pipy-ubi8 0.70.0-46",
    "1.2.2-ubi8 1.2.2 pipy-ubi8 0.70.0-46",
    "1.2.3-ubi8 1.2.3 pipy-ubi8 0.70.0-46",
    "1.3.0 1.3.0 pipy 0.90.0-18",
    "1.3.1 1.3.1 pipy 0.90.0-54",
    "1.3.2 1.3.2 pipy 0.90.0-54",
    "1.3.3 1.3.3 pipy 0.90.0-54",
    "1.3.4 1.3.4 pipy 0.90.1-10",
    "1.3.5 1.3.5 pipy 0.90.1-87",
    "1.3.6 1.3.6 pipy 0.90.2-14",
    "1.3.7 1.3.7 pipy 0.90.2-14",
    "1.3.8 1.3.8 pipy 0.90.2-14",
    "1.3.9 1.3.9 pipy 0.90.3-38",
    "",
][1:-1]


@pytest.mark.parametrize("row", TABLE)
def test_releases(row: str) -> None:
    chart, tag, repository, sidecar_tag = row.split()
    release = release_of_chart(OSM_EDGE, f"v{chart}")
    assert release is not None
    assert release == (chart, tag, f"flomesh/{repository}", sidecar_tag)
    assert (release.sidecar_repository, release.sidecar_tag) in default_sidecar_images(OSM_EDGE)


def test_the_table_has_no_other_releases() -> None:
    assert {chart for chart in PUBLISHED if not read(chart).is_pre_release} == {row.split()[0] for row in TABLE}
    beta = release_of_chart(OSM_EDGE, "1.3.0-beta.3")
    assert beta is not None
    assert beta.image_tag == "1.3.0-beta.2"
    assert release_of_chart(OSM_EDGE, "1.4.0") is None


def test_defaults_before_a_version_leave_out_its_own_and_later_ones() -> None:
    assert default_sidecar_images(OSM_EDGE, "1.1.3") == set()
    assert default_sidecar_images(OSM_EDGE, "1.2.0") == {("flomesh/pipy", "0.50.0-25")}
    assert default_sidecar_images(OSM_EDGE, "1.3.0") == {
        ("flomesh/pipy", "0.50.0-25"), ("flomesh/pipy", "0.70.0-2"), ("flomesh/pipy", "0.70.0-46"), ("flomesh/pipy-ubi8", "0.70.0-46"),
    }  # fmt: skip
    assert ("flomesh/pipy", "0.90.2-14") not in default_sidecar_images(OSM_EDGE, "1.3.7")
    assert ("flomesh/pipy", "0.90.2-14") in default_sidecar_images(OSM_EDGE, "1.3.9")
    assert default_sidecar_images(OSM) == default_sidecar_images(FSM) == set()
