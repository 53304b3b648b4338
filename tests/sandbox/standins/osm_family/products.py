# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The members of the OSM family: what they call the same things.

Sources: osm-edge v1.3.9 pkg/constants/constants.go, osm v1.2.4 pkg/constants/constants.go and pkg/injector/envoy_container.go,
fsm v1.5.1 pkg/constants/constants.go (osm-edge's code, renamed).
"""

from __future__ import annotations

from dataclasses import dataclass

from .api import Object

ROLES = ("bootstrap", "injector", "controller")


@dataclass(frozen=True)
class Product:
    """``prefix`` begins the names of programs, Services, flags and objects; ``domain`` those of labels and annotations;
    ``config`` is the group and version that its programs read the MeshConfig in; ``sidecar`` the container's name, and
    ``bootstrap`` what the names of a pod's bootstrap Secret and volume begin with.
    """

    name: str
    prefix: str
    domain: str
    config: str
    sidecar: str
    bootstrap: str

    @property
    def config_path(self) -> str:
        return f"/apis/{self.config}"

    @property
    def mesh_config(self) -> str:
        return f"{self.prefix}-mesh-config"

    @property
    def proxy_label(self) -> str:
        return f"{self.prefix}-proxy-uuid"

    @property
    def bootstrap_secret_prefix(self) -> str:
        return f"{self.bootstrap}-"

    @property
    def bootstrap_volume(self) -> str:
        return f"{self.bootstrap}-volume"

    def program(self, role: str) -> str:
        """The name of a role's Deployment, container and Service."""
        return f"{self.prefix}-{role}"


OSM_EDGE = Product("osm-edge", "osm", "openservicemesh.io", "config.openservicemesh.io/v1alpha2", "sidecar", "sidecar-bootstrap-config")
OSM = Product("osm", "osm", "openservicemesh.io", "config.openservicemesh.io/v1alpha2", "envoy", "envoy-bootstrap-config")
FSM = Product("fsm", "fsm", "flomesh.io", "config.flomesh.io/v1alpha3", "sidecar", "sidecar-bootstrap-config")
# The label app.kubernetes.io/name of everything that a chart installs, and of most definitions
APP_NAMES = tuple(sorted({product.domain for product in (OSM_EDGE, OSM, FSM)}))
PROXY_LABELS = {product.proxy_label: product for product in (OSM_EDGE, FSM)}


def product_of(container: Object) -> Product:
    """The product of a program's container: FSM by its name; upstream's images are called osm-*, those of osm-edge osm-edge-*."""
    if str(container["name"]).startswith("fsm-"):
        return FSM
    image = str(container["image"]).rpartition("/")[2]
    return OSM_EDGE if image.startswith("osm-edge-") else OSM
