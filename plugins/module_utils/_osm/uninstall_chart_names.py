# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that charts of the family give to their objects. Pure.

An object that only has a chart's labels is a chart's when it also has one of these names: people copy labels to their own dashboards, roles
and exporters, and like to call them after the mesh. Source: the templates of osm-edge v1.1.0, v1.2.3 and v1.3.9, osm v1.2.4 and fsm v1.5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, Product

HOOK_SUFFIXES = ("-cleanup", "-preinstall")
# What is named neither after the product nor after the release.
PRESETS = frozenset({"preset-mesh-config", "preset-mesh-root-certificate"})
FIXED_NAMES = frozenset({"jaeger", "fluentbit-configmap", *PRESETS})
_AFTER_RELEASE = ("", "-prometheus", "-grafana", "-jaeger", *HOOK_SUFFIXES)
# ConfigMaps of Grafana have a name for each dashboard.
_AFTER_PRODUCT = re.compile(
    r"(bootstrap|controller|injector)(-hpa|-pdb)?|validator|interceptor|prometheus(-server-conf)?|grafana|jaeger|multicluster-gateway"
)
_DASHBOARDS = "grafana-"


def is_chart_name(kind: str, name: str, product: Product, releases: Iterable[str]) -> bool:
    """Whether a chart of the product, installed under one of these release names, gives this name to an object of this kind."""
    if name in FIXED_NAMES or name in {f"{release}{suffix}" for release in releases for suffix in _AFTER_RELEASE}:
        return True
    prefix, dash, rest = name.partition("-")
    if prefix != product.name_prefix or not dash:
        return False
    # FSM's chart also has ingress controllers and gateways, named by its values.
    if product is FSM or (kind == "ConfigMap" and rest.startswith(_DASHBOARDS)):
        return True
    return _AFTER_PRODUCT.fullmatch(rest) is not None
