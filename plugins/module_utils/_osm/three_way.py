# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which edits of a live object do not outlive an upgrade by Helm. Pure.

Helm sends a three-way strategic merge patch: what the new manifest sets is put back, what only the old manifest sets is removed, and what
neither sets stays. Source: helm v3 pkg/kube/client.go ``createPatch``, k8s.io/apimachinery pkg/util/strategicpatch
``CreateThreeWayMergePatch``, merge keys and strategies of k8s.io/api (``patchMergeKey``, ``patchStrategy``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.field_values import Path, is_default, same

Object = Mapping[str, Any]

_POD_TEMPLATE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
_MERGE_KEYS: dict[str, Mapping[str, str]] = {
    "Deployment": _POD_TEMPLATE_KEYS,
    "DaemonSet": _POD_TEMPLATE_KEYS,
    "StatefulSet": _POD_TEMPLATE_KEYS,
    "Service": {"ports": "port"},
}
# patchStrategy "retainKeys": of these maps only the keys of the new manifest are left.
_RETAINED = {"Deployment": ("spec", "strategy")}
# patchStrategy "replace".
_REPLACED = {("policy/v1", "PodDisruptionBudget"): ("spec", "selector")}
_CONTENT = ("spec", "data", "binaryData")


class Edit(NamedTuple):
    """A field whose live value is lost; None is a field that is absent."""

    path: Path
    live: Any
    after: Any


def reverted(live: Object, manifests: Sequence[Object], after: Object) -> list[Edit]:
    """Return the edits of ``live`` that Helm's patch takes away.

    ``manifests`` are the object in the manifest of the release's deployed revision and in those of later revisions that did not end
    well: what is live as one of them says is no edit.
    """
    rules = _Rules(str(after.get("apiVersion")), str(after.get("kind")))
    return list(rules.patched(_settings(live), [_settings(item) for item in manifests], _settings(after), ()))


def lost(live: Object, manifests: Sequence[Object], after: Object) -> list[Edit]:
    """Return the edits of ``live`` that are gone when the object is made anew from ``after`` alone."""
    rules = _Rules(str(after.get("apiVersion")), str(after.get("kind")))
    return list(rules.replaced(_settings(live), [_settings(item) for item in manifests], _settings(after), ()))


def merged_maps(live: Object, before: Object, after: Object) -> Iterator[tuple[Path, Object, Object, Object]]:
    """Yield each map that Helm's patch merges: its path, and what it holds in the live object and in the manifests before and after."""
    rules = _Rules(str(after.get("apiVersion")), str(after.get("kind")))
    yield from rules.merged(_settings(live), _settings(before), _settings(after), ())


def _settings(item: Object) -> dict[str, Any]:
    """Return what people and charts set: no status, no name, nothing of the server's metadata."""
    metadata = item.get("metadata") or {}
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    return {**({"metadata": kept} if kept else {}), **{key: item[key] for key in _CONTENT if key in item}}


class _Rules:
    def __init__(self, api_version: str, kind: str) -> None:
        self._keys = _MERGE_KEYS.get(kind, {})
        self._retained = _RETAINED.get(kind)
        self._replaced_map = _REPLACED.get((api_version, kind))

    def patched(self, live: Any, known: Sequence[Any], after: Any, path: Path) -> Iterator[Edit]:
        """Yield the edits below ``path`` that a patch to ``after`` takes away; ``known[0]`` is the deployed revision's."""
        if after is None:
            yield from self.replaced(live, known, None, path)
            return
        parts = self._parts(path, live, after)
        if parts is None or (live is None and path):
            yield from _leaf(live, known, after, path)
            return
        lives, afters = parts
        knowns = [self._entries(path, item) for item in known]
        for key, value in afters.items():
            yield from self.patched(lives.get(key), [item.get(key) for item in knowns], value, (*path, key))
        for key, value in lives.items():
            if key not in afters and (any(key in item for item in knowns[:1]) or self._retains(path)):
                yield from self.replaced(value, [item.get(key) for item in knowns], None, (*path, key))

    def replaced(self, live: Any, known: Sequence[Any], after: Any, path: Path) -> Iterator[Edit]:
        """Yield the edits below ``path`` that are gone when ``after`` takes the place of ``live``."""
        parts = self._parts(path, live, after, *known)
        if parts is None:
            yield from _leaf(live, known, after, path)
            return
        lives, afters = parts
        knowns = [self._entries(path, item) for item in known]
        for key in {**lives, **afters}:
            yield from self.replaced(lives.get(key), [item.get(key) for item in knowns], afters.get(key), (*path, key))

    def merged(self, live: Any, before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Object, Object, Object]]:
        """Yield the maps at and below ``path`` that are merged key by key."""
        parts = self._parts(path, live, after)
        if parts is None or self._retains(path) or live is None:
            return
        lives, afters, befores = *parts, self._entries(path, before)
        if isinstance(after, Mapping):
            yield path, lives, befores, afters
        for key in afters:
            if key in lives:
                yield from self.merged(lives[key], befores.get(key), afters[key], (*path, key))

    def _parts(self, path: Path, live: Any, after: Any, *known: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return both sides' entries when the field is merged entry by entry, None when it is one value.

        What nobody but the live object has is told as one.
        """
        told = [item for item in (after, *known) if item is not None]
        if path == self._replaced_map or not told or not all(self._is_merged(path, item) for item in (live, *told) if item is not None):
            return None
        return self._entries(path, live), self._entries(path, after)

    def _is_merged(self, path: Path, value: Any) -> bool:
        if isinstance(value, list):
            key = self._keys.get(path[-1]) if path else None
            names = [item.get(key) for item in value if isinstance(item, Mapping)] if key else []
            return key is not None and len(names) == len(value) == len(set(names)) and None not in names
        return isinstance(value, Mapping)

    def _entries(self, path: Path, value: Any) -> dict[str, Any]:
        if isinstance(value, list) and self._is_merged(path, value):
            return {f"[{item[self._keys[path[-1]]]}]": item for item in value}
        return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}

    def _retains(self, path: Path) -> bool:
        return path == self._retained or (len(path) > 1 and path[-2] == "volumes" and "volumes" in self._keys)


def _leaf(live: Any, known: Sequence[Any], after: Any, path: Path) -> Iterator[Edit]:
    if same(path, live, after) or any(same(path, live, item) for item in known if item is not None):
        return
    if any(item is not None and not same(path, item, None) for item in known):
        # A manifest set it, and it is something else now; removed fields count where a manifest has them still.
        if not (live is None and any(item is None for item in known)):
            yield Edit(path, live, after)
    elif not is_default(path, live):
        yield Edit(path, live, after)
