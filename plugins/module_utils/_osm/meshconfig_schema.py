# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Is a MeshConfig ``spec`` one that the live CustomResourceDefinition and the control plane will take as it is meant?

No admission webhook looks at MeshConfigs in any version, so the API server checks only shapes, drops unknown fields
silently, and the control plane replaces what it cannot read by defaults (osm-edge v1.3.9 pkg/configurator/methods.go).
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.schema_check import Schema, Violation, violations
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_RANGES = ("outboundIPRangeExclusionList", "outboundIPRangeInclusionList")
_PORTS = ("outboundPortExclusionList", "inboundPortExclusionList")
# What Go's time.ParseDuration reads: no days, no bare numbers but 0.
_DURATION = re.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")


class Problem(NamedTuple):
    """One thing to correct: where, what is there, why it is wrong, and what to write instead."""

    path: str
    what: str
    why: str
    fix: str

    def __str__(self) -> str:
        """Return one line for an error message."""
        return f"{self.path}: {self.what}: {self.why}; {self.fix}"

    def as_dict(self) -> dict[str, str]:
        """Return the public form that results carry."""
        return {"path": self.path, "what": self.what, "why": self.why, "fix": self.fix}


def spec_schema(crd: Mapping[str, Any], version: str) -> Schema | None:
    """Return the schema of ``spec`` in one version of a raw CustomResourceDefinition; None when it has none."""
    for known in (crd.get("spec") or {}).get("versions") or ():
        if known.get("name") == version:
            return _of_spec((known.get("schema") or {}).get("openAPIV3Schema") or {})
    return None


def validate(spec: Mapping[str, Any], openapi_schema: Schema, *, partial: bool = False) -> list[Problem]:
    """Return what is wrong with ``spec``, in the order of the spec; empty when the API server will store it as it is.

    ``openapi_schema`` is the definition's ``openAPIV3Schema``, or the schema of ``spec`` in it. ``partial`` does not ask for
    required fields: for what a user gave, before it is merged.
    """
    schema = _of_spec(openapi_schema) or openapi_schema
    traps = list(_traps(spec))
    trapped = {problem.path for problem in traps}
    found = violations(spec, schema, structural=True, required=not partial)
    return [*(_problem(violation) for violation in found if violation.where not in trapped), *traps]


def _of_spec(openapi_schema: Schema) -> Schema | None:
    found = (openapi_schema.get("properties") or {}).get("spec")
    return found if isinstance(found, Mapping) else None


def _problem(violation: Violation) -> Problem:
    where, value, expected = violation.where, violation.value, violation.expected
    what = f"is {_text(value)}"
    if violation.kind == "unknown":
        nearest = violation.nearest
        fix = f"did you mean {' or '.join(nearest)}?" if nearest else f"known here: {', '.join(expected or ())}"
        return Problem(where, "unknown field", "the installed version has no such field, the API server would drop it silently", fix)
    if violation.kind == "missing":
        return Problem(where, "missing", "the field is required here", f"add {violation.path[-1]}")
    if value is None:
        return Problem(where, "has no value", "a key without a value is null in YAML", "give it a value, or leave the key out")
    if violation.kind == "type":
        return _wrong_type(where, value, expected, violation)
    if violation.kind == "enum":
        if value == "off" and any(item is False for item in expected):
            why = "the installed definition lists off without quotes, which is the boolean false, so the text is refused"
            return Problem(where, what, why, 'use critical, or correct the enum of the definition to "off" first')
        return Problem(where, what, "not one of the values that the installed version knows", f"use one of {_choices(expected)}")
    if violation.kind == "pattern":
        return Problem(where, what, f"it does not match {expected}", "write it in that form")
    low, high = expected if isinstance(expected, tuple) else (None, None)
    limits = " and ".join(text for text, limit in ((f"at least {low}", low), (f"at most {high}", high)) if limit is not None)
    if violation.kind == "choice":
        return Problem(where, what, "it fits none of the forms that the installed version knows", "see the definition of this field")
    return Problem(where, what, f"it must {'have' if violation.kind == 'size' else 'be'} {limits}", "use a value within these limits")


def _wrong_type(where: str, value: Any, expected: list[str], violation: Violation) -> Problem:
    what, why = f"is {_text(value)}", f"it must be {' or '.join(_article(name) for name in expected)}"
    if violation.path[-1] == "logLevel" and value is False:
        return Problem(where, what, "off without quotes is the boolean false in YAML", 'write logLevel: "off"')
    if "string" in expected and isinstance(value, bool):
        why = "on, off, yes, no, true and false without quotes are booleans in YAML"
        return Problem(where, what, why, f'quote it: "{"on" if value else "off"}"')
    if "string" in expected and isinstance(value, (int, float)):
        return Problem(where, what, why, f'quote it: "{value}"')
    if "integer" in expected and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return Problem(where, what, why, f"write the number {value} without quotes (in a template, add | int)")
    if "boolean" in expected and isinstance(value, str):
        return Problem(where, what, why, "write true or false without quotes (in a template, add | bool)")
    if "array" in expected and not isinstance(value, (list, Mapping)):
        return Problem(where, what, why, f"write it as a list: [{_text(value)}]")
    return Problem(where, what, why, f"give {' or '.join(_article(name) for name in expected)}")


def _traps(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """What the definition's pattern lets through although it can never work."""
    traffic = spec.get("traffic")
    if not isinstance(traffic, Mapping):
        return
    for key in (*_RANGES, *_PORTS):
        items = traffic.get(key)
        for at, item in enumerate(items if isinstance(items, list) else ()):
            where = f"traffic.{key}[{at}]"
            if key in _RANGES and isinstance(item, str):
                yield from _range_problem(where, item)
            elif key in _PORTS and isinstance(item, int) and not isinstance(item, bool) and not 1 <= item <= 65535:
                yield Problem(where, f"is {item}", "a port is a number from 1 to 65535", "use a port in that range")


def _range_problem(where: str, item: str) -> Iterator[Problem]:
    try:
        network = ipaddress.ip_network(item, strict=False)
    except ValueError as error:
        yield Problem(where, f'is "{item}"', f"it is no IPv4 range: {error}", "write it as a.b.c.d/n with n from 0 to 32")
        return
    if network.version != 4:
        yield Problem(where, f'is "{item}"', "the mesh intercepts IPv4 only, and the definition takes no IPv6 range", "leave it out")
    elif re.fullmatch(r"[\d.]+/\d{1,2}", item) is None:
        fix = f"write {network}"
        yield Problem(where, f'is "{item}"', "a range needs its prefix length as a number after a slash", fix)


def replaced_silently(spec: Mapping[str, Any], mesh_config: ObjectRef) -> list[Finding]:
    """Return a warning for every value that the control plane cannot use and replaces by a default of its own.

    Source: osm-edge v1.3.9 pkg/configurator/methods.go; the ports: pkg/apis/config/v1alpha2/mesh_config.go.
    """
    found: list[Finding] = []

    def warn(path: str, value: Any, effect: str, remedy: str) -> None:
        what = f"{path} is {_text(value)}: {effect}"
        found.append(Finding("warning", "value-not-usable", mesh_config, what, "the API server stores it, nobody reports it", remedy))

    for path, default in _DURATIONS:
        value = _at(spec, path)
        if isinstance(value, str) and value and _DURATION.fullmatch(value) is None:
            warn(path, value, f"the control plane uses {default}", "write it like 90s, 24h or 1h30m (there is no unit for days)")
    bits = _at(spec, "certificate.certKeyBitSize")
    if isinstance(bits, int) and not isinstance(bits, bool) and not 2048 <= bits <= 4096:
        warn("certificate.certKeyBitSize", bits, "the control plane uses 2048", "use a size from 2048 to 4096")
    for path in ("observability.tracing.port", "observability.remoteLogging.port"):
        port = _at(spec, path)
        if isinstance(port, int) and port > 32767:
            warn(path, port, "the control plane reads 16 bits with a sign and cannot load the MeshConfig", "use a port up to 32767")
    return found


_DURATIONS = (
    ("certificate.serviceCertValidityDuration", "24h"),
    ("certificate.ingressGateway.validityDuration", "24h"),
    ("sidecar.configResyncInterval", "0s (no resync)"),
    ("traffic.inboundExternalAuthorization.timeout", "1s"),
)


def _at(spec: Any, path: str) -> Any:
    for key in path.split("."):
        spec = spec.get(key) if isinstance(spec, Mapping) else None
    return spec


def _article(name: str) -> str:
    return {"object": "a map", "array": "a list", "integer": "a whole number", "boolean": "true or false"}.get(name, f"a {name}")


def _choices(expected: Any) -> str:
    return ", ".join(_text(item) if isinstance(item, bool) else str(item) for item in expected)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
