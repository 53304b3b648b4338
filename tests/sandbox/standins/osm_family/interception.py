# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the init container is told: of the iptables rules those that a configuration decides about.

Source: osm-edge v1.3.9 pkg/injector/iptables.go; the pod's annotations add to the MeshConfig (pkg/injector/exclusions.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .settings import Settings

Object = Mapping[str, Any]


def commands(pod: Object, settings: Settings) -> str:
    """The argument of the init container's shell: rules for iptables-restore."""
    return "\n".join(["iptables-restore --noflush <<EOF", "*nat", *_rules(pod, settings), "COMMIT", "EOF"])


def _rules(pod: Object, settings: Settings) -> Iterator[str]:
    chain = f"{settings.product.prefix.upper()}_PROXY"
    outbound, inbound = f"{chain}_OUTBOUND", f"{chain}_INBOUND"
    yield f"-A {outbound} -d 127.0.0.1/32 -j RETURN"
    if ports := _values(pod, settings, "inboundPortExclusionList", "inbound-port-exclusion-list"):
        yield f"-I {inbound} -p tcp --match multiport --dports {','.join(ports)} -j RETURN"
    for network in _values(pod, settings, "outboundIPRangeExclusionList", "outbound-ip-range-exclusion-list"):
        yield f"-A {outbound} -d {network} -j RETURN"
    if ports := _values(pod, settings, "outboundPortExclusionList", "outbound-port-exclusion-list"):
        yield f"-A {outbound} -p tcp --match multiport --dports {','.join(ports)} -j RETURN"
    included = _values(pod, settings, "outboundIPRangeInclusionList", "outbound-ip-range-inclusion-list")
    for network in included:
        yield f"-A {outbound} -d {network} -j {chain}_OUT_REDIRECT"
    yield f"-A {outbound} -j {'RETURN' if included else f'{chain}_OUT_REDIRECT'}"


def _values(pod: Object, settings: Settings, field: str, annotation: str) -> list[str]:
    """The MeshConfig's list, then what the pod adds; each once."""
    listed = [str(item) for item in (settings.spec.get("traffic") or {}).get(field) or ()]
    own = (pod["metadata"].get("annotations") or {}).get(settings.key(annotation), "")
    return [*dict.fromkeys([*listed, *(part.strip() for part in own.split(",") if part.strip())])]
