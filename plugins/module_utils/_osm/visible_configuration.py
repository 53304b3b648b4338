# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of its configuration can be seen on an injected pod, compared with what a new pod would get. Pure.

The image tells nothing about it: iptables rules and arguments are written when a pod is created, and the MeshConfig may have
been changed since.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product

Object = Mapping[str, Any]

# osm-edge v1.3.9 pkg/injector/iptables.go GenerateIptablesCommands; FSM's chains have another prefix, upstream inserts (-I) what osm-edge
# appends (-A).
_RULES = {
    "outboundIPRangeExclusionList": re.compile(r"^-[AI] \w+_PROXY_OUTBOUND -d (\S+) -j RETURN$", re.MULTILINE),
    "outboundIPRangeInclusionList": re.compile(r"^-[AI] \w+_PROXY_OUTBOUND -d (\S+) -j \w+_PROXY_OUT_REDIRECT$", re.MULTILINE),
    "outboundPortExclusionList": re.compile(r"^-[AI] \w+_PROXY_OUTBOUND -p tcp --match multiport --dports (\S+) -j RETURN$", re.MULTILINE),
    "inboundPortExclusionList": re.compile(r"^-[AI] \w+_PROXY_INBOUND -p tcp --match multiport --dports (\S+) -j RETURN$", re.MULTILINE),
}
# The same fields as annotations of pods, which add to the MeshConfig (pkg/injector/exclusions.go).
_ANNOTATIONS = {
    "outboundIPRangeExclusionList": "outbound-ip-range-exclusion-list",
    "outboundIPRangeInclusionList": "outbound-ip-range-inclusion-list",
    "outboundPortExclusionList": "outbound-port-exclusion-list",
    "inboundPortExclusionList": "inbound-port-exclusion-list",
}
_LOCALHOST = "127.0.0.1/32"
_ANY_RULE = re.compile(r"^-[AI] \w+_PROXY_OUTBOUND ", re.MULTILINE)


class Visible(NamedTuple):
    """What an injected pod shows: arguments of sidecar and init container, and annotations that add exclusions."""

    sidecar: tuple[str, ...]
    init: tuple[str, ...]
    exclusions: tuple[tuple[str, str], ...]


def visible(pod: Object, product: Product) -> Visible:
    """Reduce a raw injected pod to what it shows of its configuration."""
    spec = pod["spec"]
    annotations = pod["metadata"].get("annotations") or {}
    keys = ((field, f"{product.key_domain}/{name}") for field, name in _ANNOTATIONS.items())
    return Visible(
        _arguments(spec.get("containers"), product.sidecar_container),
        _arguments(spec.get("initContainers"), product.init_container),
        tuple((field, annotations[key]) for field, key in keys if key in annotations),
    )


def _arguments(containers: Iterable[Object] | None, name: str) -> tuple[str, ...]:
    found: Object = next((item for item in containers or () if item["name"] == name), {})
    return tuple(found.get("args") or ())


def invalid_exclusion(pod: Object, product: Product) -> str | None:
    """Say which annotation with exclusions the injector cannot read, so that it denies the pod (pkg/injector/exclusions.go)."""
    annotations = pod["metadata"].get("annotations") or {}
    for name in _ANNOTATIONS.values():
        key = f"{product.key_domain}/{name}"
        valid = _is_network if "-ip-range-" in name else _is_port
        wrong = [part for part in str(annotations[key]).split(",") if not valid(part.strip())] if key in annotations else []
        if wrong:
            return f"the pod's annotation {key} has the invalid value {wrong[0]!r}"
    return None


def _is_port(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _is_network(text: str) -> bool:
    try:
        return "/" in text and bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


def outdated_setting(seen: Visible, spec: Object) -> str | None:
    """Say which setting of a MeshConfig ``spec`` a pod was started without; None when nothing that can be seen differs."""
    traffic = spec.get("traffic") or {}
    rules = next((text for text in seen.init if _ANY_RULE.search(text)), None)
    own = dict(seen.exclusions)
    for field, pattern in _RULES.items() if rules is not None else ():
        has = {part for match in pattern.findall(rules or "") for part in match.split(",")} - {_LOCALHOST}
        wanted = {str(item) for item in traffic.get(field) or ()} | _parts(own.get(field))
        if has != wanted - {_LOCALHOST}:
            return f"was started with another {field} than new pods"
    level = _log_level(seen.sidecar)
    wanted_level = (spec.get("sidecar") or {}).get("logLevel")
    if level and wanted_level and level != wanted_level:
        return f"was started with log level {level}, new pods get {wanted_level}"
    return None


def _parts(value: str | None) -> set[str]:
    return {part.strip() for part in (value or "").split(",") if part.strip()}


def _log_level(arguments: tuple[str, ...]) -> str:
    """Pipy has ``--log-level=error``, Envoy ``--log-level error``."""
    for at, argument in enumerate(arguments):
        if argument.startswith("--log-level="):
            return argument.partition("=")[2]
        if argument == "--log-level" and at + 1 < len(arguments):
            return arguments[at + 1]
    return ""
