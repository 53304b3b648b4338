# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which chart value sets what of a component, so that a remedy can name it.

Source: ``values.yaml`` of the charts osm-edge 1.1.3–1.3.9, osm 1.2.4 and fsm 1.4–1.5.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Advice


def requests_keys(product: Product) -> Mapping[str, str]:
    """Return the value that holds the resource requests, by the name of the workload (which is its pods' label ``app``)."""
    root, prefix = product.values_root, product.name_prefix
    return {
        product.controller: f"{root}.{prefix}Controller.resource.requests",
        product.injector: f"{root}.injector.resource.requests",
        product.bootstrap: f"{root}.{prefix}Bootstrap.resource.requests",
        f"{prefix}-interceptor": f"{root}.{prefix}Interceptor.resource.requests",
        f"{prefix}-prometheus": f"{root}.prometheus.resources.requests",
        f"{prefix}-ingress": f"{root}.{prefix}Ingress.resources.requests",
    }


def image_keys(product: Product) -> Mapping[str, str]:
    """Return the values that hold the image of a third-party component, by the name of the workload."""
    root, prefix = product.values_root, product.name_prefix
    return {
        f"{prefix}-prometheus": f"{root}.prometheus.image",
        f"{prefix}-grafana": f"{root}.grafana.image",
        f"{prefix}-jaeger": f"{root}.tracing.image",
        # Its name in osm-edge 1.1.
        "jaeger": f"{root}.tracing.image",
    }


def own_image_key(product: Product) -> str:
    """Return the values that hold the images of the product itself."""
    return f"{product.values_root}.image.registry and {product.values_root}.image.tag"


def advice(product: Product) -> Advice:
    """Return what the remedies of a diagnosis may name."""
    return Advice(
        images=own_image_key(product),
        image_of=image_keys(product),
        requests_of=requests_keys(product),
        bootstrap=product.bootstrap,
        crd_label=f"app.kubernetes.io/name={product.app_name}",
    )
