# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the observed meshes have a control plane, and what are only traces of one that is gone. Pure.

A discovery makes a mesh of any one of its parts, so that what is left of one is found; but only a mesh that lives, or that Helm knows,
uses what meshes share.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS, Product


def is_living(mesh: Mesh) -> bool:
    """Whether something of the mesh runs or is to run: a Deployment, a DaemonSet, a Helm release, or something that serves its webhooks."""
    served = any((hook.endpoints or 0) > 0 for hook in mesh.webhooks)
    return bool(mesh.deployments or mesh.daemon_sets or mesh.release is not None or served)


def is_nameless(mesh: Mesh) -> bool:
    """Whether nothing of the mesh tells its name, so that the name it has here is its product's default."""
    return not (mesh.deployments or mesh.release is not None or any(hook.mesh_name for hook in mesh.webhooks))


def title(mesh: Mesh) -> str:
    """Return ``namespace/name``."""
    return f"{mesh.namespace}/{mesh.name}"


def others_of(observed: Observed, namespace: str, product: Product | None) -> list[Mesh]:
    """Return the meshes other than the one of this product's names in that namespace."""
    prefix = product.name_prefix if product is not None else ""
    return [mesh for mesh in observed.meshes if (mesh.namespace, mesh.product.name_prefix) != (namespace, prefix)]


def titles(meshes: Iterable[Mesh]) -> tuple[str, ...]:
    """Return ``namespace/name`` of each, sorted."""
    return tuple(sorted(title(mesh) for mesh in meshes))


def endpoints_of(service: tuple[str, str], observed: Observed) -> int | None:
    """Return the number of ready endpoints of a Service (namespace, name): -1 when it does not exist, None when that is not known."""
    namespace, name = service
    inside = [mesh.endpoints.get(name, -1) for mesh in observed.meshes if mesh.namespace == namespace and mesh.endpoints is not None]
    outside = observed.leftovers.services.get(service) if observed.leftovers is not None else None
    return max(inside) if inside and outside is None else outside


def product_of_app_name(app_name: str) -> Product | None:
    """Return a product whose objects have this value of ``app.kubernetes.io/name`` (osm-edge for what Open Service Mesh has as well)."""
    return next((product for product in PRODUCTS if product.app_name == app_name), None)
