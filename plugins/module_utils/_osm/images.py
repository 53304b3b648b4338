# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Container images as the merge of a MeshConfig compares them: registry, repository path, tag, digest."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.releases import SidecarImage


class Image(NamedTuple):
    """``registry`` is empty when the reference names none (the container runtime's default then applies)."""

    registry: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        """Return the reference as it is written in a pod."""
        place = f"{self.registry}/{self.repository}" if self.registry else self.repository
        tagged = f"{place}:{self.tag}" if self.tag else place
        return f"{tagged}@{self.digest}" if self.digest else tagged


def read_image(reference: str) -> Image:
    """Take an image reference apart.

    The part before the first slash is a registry when it has a dot or a colon or is ``localhost``, as in Docker's rule.
    """
    name, dummy, digest = reference.strip().partition("@")
    first, slash, rest = name.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    path = rest if has_registry else name
    head, colon, tag = path.rpartition(":")
    repository = head if colon else path
    return Image(first if has_registry else "", repository, tag if colon else "", digest)


def is_one_of(image: Image, defaults: Collection[SidecarImage]) -> bool:
    """Whether repository path and tag are one of ``defaults``, in whatever registry; a digest is somebody's own pin."""
    return not image.digest and SidecarImage(image.repository, image.tag) in defaults


def moved_to(current: Image, new: Image) -> Image:
    """Return ``new``, from the registry that ``current`` comes from unless ``new`` names one."""
    return new if new.registry else new._replace(registry=current.registry)
