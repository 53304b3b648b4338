# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade keeps in its record, because its first write destroys it and a resumed run or the way back needs it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record, digest

# One key for each aim: a run that goes on with other options adds its own to those of the runs before.
_WRITTEN = "written "


class Memory(NamedTuple):
    """``preset_spec`` is the preset that the mesh ran with, ``spec`` its MeshConfig, ``written`` all that this was to become.

    ``images`` are values that were made of images set by hand: Helm makes them the chart's, and then nobody can tell any more.
    ``revision`` and ``version`` name the release's revision before the first write; ``down_to`` the version that a downgrade goes to.
    """

    preset_spec: Mapping[str, Any] | None = None
    spec: Mapping[str, Any] | None = None
    written: tuple[Mapping[str, Any], ...] = ()
    revision: int = 0
    version: str = ""
    down_to: str = ""
    images: Mapping[str, Any] | None = None


def memory_of(state: UpgradeState) -> dict[str, object]:
    """Return the memory of a state before the first write, as the record keeps it."""
    memory: dict[str, object] = {
        "preset_spec": state.old_preset,
        "revision": state.base_revision,
        "version": state.base_version,
        "spec": state.mesh.mesh_config_spec if state.mesh.mesh_config is not None else None,
        "images": state.images,
        **({f"{_WRITTEN}{digest(state.merge.spec)}": state.merge.spec} if state.merge is not None and not state.restores else {}),
    }
    # Absent otherwise, so that a downgrade after a failed upgrade adds it to what that upgrade kept.
    return {**memory, "down_to": state.target.version} if state.downgrade else memory


def remembered(record: Record | None) -> Memory:
    """Return what the record of a run that was not finished kept; empty where there is none or somebody damaged it."""
    kept = record.merge_base if record is not None else {}
    revision = kept.get("revision")
    return Memory(
        preset_spec=_mapping(kept.get("preset_spec")),
        spec=_mapping(kept.get("spec")),
        written=tuple(value for key, value in sorted(kept.items()) if key.startswith(_WRITTEN) and isinstance(value, Mapping)),
        revision=revision if isinstance(revision, int) else 0,
        version=str(kept.get("version") or ""),
        down_to=str(kept.get("down_to") or ""),
        images=_mapping(kept.get("images")),
    )


def _mapping(value: object) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None
