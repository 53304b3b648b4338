# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Helm removes with the release of a mesh, told by the release's own record. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import parse_manifest
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import HelmError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import BUILT_IN, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import ReleaseRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_chart_names import is_chart_name
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import NAME_LABEL
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Permission

# Deleting one of these deletes what others have made of it, or in it.
_CONTAINERS = ("CustomResourceDefinition", "Namespace")
_APP_NAMES = frozenset(product.app_name for product in PRODUCTS)
# What fsm-classic, a sub-chart that osm-edge can bring along, calls its own.
_OF_SUBCHART = "flomesh-"
_KEEP = "helm.sh/resource-policy"


@dataclass(frozen=True)
class ReleaseContent:
    """``removed`` is what ``helm uninstall`` deletes, ``kept`` what its own annotation keeps, ``foreign`` what of it is no mesh's."""

    removed: frozenset[ObjectRef] = frozenset()
    kept: frozenset[ObjectRef] = frozenset()
    foreign: tuple[ObjectRef, ...] = ()
    permissions: tuple[Permission, ...] = ()


def usable_release(inventory: Inventory) -> Release | None:
    """Return the record that Helm can uninstall by; None when there is none, or when it cannot be read."""
    mesh = inventory.subject.mesh if inventory.subject is not None else None
    release = mesh.release if mesh is not None else None
    if release is None:
        return None
    ref = ObjectRef("HelmRelease", release.name, release.namespace)
    return release if any(item.ref == ref and item.owner == "named" for item in inventory.artefacts) else None


def release_ref(inventory: Inventory) -> ReleaseRef | None:
    """Return the name of the release that is to be uninstalled through Helm."""
    release = usable_release(inventory)
    return ReleaseRef(release.name, release.namespace) if release is not None else None


def release_content(inventory: Inventory) -> ReleaseContent:
    """Return what the release has; empty without a usable one."""
    release = usable_release(inventory)
    return _content(release.name, release.namespace, release.manifest) if release is not None else ReleaseContent()


# Asked for by every phase, the findings and the result, and a manifest is a long text.
@lru_cache(maxsize=4)
def _content(name: str, namespace: str, manifest: str) -> ReleaseContent:
    removed: dict[ObjectRef, Kind | None] = {}
    kept, foreign = [], []
    try:
        documents = parse_manifest(manifest)
    except HelmError:
        return ReleaseContent()
    for item in documents:
        metadata = item.get("metadata") or {}
        kind = _kind(str(item.get("apiVersion")), str(item.get("kind")))
        place = "" if kind is not None and not kind.namespaced else str(metadata.get("namespace") or namespace)
        ref = ObjectRef(str(item.get("kind")), str(metadata.get("name")), place)
        if (metadata.get("annotations") or {}).get(_KEEP) == "keep":
            kept.append(ref)
            continue
        removed[ref] = kind
        if ref.kind in _CONTAINERS or not _is_of_chart(ref.kind, ref.name, name, metadata.get("labels") or {}):
            foreign.append(ref)
    return ReleaseContent(frozenset(removed), frozenset(kept), tuple(foreign), (*_record(namespace), *_deletions(removed)))


def _is_of_chart(kind: str, name: str, release: str, labels: dict[str, str]) -> bool:
    """Whether an object is the mesh's; that it begins with the release's name says nothing, other charts name theirs so as well."""
    if labels.get(NAME_LABEL) in _APP_NAMES or name.startswith(_OF_SUBCHART):
        return True
    return any(is_chart_name(kind, name, product, (release,)) for product in PRODUCTS)


def _kind(api_version: str, kind: str) -> Kind | None:
    """Return the type; a version that is gone (``policy/v1beta1``) has the plural of today's."""
    found = BUILT_IN.get((api_version, kind))
    group = api_version.rpartition("/")[0]
    return found or next((item for item in BUILT_IN.values() if (item.group, item.kind) == (group, kind)), None)


def _record(namespace: str) -> Iterator[Permission]:
    """What Helm needs for its own records (helm pkg/action/uninstall.go: it marks the newest, then deletes all)."""
    for verb in ("list", "get", "update", "delete"):
        yield Permission(verb, "", "secrets", namespace)


def _deletions(removed: dict[ObjectRef, Kind | None]) -> list[Permission]:
    """Return one permission per type and namespace; types that the server may not know are left out."""
    found = [Permission("delete", kind.group, kind.plural, ref.namespace) for ref, kind in removed.items() if kind is not None]
    return sorted(dict.fromkeys(found))
