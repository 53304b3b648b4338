# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of Istio and of its distributions, and the images that carry them. Pure.

``1.5.10-asm.2``: the counter of Anthos Service Mesh is part of the version and a number (asm.10 is newer than asm.9); istioctl itself
drops it when it compares (operator/pkg/install/install.go ``TagToVersionString``). ``-distroless`` and ``-debug`` are variants of
the image, not versions (pkg/kube/inject/inject.go ``KnownImageTypes``).
"""

from __future__ import annotations

import re
from functools import total_ordering
from typing import NamedTuple

VARIANTS = ("distroless", "debug")
_VERSION = re.compile(r"v?(?P<major>\d+)\.(?P<minor>\d+)(?:\.(?P<patch>\d+))?(?:-(?P<rest>[0-9A-Za-z.+_-]+))?")
_ASM = re.compile(r"asm\.(?P<number>\d+)(?:[-+](?P<rest>.+))?")
_PRERELEASES = ("dev", "alpha", "beta", "rc", "snapshot")
_PARTS = re.compile(r"\d+|[^\d.+_-]+")


@total_ordering
class Version:
    """A version; ordered by numbers, a pre-release before its release, ``asm.1`` after the plain version of the same numbers.

    ``rest`` is what other distributions append (``fips``, a build number). Versions are equal when nothing of it differs but the way
    it is written (``v1.31.0`` and ``1.31.0``).
    """

    def __init__(self, major: int, minor: int, patch: int = 0, asm: int = 0, prerelease: str = "", rest: str = "") -> None:
        self.major = major
        self.minor = minor
        self.patch = patch
        self.asm = asm
        self.prerelease = prerelease
        self.rest = rest

    def _key(self) -> tuple[object, ...]:
        return (self.major, self.minor, self.patch, not self.prerelease, _natural(self.prerelease), self.asm, _natural(self.rest))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        """Return for instance ``1.5.10-asm.2``."""
        suffixes = (self.prerelease, f"asm.{self.asm}" if self.asm else "", self.rest)
        return "-".join((f"{self.major}.{self.minor}.{self.patch}", *filter(None, suffixes)))

    def __repr__(self) -> str:
        return f"Version({self})"

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor version, by which the skew between control plane and proxies is judged."""
        return self.major, self.minor


def _natural(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a key that compares numbers inside of text as numbers."""
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in _PARTS.findall(text))


def parse(tag: str) -> Version | None:
    """Return the version that an image tag names, whatever its variant; None for ``latest``, a branch, a commit."""
    match = _VERSION.fullmatch(without_variant(tag))
    if match is None:
        return None
    numbers = (int(match["major"]), int(match["minor"]), int(match["patch"] or 0))
    rest = match["rest"] or ""
    asm = _ASM.fullmatch(rest)
    if asm is not None:
        return Version(*numbers, asm=int(asm["number"]), rest=asm["rest"] or "")
    if rest.startswith(_PRERELEASES):
        return Version(*numbers, prerelease=rest)
    return Version(*numbers, rest=rest)


def variant_of(tag: str) -> str:
    """Return ``distroless`` or ``debug``, empty for the image that has no variant."""
    return next((variant for variant in VARIANTS if tag.endswith(f"-{variant}")), "")


def without_variant(tag: str) -> str:
    """Return a tag without its variant."""
    variant = variant_of(tag)
    return tag[: -len(variant) - 1] if variant else tag


class Image(NamedTuple):
    """An image reference: ``hub`` is everything before the last slash, a registry's port included."""

    hub: str
    name: str
    tag: str
    digest: str

    @property
    def version(self) -> Version | None:
        """The version that the tag names; a digest alone names none."""
        return parse(self.tag)


def read_image(reference: str) -> Image:
    """Take an image reference apart."""
    place, dummy, digest = reference.strip().partition("@")
    hub, dummy, rest = place.rpartition("/")
    name, dummy, tag = rest.partition(":")
    return Image(hub, name, tag, digest)


def differs_only_in_hub(left: str, right: str) -> bool:
    """Whether two references name the same image, by name, tag and digest, in two places."""
    one, other = read_image(left), read_image(right)
    return one.hub != other.hub and bool(one.tag or one.digest) and one[1:] == other[1:]
