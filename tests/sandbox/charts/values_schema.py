# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes ``values.schema.json`` of a chart from its ``values.yaml``: the keys that have a default are the keys there are.

That is what the published schemas come to: ``additionalProperties: false`` on the chart's own key and on the objects below
it, anything at the top level (osm-edge v1.3.9 charts/osm/values.schema.json).

usage: values_schema.py CHART_DIRECTORY...
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# Objects whose keys are the user's.
_FREE = frozenset({"affinity", "nodeSelector", "podLabels", "pluginChains"})
_ENUMS: Mapping[str, list[str]] = {
    "controllerLogLevel": ["trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"],
    "sidecarLogLevel": ["trace", "debug", "info", "warning", "warn", "error", "critical", "off"],
    "sidecarClass": ["pipy", "envoy"],
    "localProxyMode": ["Localhost", "PodIP"],
    "kind": ["tresor", "vault", "cert-manager"],
    "pullPolicy": ["Always", "Never", "IfNotPresent"],
}
# osm-edge's modes, and what they became in FSM 1.5.
_INTERCEPTION_MODES = (["iptables", "ebpf", "none"], ["PodLevel", "NodeLevel"])
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


def schema(values: Mapping[str, Any]) -> dict[str, Any]:
    """The schema (JSON Schema draft 7) of a chart's values."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema",
        "type": "object",
        "required": list(values),
        "properties": {key: _property(key, value) for key, value in values.items()},
    }


def _property(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        found: dict[str, Any] = {"type": _TYPES[type(value)]}
        if key == "trafficInterceptionMode":
            return found | {"enum": next(modes for modes in _INTERCEPTION_MODES if value in modes)}
        return found | {"enum": _ENUMS[key]} if key in _ENUMS else found
    if key in _FREE:
        return {"type": "object"}
    return {
        "type": "object",
        "properties": {name: _property(name, item) for name, item in value.items()},
        "additionalProperties": False,
    }


def main() -> None:
    for directory in map(Path, sys.argv[1:]):
        values = yaml.safe_load((directory / "values.yaml").read_text(encoding="utf-8"))
        (directory / "values.schema.json").write_text(json.dumps(schema(values), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
