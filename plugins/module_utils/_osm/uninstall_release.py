# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uninstall a Helm release without its hooks; say why when Helm does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm, parse_manifest
from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm_errors import HelmError, HelmFailed
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import (
    ReleaseInfo,
    ReleaseUnreadable,
    list_releases,
    read_release,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_deletion import GONE_ALREADY, mark_deleted, present
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]
_ATTEMPTS = 3
_PAUSE = 2.0
# What helm says of an API server that is not there for a moment: client-go's and the kernel's own words.
_AWAY = re.compile(r"cluster unreachable|connection (?:refused|reset|lost)|\bEOF\b|TLS handshake timeout|etcdserver: |ServiceUnavailable")
_RELEASE_NAME, _RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_KEEP = "helm.sh/resource-policy"


class ReleaseObject(NamedTuple):
    """An object of a release's manifest; ``kind`` is None when the API server does not have its type (any more)."""

    ref: ObjectRef
    kind: Kind | None


def uninstall_release(api: Api, helm: Helm, ref: ObjectRef, deadline: Deadline) -> tuple[str, list[ReleaseObject]]:
    """Uninstall a release and return a message and the objects that it had (to be waited for); raises HelmError or KubeError.

    Helm cannot uninstall a release that has an object of a type which the API server lacks (``policy/v1beta1`` of old charts): it stops at
    "resource mapping not found" before it deletes anything. Then its objects and its record are deleted here, as it would.
    """
    revisions = list_releases(api, ref.namespace, ref.name)
    if not revisions:
        return GONE_ALREADY, []
    objects = _objects(api, ref, revisions)
    if any(item.kind is None for item in objects):
        return _without_helm(api, ref, revisions, objects), objects
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return ("" if helm.uninstall(ref.name, ref.namespace, deadline=deadline) else GONE_ALREADY), objects
        except HelmError as error:
            # Sending it again is safe, and the API server may just have been restarted.
            if attempt < _ATTEMPTS and _AWAY.search(error.output) and deadline.sleep(_PAUSE):
                continue
            _explain(api, objects, error)
            raise
    raise HelmFailed(f"Helm cannot uninstall release {ref.name}", output="", object=ref)


def _objects(api: Api, ref: ObjectRef, revisions: Sequence[ReleaseInfo]) -> list[ReleaseObject]:
    """Return what the newest revision's manifest has, without what is kept; nothing when it cannot be read: then Helm says so."""
    try:
        manifests = parse_manifest(read_release(api, ref.namespace, ref.name, revisions[-1].revision).manifest)
    except (ReleaseUnreadable, HelmFailed):
        return []
    found = []
    for item in manifests:
        metadata = item.get("metadata") or {}
        if (metadata.get("annotations") or {}).get(_KEEP) == "keep":
            continue
        kind = api.kind_for(str(item.get("apiVersion")), str(item.get("kind")))
        namespace = "" if kind is not None and not kind.namespaced else str(metadata.get("namespace") or ref.namespace)
        found.append(ReleaseObject(ObjectRef(str(item.get("kind")), str(metadata.get("name")), namespace), kind))
    return found


def _explain(api: Api, objects: Sequence[ReleaseObject], error: HelmError) -> None:
    """Add why the API server refuses a deletion, which Helm keeps to itself ("failed to delete release"): the same as a dry run.

    The first refusal is told: as a rule the same webhook or rule refuses all.
    """
    for item in objects:
        if item.kind is None:
            continue
        try:
            api.within(15.0).delete(item.kind, item.ref.name, item.ref.namespace or None, dry_run=True)
        except KubeError as refused:
            error.why = f"{error.why}; {refused}"
            error.object, error.next = item.ref, f"{refused.next}; then run the same command again"
            error.details["webhook"] = refused.details.get("webhook", "")
            error.state = "Helm has marked the release as uninstalling; a part of its objects may be gone"
            return


def _without_helm(api: Api, ref: ObjectRef, revisions: Sequence[ReleaseInfo], objects: Sequence[ReleaseObject]) -> str:
    """Delete what a release has, then its record; only what is marked as its own is touched, as an upgrade would demand."""
    unknown = sorted({item.ref.kind for item in objects if item.kind is None})
    api.map(lambda item: _delete_own(api, ref, item), [item for item in objects if item.kind is not None])
    # The record goes last: without it nobody would know the rest after a kill.
    for info in reversed(revisions):
        api.delete(SECRET, info.secret, info.namespace)
    return f"without helm, which stops at types that this API server does not have: {', '.join(unknown)}"


def _delete_own(api: Api, ref: ObjectRef, item: ReleaseObject) -> None:
    if item.kind is None:
        return
    found = present(api, item.kind, item.ref)
    annotations = (found or {}).get("metadata", {}).get("annotations") or {}
    if found is not None and (annotations.get(_RELEASE_NAME), annotations.get(_RELEASE_NAMESPACE)) == (ref.name, ref.namespace):
        mark_deleted(api, item.kind, item.ref, str(found["metadata"]["uid"]))


def still_there(api: Api, objects: Sequence[ReleaseObject]) -> list[Object]:
    """Return the metadata of those objects that are marked for deletion and not gone yet."""

    def look(item: ReleaseObject) -> Object | None:
        try:
            found = present(api, item.kind, item.ref) if item.kind is not None else None
        except LifecycleError:
            return None
        return found if found is not None and found["metadata"].get("deletionTimestamp") else None

    return [found for found in api.map(look, objects) if found is not None]
