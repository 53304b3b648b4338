# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``index.json``: what a backup set says about itself. Pure: a type, and its two directions to JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_redaction import without_secrets

FORMAT: Final = "meshops.lifecycle/backup-set"
FORMAT_VERSION: Final = 1

Json = Mapping[str, Any]


class Entry(NamedTuple):
    """One file of the set as it is stored (encrypted, where the set is): ``kind`` is that of the object in it, and ``evidence`` says
    that a restore only looks at it. ``sha256`` is empty in check mode where it depends on the encryption."""

    path: str
    sha256: str
    size: int
    kind: str
    evidence: bool


@dataclass(frozen=True)
class Index:
    """All that a restore, and a person, must know of a set before any file of it is read. Holds no secret.

    ``cluster`` is the management cluster (server, uid); ``restored_from`` is true when the hosted cluster was itself restored from a
    snapshot. docs/backup-set.md describes every field. What it does not know (of a newer tool) is left out when it is read.
    """

    run_id: str
    tool_version: str
    created: str
    mode: str
    cluster: Json = field(default_factory=dict)
    hosted_cluster: Json = field(default_factory=dict)
    versions: Json = field(default_factory=dict)
    replicas: Json = field(default_factory=dict)
    conditions: Sequence[Json] = ()
    node_pools: Sequence[Json] = ()
    machines: Sequence[Json] = ()
    owners: Sequence[Json] = ()
    dns: Json = field(default_factory=dict)
    snapshot: Json = field(default_factory=dict)
    objects: Sequence[Entry] = ()
    left_out: Sequence[Json] = ()
    findings: Sequence[Json] = ()
    durations: Json = field(default_factory=dict)
    encryption: Json = field(default_factory=dict)
    restored_from: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``index.json``, also what check mode shows: what could be a secret in a text or an object is cut out."""
        own: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        own["objects"] = [entry._asdict() for entry in self.objects]
        own = {name: value if name == "objects" else without_secrets(value) for name, value in own.items()}
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **own}

    def as_json(self) -> bytes:
        """Return the bytes of ``index.json``."""
        return (json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n").encode()

    @property
    def method(self) -> str:
        """How the files are encrypted; "" when they are not."""
        return str(self.encryption.get("method") or "")


_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    **dict.fromkeys(("run_id", "tool_version", "created", "mode"), str),
    **dict.fromkeys(("cluster", "hosted_cluster", "versions", "replicas", "dns", "snapshot", "durations", "encryption"), dict),
    **dict.fromkeys(("conditions", "node_pools", "machines", "owners", "objects", "left_out", "findings"), list),
    "restored_from": bool,
}


def index_from(data: Json) -> Index:
    """Return the index in parsed JSON. ValueError, with the field, when one is missing or is not what it should be."""
    for name, wanted in _TYPES.items():
        if not isinstance(data.get(name), wanted):
            raise ValueError(f"field {name} is missing or of another type")
    entries = tuple(_entry(item, number) for number, item in enumerate(data["objects"]))
    return Index(**{**{name: data[name] for name in _TYPES}, "objects": entries})


def _entry(item: Any, number: int) -> Entry:
    wanted: Mapping[str, type] = {"path": str, "sha256": str, "size": int, "kind": str, "evidence": bool}
    if not isinstance(item, dict) or not all(isinstance(item.get(name), kind) for name, kind in wanted.items()):
        raise ValueError(f"objects[{number}] is not the description of a file")
    return Entry(**{name: item[name] for name in wanted})
