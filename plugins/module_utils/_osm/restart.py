# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which changes of a MeshConfig reach only pods that are created afterwards, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import Change, Path, fields, is_zero, same

_IPTABLES = "the init container writes the iptables rules once, when the pod starts (pkg/injector/init_container.go)"
_IMAGE = "the injector puts the image into the pod when it is created (pkg/configurator/methods.go GetSidecarImage)"
_INIT_IMAGE = "the injector puts the image into the pod when it is created (pkg/configurator/methods.go GetInitContainerImage)"

_NEEDS_NEW_PODS: dict[Path, str] = {
    ("traffic", "outboundIPRangeExclusionList"): _IPTABLES,
    ("traffic", "outboundIPRangeInclusionList"): _IPTABLES,
    ("traffic", "outboundPortExclusionList"): _IPTABLES,
    ("traffic", "inboundPortExclusionList"): _IPTABLES,
    ("traffic", "networkInterfaceExclusionList"): _IPTABLES,
    ("sidecar", "localProxyMode"): _IPTABLES,
    ("traffic", "interceptionMode"): (
        "whether a pod gets the init container that intercepts traffic is decided when it is created"
        " (pkg/sidecar/providers/pipy/driver/sidecar.go Patch)"
    ),
    ("sidecar", "sidecarClass"): "the injector chooses the kind of sidecar when the pod is created (pkg/sidecar)",
    ("sidecar", "sidecarImage"): _IMAGE,
    ("sidecar", "sidecarWindowsImage"): _IMAGE,
    ("sidecar", "envoyImage"): _IMAGE,
    ("sidecar", "envoyWindowsImage"): _IMAGE,
    ("sidecar", "initContainerImage"): _INIT_IMAGE,
    ("sidecar", "sidecarDrivers", "sidecarImage"): _IMAGE,
    ("sidecar", "sidecarDrivers", "sidecarWindowsImage"): _IMAGE,
    ("sidecar", "sidecarDrivers", "initContainerImage"): _INIT_IMAGE,
    ("sidecar", "sidecarDrivers", "proxyServerPort"): (
        "it is an argument of the sidecar's container (pkg/sidecar/providers/pipy/driver/pipy_container.go)"
    ),
    ("sidecar", "enablePrivilegedInitContainer"): "it is the security context of the init container (pkg/injector/init_container.go)",
    ("sidecar", "logLevel"): "only pods created afterwards get it (cmd/osm-bootstrap/crds/config_meshconfig.yaml)",
    ("sidecar", "resources"): "they are the resources of the sidecar's container (pkg/sidecar/providers/pipy/driver/pipy_container.go)",
    ("sidecar", "localDNSProxy"): "where a pod sends its DNS queries is set up when it starts (pkg/injector)",
}


class RestartReason(NamedTuple):
    """A changed path that running pods do not see, and why."""

    path: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Return the public form that results carry."""
        return {"path": self.path, "reason": self.reason}


def restart_required(changes: Iterable[Change], sidecar_class: str = "") -> list[RestartReason]:
    """Return those of ``changes`` that need running pods to be replaced.

    With ``sidecar_class`` (``pipy``), drivers of other classes do not count: no pod uses them. A change between absent and
    a zero value has no effect and does not count either.
    """
    found: list[RestartReason] = []
    for change in changes:
        if (is_zero(change.before) and is_zero(change.after)) or _other_class(change.path, sidecar_class):
            continue
        path = fields(change.path)
        reasons = [reason for known, reason in _NEEDS_NEW_PODS.items() if _touches(path, change, known, sidecar_class)]
        found += [RestartReason(change.path, reason) for reason in dict.fromkeys(reasons)]
    return found


def settings_of_new_pods(spec: Mapping[str, Any], sidecar_class: str) -> dict[str, Any]:
    """Return the settings of a MeshConfig that reach only new pods, those that are not zero, by path; of drivers only the class's own."""
    found = {".".join(path): _value(spec, path, sidecar_class) for path in _NEEDS_NEW_PODS}
    return {path: value for path, value in found.items() if not is_zero(value)}


def _other_class(path: str, sidecar_class: str) -> bool:
    start = "sidecar.sidecarDrivers["
    return bool(sidecar_class) and path.startswith(start) and not path.startswith(f"{start}{sidecar_class.lower()}]")


def _touches(path: Path, change: Change, known: Path, sidecar_class: str) -> bool:
    if path[: len(known)] == known:
        return True
    if known[: len(path)] != path:
        return False
    rest = known[len(path) :]
    before, after = _value(change.before, rest, sidecar_class), _value(change.after, rest, sidecar_class)
    return not (is_zero(before) and is_zero(after)) and not same(before, after)


def _value(value: Any, rest: Path, sidecar_class: str) -> Any:
    """Return what ``value`` holds at ``rest``; for a list, of the driver in use (or of all drivers)."""
    if isinstance(value, list) and rest:
        used = [item for item in value if not sidecar_class or str(item.get("sidecarName", "")).lower() == sidecar_class.lower()]
        return [found for item in used if not is_zero(found := _value(item, rest, sidecar_class))]
    if not rest:
        return value
    return _value(value.get(rest[0]), rest[1:], sidecar_class) if isinstance(value, Mapping) else None
