# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an injector knows when it decides about a pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .products import OSM, Product
from .versions import Version


class Settings(NamedTuple):
    """Its flags, the MeshConfig's ``spec``, its environment."""

    product: Product
    mesh: str
    namespace: str
    version: Version
    spec: Mapping[str, Any]
    environment: Mapping[str, str]
    pull_policy: str

    @property
    def envoy(self) -> bool:
        """Whether the sidecar is upstream's, with Envoy."""
        return self.product is OSM

    def key(self, name: str) -> str:
        """A label or annotation of the product."""
        return f"{self.product.domain}/{name}"

    def default(self, what: str) -> str:
        """A value of the injector's environment, such as OSM_DEFAULT_SIDECAR_IMAGE for SIDECAR_IMAGE."""
        return self.environment.get(f"{self.product.prefix.upper()}_DEFAULT_{what}", "")
