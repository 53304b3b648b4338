# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody changed by hand in the chart's objects, and what an upgrade makes of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.field_values import Path
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.three_way import Edit, lost, reverted
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import MASK, Redactor, is_secret_key

Object = Mapping[str, Any]

# What is compared; the types of their manifests may be older than those that the server answers with.
KINDS = ("Deployment", "DaemonSet", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "ConfigMap")
_REPLICAS: Path = ("spec", "replicas")
_SHOWN_CHARACTERS = 60
_SHOWN_EDITS = 12


def drift(
    live: Sequence[Object],
    before: Sequence[Object],
    after: Sequence[Object],
    namespace: str,
    *,
    attempted: Sequence[Object] = (),
    complete: Collection[str] = (),
) -> list[Finding]:
    """Return a warning for each object of the chart whose edits do not outlive ``helm upgrade``.

    ``live`` are objects of ``namespace`` as they are (kinds as in ``KINDS``), ``before`` and ``after`` the manifests of the revision to
    start from and of the one to be, ``attempted`` those of a later revision that did not end well. Of the kinds in ``complete`` every
    object is there, so that one of them that is missing was deleted. ``edit-lost`` is a Deployment that is made anew because its selector
    changes, ``will-be-reverted`` anything that Helm patches.
    """
    old, tried, new = (_by_name(manifests, namespace) for manifests in (before, attempted, after))
    lives = _by_name(live, namespace)
    scaled = _autoscaled([*live, *after])
    found = []
    for name, manifest in new.items():
        known = [manifests[name] for manifests in (old, tried) if name in manifests]
        if not known:
            continue
        ref = ObjectRef(*name, namespace)
        if name not in lives:
            found += [_deleted(ref)] if name[0] in complete and name in old else []
            continue
        anew = made_anew(lives[name], manifest)
        edits = (lost if anew else reverted)(lives[name], known, manifest)
        kept = [edit for edit in edits if not (edit.path == _REPLICAS and name in scaled)]
        if kept:
            found.append(_finding(ref, kept, anew))
    return found


def made_anew(live: Object, manifest: Object) -> bool:
    """Whether a live object must be deleted and created again to become ``manifest``: the selector of a Deployment is immutable."""
    return manifest.get("kind") == "Deployment" and live["spec"]["selector"] != manifest["spec"]["selector"]


def _by_name(objects: Sequence[Object], namespace: str) -> dict[tuple[str, str], Object]:
    return {
        (str(item["kind"]), str(item["metadata"]["name"])): item
        for item in objects
        if item.get("kind") in KINDS and (item["metadata"].get("namespace") or namespace) == namespace
    }


def _autoscaled(objects: Sequence[Object]) -> set[tuple[str, str]]:
    """Return (kind, name) of everything whose replicas an autoscaler sets: their number is nobody's edit."""
    targets = [item["spec"].get("scaleTargetRef") or {} for item in objects if item.get("kind") == "HorizontalPodAutoscaler"]
    return {(str(target.get("kind")), str(target.get("name"))) for target in targets}


def _finding(ref: ObjectRef, edits: Sequence[Edit], anew: bool) -> Finding:
    told = [f"{path_text(edit.path)}: {' → '.join(_texts(ref.kind, edit))}" for edit in edits]
    more = [f"and {len(told) - _SHOWN_EDITS} more"] if len(told) > _SHOWN_EDITS else []
    listed = "; ".join([*told[:_SHOWN_EDITS], *more])
    if anew:
        what, why = f"edits that Helm does not know will be lost: {listed}", "its selector is immutable, so it is made anew from the chart"
    else:
        what, why = f"changed since Helm wrote it, and will be reverted: {listed}", "Helm puts back what the chart sets"
    return Finding(
        "warning",
        "edit-lost" if anew else "will-be-reverted",
        ref,
        what,
        why,
        "give them as values to keep them where the chart has such values, or make them again afterwards",
    )


def _deleted(ref: ObjectRef) -> Finding:
    return Finding(
        "warning",
        "will-be-reverted",
        ref,
        "deleted since Helm created it, and will be created again",
        "the chart has it still",
        "switch it off in the values if it is to stay away, or delete it again afterwards",
    )


def path_text(path: Path) -> str:
    """Return a path as people write it: ``spec.template.spec.containers[osm-controller].image``."""
    parts = ((part if part.startswith("[") else f"[{part}]" if "." in part or "/" in part else f".{part}") for part in path)
    return "".join(parts).removeprefix(".")


def _texts(kind: str, edit: Edit) -> tuple[str, str]:
    """Return both values for a reader, without what may be secret."""
    live, after = edit.live, edit.after
    hidden = "text" if kind == "ConfigMap" and edit.path[0] != "metadata" else "value" if _is_secret(edit.path) else ""
    if hidden:
        return f"(a {hidden})" if live is not None else "(none)", _hidden_after(live, after, hidden)
    if isinstance(live, list) and isinstance(after, list):
        lives, afters = [*_masked_flags(live)], [*_masked_flags(after)]
        return _text([item for item in lives if item not in afters]), _text([item for item in afters if item not in lives])
    return _text(live), _text(after)


def _hidden_after(live: Any, after: Any, kind: str) -> str:
    return "(none)" if after is None else f"(a {kind})" if live is None else f"(another {kind})"


def _is_secret(path: Path) -> bool:
    """Whether a path leads to the value of an environment variable, or of something that its name calls secret."""
    in_environment = any(part == "env" for part in path[:-1])
    return in_environment or is_secret_key(path[-1].strip("[]"))


def _text(value: Any) -> str:
    if value is None:
        return "(none)"
    text = json.dumps(_masked(value), ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _masked(value: Any) -> Any:
    """Return a copy without secrets: values of environment variables, flags and keys that are named so."""
    if isinstance(value, list):
        return [_masked(item) for item in _masked_flags(value)]
    if isinstance(value, Mapping):
        shown = Redactor().data(value)
        named = isinstance(value.get("name"), str) and "value" in value
        return {
            key: MASK if named and key == "value" else _masked(item) for key, item in dict(shown if isinstance(shown, dict) else {}).items()
        }
    return value


def _masked_flags(items: Sequence[Any]) -> Iterator[Any]:
    """Yield arguments with the value masked of each whose name says that it is secret: ``--token=x`` and ``--token x``."""
    secret = False
    for item in items:
        if not isinstance(item, str):
            secret = False
            yield item
            continue
        flag, equals, dummy = item.partition("=")
        is_flag = flag.startswith("-")
        named = is_secret_key(flag.strip("-")) and (is_flag or bool(equals))
        if secret and not is_flag:
            yield MASK
        else:
            yield f"{flag}={MASK}" if named and equals else item
        secret = named and is_flag and not equals
