# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes on definitions (CRDs), and the reading of those that no list by label finds."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Conflict, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.reduction import custom_resource
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step

_ATTEMPTS = 3


def read_definitions(api: Api, product: Product, version: str, known: Mapping[str, CustomResource]) -> dict[str, CustomResource]:
    """Return ``known`` and those definitions of ``version`` that it lacks and the cluster has (one GET each)."""
    missing = [crd.name for crd in crds_of(product, version) or () if crd.name not in known]
    found = api.map(lambda name: api.get_or_none(CRD, name), missing)
    return {**known, **{crd["metadata"]["name"]: custom_resource(crd) for crd in found if crd is not None}}


def label_definition(api: Api, step: Step, *, dry_run: bool = False) -> str:
    """Give a definition the label that its bootstrap would have given it."""
    version = "" if dry_run else step.resource_version
    api.patch(CRD, step.object.name, {"metadata": dict(step.desired)}, uid=step.uid, resource_version=version, dry_run=dry_run)
    return ""


def migrate_storage(api: Api, step: Step) -> str:
    """Store a definition's objects in one version: new ones first, then every old one is rewritten, then the status says so.

    This is what kube-storage-version-migrator does. A run that is killed in it does it again: until the last request the status still
    names the other versions.
    """
    name, storage = step.object.name, str(step.desired["storage"])
    definition = api.get(CRD, name)
    if not any(version["name"] == storage and version["storage"] for version in definition["spec"]["versions"]):
        for version in definition["spec"]["versions"]:
            version["storage"] = version["name"] == storage
        definition = api.replace(CRD, definition)
    spec = definition["spec"]
    kind = Kind(f"{spec['group']}/{storage}", spec["names"]["kind"], spec["names"]["plural"], spec["scope"] == "Namespaced")
    objects = list(api.list(kind))
    api.map(lambda item: _rewrite(api, kind, item), objects)
    api.patch(CRD, name, {"status": {"storedVersions": [storage]}}, uid=step.uid, subresource="status")
    return f"{len(objects)} objects rewritten as {storage}"


def _rewrite(api: Api, kind: Kind, item: Mapping[str, object]) -> None:
    """Write an object as it is; one that somebody changed or deleted meanwhile is read again, or needs nothing."""
    current = dict(item)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            api.replace(kind, current)
            return
        except NotFound:
            return
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
            metadata = current["metadata"]
            fresh = api.get_or_none(kind, str(metadata["name"]), metadata.get("namespace"))  # type: ignore[index, attr-defined]
            if fresh is None:
                return
            current = dict(fresh)
