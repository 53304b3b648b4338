# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm releases, read from the Secrets that Helm keeps them in (helm pkg/storage/driver/secrets.go and util.go)."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})
_GZIP_MAGIC = b"\x1f\x8b\x08"
# Helm itself cannot store more than a Secret's 1 MiB; the text inside compresses well, but not this well.
_MOST_BYTES = 256 * 1024 * 1024


class ReleaseUnreadable(LifecycleError):
    """A release record that is damaged, or that something else than Helm wrote."""


class ReleaseInfo(NamedTuple):
    """One revision as its Secret's labels tell it; ``modified`` is in seconds since the epoch (0 when Helm did not say)."""

    name: str
    namespace: str
    revision: int
    status: str
    modified: float
    secret: str
    uid: str = ""
    resource_version: str = ""


class Release(NamedTuple):
    """One revision in full.

    ``values`` are what the user gave, ``chart_values`` the chart's defaults, ``templates`` the chart's template files by name;
    times are RFC 3339 as Helm wrote them. ``server_side`` says that Helm 4 applied it on the server, which the next upgrade
    by Helm 4 does too (its default); Helm 3 does not know that.
    """

    name: str
    namespace: str
    revision: int
    status: str
    chart_name: str
    chart_version: str
    app_version: str
    values: dict[str, Any]
    chart_values: dict[str, Any]
    manifest: str
    first_deployed: str
    last_deployed: str
    description: str
    templates: dict[str, bytes]
    server_side: bool = False


def list_releases(api: Api, namespace: str | None = None, name: str = "") -> list[ReleaseInfo]:
    """Return all revisions of all releases (or of ``name``), oldest revision first; only metadata is fetched."""
    selector = f"owner=helm,name={name}" if name else "owner=helm"
    secrets = api.list(SECRET, namespace, label_selector=selector, field_selector="type=helm.sh/release.v1", metadata_only=True)
    found = [info for info in map(_info, secrets) if info is not None]
    return sorted(found, key=lambda info: (info.namespace, info.name, info.revision))


def read_release(api: Api, namespace: str, name: str, revision: int) -> Release:
    """Return one revision; raises NotFound, and ReleaseUnreadable when its Secret cannot be decoded."""
    secret = secret_name(name, revision)
    stored = api.get(SECRET, secret, namespace)
    try:
        return decode_release(base64.b64decode((stored.get("data") or {})["release"]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ReleaseUnreadable(
            f"Helm release {namespace}/{name} revision {revision} cannot be read",
            object=ObjectRef("Secret", secret, namespace),
            why=f"{type(error).__name__}: {error}",
            next=f"look at it with: helm get all {name} -n {namespace} --revision {revision}",
        ) from error


def secret_name(name: str, revision: int) -> str:
    """Return the name of the Secret that holds a revision."""
    return f"sh.helm.release.v1.{name}.v{revision}"


def decode_release(stored: bytes) -> Release:
    """Decode the value of a release Secret's entry ``release`` (Kubernetes' own base64 already taken off): base64, gzip, JSON.

    Raises ValueError, KeyError, TypeError or AttributeError for anything else.
    """
    packed = base64.b64decode(stored, validate=True)
    data = json.loads(_unzip(packed) if packed.startswith(_GZIP_MAGIC) else packed)
    chart, info = data["chart"], data["info"]
    metadata = chart["metadata"]
    return Release(
        name=str(data["name"]),
        namespace=str(data.get("namespace") or ""),
        revision=int(data["version"]),
        status=str(info["status"]),
        chart_name=str(metadata["name"]),
        chart_version=str(metadata["version"]),
        app_version=str(metadata.get("appVersion") or ""),
        values=dict(data.get("config") or {}),
        chart_values=dict(chart.get("values") or {}),
        manifest=str(data.get("manifest") or ""),
        first_deployed=str(info.get("first_deployed") or ""),
        last_deployed=str(info.get("last_deployed") or ""),
        description=str(info.get("description") or ""),
        templates={str(file["name"]): base64.b64decode(file.get("data") or "") for file in chart.get("templates") or ()},
        server_side=data.get("apply_method") == "ssa",
    )


def _unzip(packed: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(packed, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged gzip data: {error}") from error
    if unzip.unconsumed_tail or not unzip.eof:
        raise ValueError("the release is cut off, or larger than a release can be")
    return plain


def _info(secret: Mapping[str, Any]) -> ReleaseInfo | None:
    metadata = secret["metadata"]
    labels = metadata.get("labels") or {}
    try:
        revision = int(labels["version"])
    except (KeyError, ValueError):
        return None
    modified = labels.get("modifiedAt") or labels.get("createdAt") or "0"
    return ReleaseInfo(
        name=str(labels.get("name") or ""),
        namespace=str(metadata.get("namespace") or ""),
        revision=revision,
        status=str(labels.get("status") or "unknown"),
        modified=float(modified) if str(modified).isdigit() else 0.0,
        secret=str(metadata["name"]),
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
    )
