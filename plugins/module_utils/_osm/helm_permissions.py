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

    What it takes to grant what the chart's roles grant is ``escalation``'s. Kinds that the server does not know are left out: they are
    refused elsewhere. Source: helm pkg/kube/client.go ``Update``.
    """
    wanted = {_place(manifest, namespace) for manifest in after}
    removed = {_place(manifest, namespace) for manifest in before} - wanted
    permissions = [Permission(verb, "", "secrets", namespace) for verb in ("list", "get", "create", "update", "delete")]
    permissions += _of(wanted, ("get", "create", "patch"), kind_for)
    permissions += _of(removed, ("get", "delete"), kind_for)
    return tuple(dict.fromkeys(permissions))


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
