# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Helm will ask of the API server during an upgrade, told from the manifests before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission

Manifests = Iterable[Mapping[str, Any]]


def helm_permissions(
    before: Manifests, after: Manifests, namespace: str, kind_for: Callable[[str, str], Kind | None]
) -> tuple[Permission, ...]:
    """Return the permissions of ``helm upgrade``: those for its own records, and for each kind of object before and after.

    Kinds that the server does not know are left out: Helm itself reports them. Source: helm pkg/kube/client.go ``Update``.
    """
    wanted = {_place(manifest, namespace) for manifest in after}
    removed = {_place(manifest, namespace) for manifest in before} - wanted
    permissions = [Permission(verb, "", "secrets", namespace) for verb in ("list", "get", "create", "update", "delete")]
    permissions += _of(wanted, ("get", "create", "patch"), kind_for)
    permissions += _of(removed, ("get", "delete"), kind_for)
    permissions += _granting(after, namespace)
    return tuple(dict.fromkeys(permissions))


def _granting(manifests: Manifests, namespace: str) -> Iterator[Permission]:
    """Yield what it takes to write roles and to bind them.

    Even a changed label makes the API server ask whether the user holds all that the role grants, or may escalate or bind it
    (kubernetes pkg/registry/rbac/clusterrole/policybased, clusterrolebinding/policybased).
    """
    for manifest in manifests:
        kind, group = str(manifest.get("kind")), str(manifest.get("apiVersion")).partition("/")[0]
        _api_version, _kind, place, name = _place(manifest, namespace)
        if group != "rbac.authorization.k8s.io":
            continue
        if kind in ("ClusterRole", "Role"):
            yield Permission("escalate", group, f"{kind.lower()}s", place if kind == "Role" else "", name)
        elif kind in ("ClusterRoleBinding", "RoleBinding"):
            bound = manifest.get("roleRef") or {}
            yield Permission(
                "bind", group, f"{str(bound.get('kind')).lower()}s", place if kind == "RoleBinding" else "", str(bound.get("name"))
            )


def _place(manifest: Mapping[str, Any], namespace: str) -> tuple[str, str, str, str]:
    """Return (apiVersion, kind, namespace, name); the namespace is the release's where the manifest names none."""
    metadata = manifest.get("metadata") or {}
    return (
        str(manifest.get("apiVersion")),
        str(manifest.get("kind")),
        str(metadata.get("namespace") or namespace),
        str(metadata.get("name")),
    )


def _of(
    places: set[tuple[str, str, str, str]], verbs: tuple[str, ...], kind_for: Callable[[str, str], Kind | None]
) -> Iterator[Permission]:
    for api_version, kind_name, namespace, _name in sorted(places):
        kind = kind_for(api_version, kind_name)
        if kind is not None:
            for verb in verbs:
                yield Permission(verb, kind.group, kind.plural, namespace if kind.namespaced else "")
