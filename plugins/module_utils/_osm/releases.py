# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Published releases as data: which chart brings which control plane and which sidecar image.

Source: the chart archives on osm-edge's branch ``gh-pages`` (``index.yaml`` and the archives' ``values.yaml``).
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.versions import parse


class Release(NamedTuple):
    """One published chart; ``sidecar_repository`` and ``sidecar_tag`` are empty where they are not known."""

    chart: str
    image_tag: str
    sidecar_repository: str = ""
    sidecar_tag: str = ""


class SidecarImage(NamedTuple):
    """A repository path without registry, and a tag."""

    repository: str
    tag: str


_PIPY = "flomesh/pipy"
_PIPY_UBI8 = "flomesh/pipy-ubi8"

OSM_EDGE_RELEASES: tuple[Release, ...] = (
    Release("1.1.0", "1.1.0", _PIPY, "0.50.0-25"),
    Release("1.1.1", "1.1.1", _PIPY, "0.50.0-25"),
    Release("1.1.2", "1.1.2", _PIPY, "0.50.0-25"),
    # Published after 1.2.0, and its image tag was not raised.
    Release("1.1.3", "1.1.1", _PIPY, "0.50.0-25"),
    Release("1.2.0-alpha.1", "1.2.0-alpha.1"),
    Release("1.2.0", "1.2.0", _PIPY, "0.70.0-2"),
    Release("1.2.1-alpha.1", "1.2.1-alpha.1"),
    Release("1.2.1", "1.2.1", _PIPY, "0.70.0-46"),
    Release("1.2.1-ubi8", "1.2.1", _PIPY_UBI8, "0.70.0-46"),
    Release("1.2.2", "1.2.2", _PIPY, "0.70.0-46"),
    Release("1.2.2-ubi8", "1.2.2", _PIPY_UBI8, "0.70.0-46"),
    Release("1.2.3", "1.2.3", _PIPY, "0.70.0-46"),
    Release("1.2.3-ubi8", "1.2.3", _PIPY_UBI8, "0.70.0-46"),
    Release("1.3.0-beta.1", "1.3.0-beta.1"),
    Release("1.3.0-beta.2", "1.3.0-beta.2"),
    # Carries the tag of the beta before it.
    Release("1.3.0-beta.3", "1.3.0-beta.2"),
    Release("1.3.0-beta.4", "1.3.0-beta.4"),
    Release("1.3.0", "1.3.0", _PIPY, "0.90.0-18"),
    Release("1.3.1", "1.3.1", _PIPY, "0.90.0-54"),
    Release("1.3.2", "1.3.2", _PIPY, "0.90.0-54"),
    Release("1.3.3", "1.3.3", _PIPY, "0.90.0-54"),
    Release("1.3.4", "1.3.4", _PIPY, "0.90.1-10"),
    Release("1.3.5", "1.3.5", _PIPY, "0.90.1-87"),
    Release("1.3.6", "1.3.6", _PIPY, "0.90.2-14"),
    Release("1.3.7", "1.3.7", _PIPY, "0.90.2-14"),
    Release("1.3.8", "1.3.8", _PIPY, "0.90.2-14"),
    Release("1.3.9", "1.3.9", _PIPY, "0.90.3-38"),
)

# Open Service Mesh keeps its Envoy image out of the preset (the injector's environment has it), so nothing is pinned.
_RELEASES: dict[str, tuple[Release, ...]] = {OSM_EDGE.id: OSM_EDGE_RELEASES}


def releases_of(product: Product) -> tuple[Release, ...]:
    """Return the known releases of a product, oldest line first; empty when none are recorded."""
    return _RELEASES.get(product.id, ())


def release_of_chart(product: Product, chart_version: str) -> Release | None:
    """Return the release that was published under that chart version (a leading ``v`` does not matter)."""
    wanted = parse(chart_version)
    return next((release for release in releases_of(product) if wanted is not None and parse(release.chart) == wanted), None)


def default_sidecar_images(product: Product, before: str = "", *, newer_too: bool = False) -> frozenset[SidecarImage]:
    """Return every sidecar image that a release of ``product`` had as its default.

    With ``before``, only releases older than that version count (``newer_too``: the newer ones as well), and its own default never does.
    """
    limit = parse(before) if before else None
    known = [release for release in releases_of(product) if release.sidecar_tag]
    images = [(release.chart, SidecarImage(release.sidecar_repository, release.sidecar_tag)) for release in known]
    if limit is None:
        return frozenset(image for dummy, image in images)
    own = {image for chart, image in images if parse(chart) == limit}
    others = {
        image
        for chart, image in images
        if newer_too or ((version := parse(chart)) is not None and version.without_flavour <= limit.without_flavour)
    }
    return frozenset(others - own)
