# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of Istio, and the images that carry them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.versions import (
    Image,
    Version,
    differs_only_in_hub,
    parse,
    read_image,
    variant_of,
)

ORDERED = [
    "1.5.9",
    "1.5.10",
    "1.5.10-asm.2",
    "1.5.10-asm.9",
    "1.5.10-asm.10",
    "1.6.0-alpha.1",
    "1.6.0-rc.1",
    "1.6.0-rc.2",
    "1.6.0-rc.10",
    "1.6.0",
    "1.6.1",
    "1.9.0",
    "1.10.0",
    "1.10.2",
    "2.0.0",
]


def version(text: str) -> Version:
    found = parse(text)
    assert found is not None
    return found


def test_order() -> None:
    assert sorted(map(version, reversed(ORDERED))) == [*map(version, ORDERED)]
    assert len(set(map(version, ORDERED))) == len(ORDERED)


@pytest.mark.parametrize("tag", ["latest", "", "master", "1", "v1", "eed52ebb66ad", "1.x", "release-1.5"])
def test_what_is_no_version(tag: str) -> None:
    assert parse(tag) is None


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("v1.31.0", "1.31.0"),
        ("1.31", "1.31.0"),
        ("1.31.0-distroless", "1.31.0"),
        ("1.5.10-asm.2-distroless", "1.5.10-asm.2"),
        ("1.5.10-asm.2-debug", "1.5.10-asm.2"),
        ("1.20.1-fips", "1.20.1-fips"),
        ("1.31-alpha.5c4e", "1.31.0-alpha.5c4e"),
        ("1.9.5-asm.2+config1", "1.9.5-asm.2-config1"),
    ],
)
def test_reading(tag: str, text: str) -> None:
    assert str(version(tag)) == text
    assert version(tag) == version(str(version(tag)))


TAGS = st.builds(
    lambda numbers, suffix, variant: ".".join(map(str, numbers)) + suffix + variant,
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)),
    st.one_of(
        st.just(""),
        st.integers(0, 30).map(lambda number: f"-asm.{number}"),
        st.integers(0, 30).map(lambda number: f"-rc.{number}"),
        st.sampled_from(["-fips", "-tetrate-v1", "-dev", "-alpha.0a1b2c", "-asm.3-fips"]),
    ),
    st.sampled_from(["", "-distroless", "-debug"]),
)


@given(TAGS, TAGS, TAGS)
def test_the_order_is_total(one: str, two: str, three: str) -> None:
    a, b, c = map(version, (one, two, three))
    assert (a < b) + (b < a) + (a == b) == 1
    assert a <= c if a <= b and b <= c else True
    assert hash(a) == hash(b) if a == b else True


@given(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), st.integers(1, 99), st.integers(1, 99))
def test_the_counter_is_a_number(numbers: tuple[int, int, int], low: int, more: int) -> None:
    plain = ".".join(map(str, numbers))
    assert version(plain) < version(f"{plain}-asm.{low}") < version(f"{plain}-asm.{low + more}")


@pytest.mark.parametrize(
    ("reference", "image", "text"),
    [
        ("docker.io/istio/proxyv2:1.31.0", Image("docker.io/istio", "proxyv2", "1.31.0", ""), "1.31.0"),
        ("localhost:5000/proxyv2:1.31.0", Image("localhost:5000", "proxyv2", "1.31.0", ""), "1.31.0"),
        ("localhost:5000/proxyv2", Image("localhost:5000", "proxyv2", "", ""), "None"),
        ("proxyv2:latest", Image("", "proxyv2", "latest", ""), "None"),
        ("gcr.io/gke-release/asm/proxyv2@sha256:0a", Image("gcr.io/gke-release/asm", "proxyv2", "", "sha256:0a"), "None"),
        ("a/proxyv2:1.5.10-asm.2@sha256:0a", Image("a", "proxyv2", "1.5.10-asm.2", "sha256:0a"), "1.5.10-asm.2"),
    ],
)
def test_images(reference: str, image: Image, text: str) -> None:
    assert read_image(reference) == image
    assert str(image.version) == text


def test_variants() -> None:
    assert [variant_of(tag) for tag in ("1.31.0", "1.31.0-distroless", "1.31.0-debug", "debug")] == ["", "distroless", "debug", ""]


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("a/proxyv2:1", "b:5000/c/proxyv2:1", True),
        ("a/proxyv2:1", "a/proxyv2:1", False),
        ("a/proxyv2:1", "b/proxyv2:2", False),
        ("a/proxyv2:1", "b/proxy:1", False),
        ("a/proxyv2:1", "b/proxyv2:1-distroless", False),
        ("a/proxyv2@sha256:1", "b/proxyv2@sha256:1", True),
        ("a/proxyv2", "b/proxyv2", False),
    ],
)
def test_mirrors(left: str, right: str, same: bool) -> None:
    found = {differs_only_in_hub(*pair) for pair in ((left, right), (right, left))}
    assert found == {same}
