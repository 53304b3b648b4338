# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking an upgrade's own changes out of a MeshConfig again, and nobody else's. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_merge import MergeResult
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.meshconfig_spec import (
    Change,
    Path,
    Spec,
    differences,
    element_key,
    element_name,
    find_element,
    is_zero,
    join,
    same,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_ABSENT: Any = object()


def restore(live_spec: Spec, saved_spec: Spec, written_specs: Sequence[Spec], target: ObjectRef) -> MergeResult:
    """Put back what an upgrade changed.

    ``saved_spec`` is the spec before its first write, ``written_specs`` what its runs aimed at. A value that is what one of them wrote
    becomes the saved one; a value that somebody set since then stays, and a finding ``edit-kept`` tells it. Zero values that were absent
    before go as well: Go's typed client writes them, and they mean the same. The inputs are not changed.
    """
    kept: list[Path] = []
    spec = _restore_map(live_spec, saved_spec, written_specs, (), kept)
    changes = [Change(join(path), before, after, "as it was before the upgrade") for path, before, after in differences(live_spec, spec)]
    findings = [
        Finding(
            "info",
            "edit-kept",
            target,
            f"{join(path)} is not put back: somebody changed it during the upgrade",
            "only what the upgrade itself wrote is taken back",
            "set it as you want it (option mesh_config)",
        )
        for path in kept
    ]
    return MergeResult(spec, changes, findings)


def _restore_map(live: Spec, saved: Spec, written: Sequence[Any], path: Path, kept: list[Path]) -> dict[str, Any]:
    maps = [aim for aim in written if isinstance(aim, Mapping)]
    result: dict[str, Any] = {}
    for key in dict.fromkeys([*live, *saved]):
        here = (*path, key)
        aims = [aim[key] for aim in maps if key in aim]
        value = _restored(live.get(key, _ABSENT), saved.get(key, _ABSENT), aims, here, kept)
        if value is not _ABSENT:
            result[key] = value
    return result


def _restored(live: Any, saved: Any, written: Sequence[Any], path: Path, kept: list[Path]) -> Any:
    """Return the value at ``path``, or _ABSENT when there is to be none."""
    still_ours = any(same(live, aim) for aim in written)
    if live is _ABSENT or still_ours or (saved is not _ABSENT and same(live, saved)):
        return saved if saved is _ABSENT else copy.deepcopy(saved)
    if saved is _ABSENT and is_zero(live):
        return _ABSENT
    if isinstance(live, Mapping) and (saved is _ABSENT or isinstance(saved, Mapping)):
        inner = _restore_map(live, {} if saved is _ABSENT else saved, written, path, kept)
        return inner if inner or saved is not _ABSENT else _ABSENT
    if isinstance(live, list) and isinstance(saved, list) and element_key(path) is not None:
        return _restored_elements(live, saved, written, path, kept)
    kept.append(path)
    return copy.deepcopy(live)


def _restored_elements(live: list[Any], saved: list[Any], written: Sequence[Any], path: Path, kept: list[Path]) -> list[Any]:
    """Elements by name, in the live order; one that somebody took out stays out."""
    result = []
    for element in live:
        name = element_name(path, element)
        aims = [found for aim in written if (found := _element(path, aim, name)) is not _ABSENT]
        value = _restored(element, _element(path, saved, name), aims, (*path, f"[{name}]"), kept)
        if value is not _ABSENT:
            result.append(value)
    return result


def _element(path: Path, elements: Any, name: str) -> Any:
    at = find_element(path, elements, name)
    return _ABSENT if at is None else elements[at]
