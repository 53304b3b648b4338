# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the caller may write the chart's roles and bind them, proven before Helm tries.

``create`` and ``patch`` on ClusterRoles pass an access review and are refused all the same when the role grants what its writer does not
hold; even a changed label makes the API server look. Who holds everything needs neither ``escalate`` nor ``bind``, which only a dry run
tells. Source: kubernetes pkg/registry/rbac/{clusterrole,clusterrolebinding,role,rolebinding}/policybased/storage.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.access import missing_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import (
    CLUSTERROLE,
    CLUSTERROLEBINDING,
    ROLE,
    ROLEBINDING,
    Kind,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission

Object = Mapping[str, Any]

_ROLES = {kind.kind: kind for kind in (CLUSTERROLE, ROLE)}
_BINDINGS = {kind.kind: kind for kind in (CLUSTERROLEBINDING, ROLEBINDING)}
_NOT_HELD = "attempting to grant RBAC permissions not currently held"
_RULE = re.compile(r"\{([^{}]*)\}")
_RULE_PART = re.compile(r"(\w+):\[([^\]]*)\]")
_SHOWN_RULES = 3


class Grant(Permission):
    """``escalate`` or ``bind``, which is not needed by a caller who holds what the role grants; ``not_held`` are rules that are missing."""

    not_held: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the permission, and what would do in its place."""
        if not self.not_held:
            return super().__str__()
        more = len(self.not_held) - _SHOWN_RULES
        listed = ", ".join(self.not_held[:_SHOWN_RULES]) + (f" and {more} more rules" if more > 0 else "")
        return f"{super().__str__()}, or what it grants and the caller does not hold: {listed}"


class _Answer(NamedTuple):
    """What the server says to a write: ``held`` when it looked at the rules and found them all held."""

    allowed: bool
    held: bool = False
    not_held: tuple[str, ...] = ()


def escalation(api: Api, manifests: Sequence[Object], namespace: str) -> tuple[Permission, ...]:
    """Return what the caller lacks for the chart's roles and bindings: ``escalate`` and ``bind``, each only where it is needed.

    Two requests for each role that the access review denies. Whatever keeps the server from judging (a caller who may not write roles at
    all, so that it does not look at their rules) leaves the permission in the list: it is needed as far as can be known.
    """
    roles = {_role_key(item["kind"], _place(item, namespace), item["metadata"]["name"]): item for item in _of(manifests, _ROLES)}
    bindings = list(_of(manifests, _BINDINGS))
    missing = set(missing_permissions(api, [*map(_escalate, roles), *(_bind(item, namespace) for item in bindings)]))
    keys = [key for key in roles if _escalate(key) in missing]
    asked = dict(
        zip(keys, api.map(lambda key: _write(api, _ROLES[key[0]], roles[key], namespace, ("rules", "aggregationRule")), keys), strict=True)
    )
    found: dict[Permission, tuple[str, ...]] = {_escalate(key): answer.not_held for key, answer in asked.items() if not answer.allowed}
    unbound = [item for item in bindings if _bind(item, namespace) in missing]
    for item, answer in zip(unbound, api.map(lambda item: _may_bind(api, item, roles, asked, namespace), unbound), strict=True):
        if not answer.allowed:
            found.setdefault(_bind(item, namespace), answer.not_held)
    return tuple(_grant(permission, not_held) for permission, not_held in found.items())


_RoleKey = tuple[str, str, str]


def _role_key(kind: str, place: str, name: str) -> _RoleKey:
    return kind, place if kind == "Role" else "", name


def _of(manifests: Iterable[Object], kinds: Mapping[str, Kind]) -> Iterator[Object]:
    for item in manifests:
        kind = kinds.get(str(item.get("kind")))
        if kind is not None and item.get("apiVersion") == kind.api_version:
            yield item


def _place(manifest: Object, namespace: str) -> str:
    return str(manifest["metadata"].get("namespace") or namespace)


def _escalate(key: _RoleKey) -> Permission:
    kind, place, name = key
    return Permission("escalate", _ROLES[kind].group, _ROLES[kind].plural, place, name)


def _bound(binding: Object, namespace: str) -> _RoleKey:
    ref = binding["roleRef"]
    return _role_key(str(ref["kind"]), _place(binding, namespace), str(ref["name"]))


def _bind(binding: Object, namespace: str) -> Permission:
    kind, dummy, name = _bound(binding, namespace)
    place = _place(binding, namespace) if binding["kind"] == "RoleBinding" else ""
    return Permission("bind", _ROLES[kind].group, _ROLES[kind].plural, place, name)


def _may_bind(api: Api, binding: Object, roles: Mapping[_RoleKey, Object], asked: Mapping[_RoleKey, _Answer], namespace: str) -> _Answer:
    """Return whether a binding may be written, judged by the role as it will be then: Helm writes roles first."""
    key = _bound(binding, namespace)
    if key in asked and asked[key].held:
        return _Answer(allowed=True)
    if key in roles:
        try:
            live = api.get_or_none(_ROLES[key[0]], key[2], key[1] or None)
        except KubeError:
            return _Answer(allowed=False)
        if live is None or live.get("rules") != roles[key].get("rules"):
            return _Answer(allowed=False, not_held=asked[key].not_held if key in asked else ())
    return _write(api, _BINDINGS[binding["kind"]], binding, namespace, ("subjects",))


def _write(api: Api, kind: Kind, manifest: Object, namespace: str, fields: tuple[str, ...]) -> _Answer:
    """Ask the server to write an object as Helm will, without storing it."""
    name, place = str(manifest["metadata"]["name"]), _place(manifest, namespace) if kind.namespaced else None
    try:
        live = api.get_or_none(kind, name, place)
        if live is None:
            api.create(kind, manifest, place, dry_run=True)
            return _Answer(allowed=True, held=True)
        metadata = {key: manifest["metadata"][key] for key in ("labels", "annotations") if key in manifest["metadata"]}
        patch = {"metadata": metadata, **{field: manifest[field] for field in fields if field in manifest}}
        stored = api.patch(kind, name, patch, place, dry_run=True)
    except Forbidden as error:
        return _Answer(allowed=False, not_held=tuple(not_held(error.message)))
    except KubeError:
        return _Answer(allowed=False)
    # The server does not look at the rules when a write changes nothing; neither does Helm send it then.
    return _Answer(allowed=True, held=_content(stored, fields) != _content(live, fields))


def _content(item: Object, fields: tuple[str, ...]) -> list[Any]:
    metadata = item["metadata"]
    return [metadata.get("labels"), metadata.get("annotations"), *(item.get(field) for field in fields)]


def not_held(message: str) -> Iterator[str]:
    """Yield the rules that a refusal of the API server lists, as people read them: ``get, list nodes`` or ``get /metrics``.

    kubernetes pkg/registry/rbac/validation/rule.go ``ConfirmNoEscalation`` writes them as
    ``{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}``, one a line.
    """
    if _NOT_HELD not in message:
        return
    for rule in _RULE.findall(message):
        parts = {key: [item.strip('"') for item in values.split()] for key, values in _RULE_PART.findall(rule)}
        groups = [f".{group}" if group else "" for group in parts.get("APIGroups", [""])]
        what = [f"{resource}{group}" for group in groups for resource in parts.get("Resources", ())]
        what += parts.get("NonResourceURLs", [])
        names = f" ({', '.join(parts['ResourceNames'])})" if parts.get("ResourceNames") else ""
        yield f"{', '.join(parts.get('Verbs', ()))} {', '.join(what)}{names}"


def _grant(permission: Permission, missing: tuple[str, ...]) -> Grant:
    grant = Grant(*permission)
    grant.not_held = missing
    return grant
