# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's release Secrets, decoded."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import decode_release, list_releases, read_release
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

from .conftest import Reply, ScriptedServer, failure

RELEASE = {
    "name": "my-mesh",
    "info": {
        "first_deployed": "2024-01-01T00:00:00.1Z",
        "last_deployed": "2024-02-01T00:00:00.2Z",
        "deleted": "",
        "description": "Upgrade complete",
        "status": "deployed",
    },
    "chart": {"metadata": {"name": "osm-edge", "version": "1.2.3", "appVersion": "v1.2.3"}, "values": {"osm": {"meshName": "osm"}}},
    "config": {"osm": {"enableEgress": True}},
    "manifest": "---\nkind: ConfigMap\n",
    "version": 12,
    "namespace": "osm-system",
}


def packed(release: Any, *, zipped: bool = True) -> bytes:
    data = json.dumps(release).encode()
    return base64.b64encode(gzip.compress(data, mtime=0) if zipped else data)


def secret(revision: str, status: str = "deployed", **labels: str) -> dict[str, Any]:
    about = {"owner": "helm", "name": "my-mesh", "version": revision, "status": status, **labels}
    return {
        "metadata": {"name": f"sh.helm.release.v1.my-mesh.v{revision}", "namespace": "osm-system", "uid": f"u{revision}", "labels": about}
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_a_release_is_decoded(zipped: bool) -> None:
    release = decode_release(packed(RELEASE, zipped=zipped))
    assert (release.name, release.namespace, release.revision, release.status) == ("my-mesh", "osm-system", 12, "deployed")
    assert (release.chart_name, release.chart_version, release.app_version) == ("osm-edge", "1.2.3", "v1.2.3")
    assert release.values == {"osm": {"enableEgress": True}}
    assert release.chart_values == {"osm": {"meshName": "osm"}}
    assert release.manifest == "---\nkind: ConfigMap\n"
    assert release.last_deployed == "2024-02-01T00:00:00.2Z"


def test_a_release_without_user_values_has_none() -> None:
    bare = {**RELEASE, "config": None, "chart": {"metadata": {"name": "a", "version": "1"}, "values": None}}
    release = decode_release(packed(bare))
    assert (release.values, release.chart_values, release.app_version) == ({}, {}, "")


@pytest.mark.parametrize(
    "stored",
    [
        b"not base64!",
        base64.b64encode(b"not json"),
        packed([]),
        packed({"name": "x"}),
        base64.b64encode(gzip.compress(json.dumps(RELEASE).encode(), mtime=0)[:-20]),
        base64.b64encode(b"\x1f\x8b\x08damaged"),
    ],
)
def test_anything_else_is_an_error(stored: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode_release(stored)


def test_revisions_are_listed_by_number_from_labels_alone(server: ScriptedServer) -> None:
    items = [secret("10", modifiedAt="1700000000"), secret("9", "superseded", createdAt="1600000000"), secret("x"), secret("2", "failed")]
    server.script(Reply(body={"metadata": {}, "items": items}))
    found = list_releases(server.api(), "osm-system", "my-mesh")
    assert [(info.revision, info.status, info.modified) for info in found] == [
        (2, "failed", 0.0),
        (9, "superseded", 1600000000.0),
        (10, "deployed", 1700000000.0),
    ]
    (request,) = server.requests
    assert request.query["labelSelector"] == "owner=helm,name=my-mesh"
    assert "PartialObjectMetadataList" in request.headers["accept"]


def test_a_revision_is_read(server: ScriptedServer) -> None:
    stored = {**secret("12"), "data": {"release": base64.b64encode(packed(RELEASE)).decode()}}
    server.script(Reply(body=stored), failure(404, "NotFound", "no"), Reply(body=secret("12")))
    api = server.api()
    assert read_release(api, "osm-system", "my-mesh", 12).revision == 12
    assert server.requests[0].path.endswith("/secrets/sh.helm.release.v1.my-mesh.v12")
    with pytest.raises(NotFound):
        read_release(api, "osm-system", "my-mesh", 13)
    with pytest.raises(LifecycleError, match="osm-system/my-mesh revision 12 cannot be read"):
        read_release(api, "osm-system", "my-mesh", 12)
