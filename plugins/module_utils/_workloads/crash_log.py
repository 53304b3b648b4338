# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the last log lines of a crashing container say, as far as they are known. Pure.

The programs of the OSM family log JSON (zerolog): ``{"level":"fatal","component":…,"error":…,"reason":…,"message":…}``. Sources:
osm-edge v1.3.9 ``pkg/k8s/events/types.go`` (reasons), ``cmd/osm-bootstrap/osm-bootstrap.go`` (definitions, MeshConfig); parameters that
a program does not know end it in pflag with a plain line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Cause

MASK = "********"
_QUOTED = 400

REASONS: Mapping[str, Cause] = {
    "FatalInvalidCLIParameters": "cli-mismatch",
    "FatalInitializationError": "initialization-failed",
    "FatalInvalidCertificateManager": "certificate-failed",
    "FatalCertificateIssuanceFailure": "certificate-failed",
}
_UNKNOWN_FLAG = re.compile(r"unknown (?:shorthand )?flag: .+")
_NIL_MAP = "panic: assignment to entry in nil map"
# The line before that panic names the definition (applyOrUpdateCRDs).
_AT_CRD = re.compile(r"for crd ?: ([a-z0-9.-]+)")
_STORED = re.compile(
    r'CustomResourceDefinition\S* "(?P<crd>[^"]+)" is invalid:'
    r'.*status\.storedVersions\[(?P<at>\d+)\]: Invalid value: "(?P<version>[^"]*)"'
)
_UNSUPPORTED = re.compile(
    r'(?P<path>spec\.[\w.\[\]-]+): Unsupported value: (?P<value>"[^"]*"|null|[^:,]+)'
    r'(?:: supported values: (?P<supported>"[^\]}]*"))?'
)
_INVALID = re.compile(r'(?P<kind>[\w.-]+) "(?P<name>[^"]+)" is invalid')
# What may be a secret in an otherwise known line.
_SECRETS = (
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\g<1>{MASK}@"),
    (re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]{6,}"), rf"\g<1> {MASK}"),
    (
        re.compile(r"(?i)((?:token|password|passwd|secret|api[-_]?key|private[-_]?key)[\"']?(?:=|\":\s*)[\"']?)[^\s\"',;&]+"),
        rf"\g<1>{MASK}",
    ),
    (re.compile(r"\b(?:hv[sbr]|s)\.[A-Za-z0-9_-]{20,}"), MASK),
)


class Clue(NamedTuple):
    """Why a container ended: ``quote`` is the line, masked and cut. ``subject`` holds what a remedy needs, by name."""

    cause: Cause
    quote: str
    subject: Mapping[str, str] = {}


def read_log(text: str) -> Clue | None:
    """Return what the log says about the end of the program; None when no line is one that is known."""
    lines = [line for line in text.splitlines() if line.strip()]
    for at in range(len(lines) - 1, -1, -1):
        clue = _of_panic(lines, at) or _of_line(lines[at])
        if clue is not None:
            return clue
    return None


def of_text(text: str) -> Clue | None:
    """Return what one error text says, of a log line or of an Event."""
    stored = _STORED.search(text)
    if stored is not None:
        return Clue("crd-stored-version", masked(text), stored.groupdict())
    refused = _UNSUPPORTED.search(text)
    if refused is not None:
        named = _INVALID.search(text)
        about = {"kind": named["kind"], "name": named["name"]} if named is not None else {}
        return Clue("object-refused", masked(text), {**about, **refused.groupdict("")})
    unknown = _UNKNOWN_FLAG.search(text)
    return Clue("cli-mismatch", masked(unknown[0])) if unknown is not None else None


def masked(text: str) -> str:
    """Return a text of one line with what looks like a secret masked, cut to a few hundred characters."""
    line = " ".join(text.split())
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…"


def _of_panic(lines: list[str], at: int) -> Clue | None:
    line = lines[at].strip()
    if not line.startswith("panic: "):
        return None
    if not line.startswith(_NIL_MAP):
        return Clue("crash-loop", masked(line))
    named = next((match[1] for before in reversed(lines[:at]) if (match := _AT_CRD.search(_message(before)))), "")
    return Clue("crd-without-labels", masked(line), {"crd": named})


def _of_line(line: str) -> Clue | None:
    entry = _entry(line)
    if entry is None:
        # A usage text repeats no error, but explains flags: only a line that begins with the complaint is one.
        return of_text(line) if line.strip().startswith(("unknown flag", "unknown shorthand flag", "Error: unknown")) else None
    quote = ": ".join(text for text in _texts(entry))
    reason = REASONS.get(str(entry.get("reason")))
    known = of_text(quote)
    if known is not None:
        return known
    if reason is not None:
        return Clue(reason, masked(quote))
    return Clue("crash-loop", masked(quote)) if entry.get("level") in ("fatal", "panic") and quote else None


def _message(line: str) -> str:
    entry = _entry(line)
    return line if entry is None else ": ".join(_texts(entry))


def _texts(entry: Mapping[str, Any]) -> Iterator[str]:
    for key in ("message", "error"):
        if entry.get(key):
            yield str(entry[key])


def _entry(line: str) -> Mapping[str, Any] | None:
    start = line.find("{")
    if start < 0:
        return None
    try:
        # A container runtime or a log collector may have put a time before it.
        entry = json.loads(line[start:])
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and ("level" in entry or "message" in entry) else None
