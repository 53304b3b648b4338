# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resources ``ProxyConfig``, as far as an injector reads them. Pure.

They choose the variant of the image, and end up in the proxy's environment.
Source: istio pilot/pkg/model/proxy_config.go ``EffectiveProxyConfig``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Object = Mapping[str, Any]


class ProxyConfig(NamedTuple):
    """One resource: ``labels`` select pods (empty: the whole namespace), ``settings`` are the rest of its ``spec``."""

    namespace: str
    labels: Mapping[str, str]
    settings: Object


def proxy_configs(items: Iterable[Object]) -> list[ProxyConfig]:
    """Reduce raw ProxyConfigs, the oldest first: of several that fit, the first counts."""
    ordered = sorted(items, key=lambda item: (item["metadata"].get("creationTimestamp") or "", item["metadata"]["name"]))
    found = []
    for item in ordered:
        spec = item.get("spec") or {}
        labels = (spec.get("selector") or {}).get("matchLabels") or {}
        found.append(ProxyConfig(item["metadata"]["namespace"], labels, {key: spec[key] for key in sorted(spec) if key != "selector"}))
    return found


def in_effect(configs: Sequence[ProxyConfig], root: str, namespace: str, labels: Mapping[str, str], annotation: Object) -> list[Object]:
    """Return the settings that count for a pod, the strongest first; ``annotation`` is its own ``proxy.istio.io/config``.

    ``root`` is the namespace whose resources count everywhere.
    """
    found: list[Object] = []
    for config in configs:
        if config.namespace == namespace and config.labels and config.labels.items() <= labels.items():
            found.append(config.settings)
            break
    found.append(annotation)
    for place in dict.fromkeys((namespace, root)):
        found += [config.settings for config in configs if config.namespace == place and not config.labels][:1]
    return [settings for settings in found if settings]


def image_type(settings: Iterable[Object]) -> str:
    """Return the first image type that ``settings`` name, empty when none does."""
    images = (item.get("image") for item in settings)
    return next((str(image["imageType"]) for image in images if isinstance(image, Mapping) and image.get("imageType")), "")
