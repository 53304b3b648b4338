# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that one chart of the family has and another one lacks: where the setting is there, or what it always does. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Where a setting is in a chart that does not have its key, newer or older (published charts osm-edge 1.1.3, 1.2.3, 1.3.9).
_SUCCESSORS: dict[str, tuple[str, ...]] = {
    "pipyRepoImage": ("repoServer.image",),
    "repoServer.image": ("pipyRepoImage",),
    "nodeSelector": ("osmController.nodeSelector", "injector.nodeSelector", "osmBootstrap.nodeSelector"),
    **{f"{component}.nodeSelector": ("nodeSelector",) for component in ("osmController", "injector", "osmBootstrap")},
}
# What a chart does that has no such setting.
_FIXED: dict[str, str] = {
    "trafficInterceptionMode": "it always redirects traffic by iptables",
    "osmInterceptor": "it always redirects traffic by iptables",
    "pluginChains": "its chains are built in",
    "repoServer": "the repository of the sidecars' code always runs in the pod of osm-controller",
    "trustDomain": "its trust domain is always cluster.local",
    "localProxyMode": "its sidecars always proxy to localhost",
    "multicluster": "it has no multicluster gateway",
    "featureFlags.enableMulticlusterMode": "it has no multicluster gateway",
}


def instead_of(root: str, path: str, value: Any, chart_version: str) -> str:
    """Return what stands for the value ``root.path`` in a chart that does not have it; ``value`` is what a user had set there."""
    given = [path, *(f"{path}.{leaf}" for leaf in _leaves(value))]
    successors = dict.fromkeys(f"{root}.{name}" for key in given for name in _SUCCESSORS.get(key, ()))
    told = []
    if successors:
        told.append(f"chart {chart_version} has {', '.join(successors)} for it")
    if path in _FIXED and len(successors) < max(1, len(given) - 1):
        told.append(f"in {chart_version} {_FIXED[path]}")
    return "; ".join(told) or "remove it from your values files"


def _leaves(value: Any) -> list[str]:
    if not isinstance(value, Mapping):
        return []
    return [path for key, item in value.items() for path in ([f"{key}.{leaf}" for leaf in _leaves(item)] or [str(key)])]
