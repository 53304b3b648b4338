# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's records of a release, read and rewritten as helm keeps them: gzip in base64 in base64, in a Secret per revision."""

from __future__ import annotations

import base64
import gzip
import json

from mesh_clusters import MeshCluster, Result


def secret_name(revision: int, release: str = "osm") -> str:
    """The name of the Secret of a revision."""
    return f"sh.helm.release.v1.{release}.v{revision}"


def read_release(mesh: MeshCluster, namespace: str, secret: str) -> Result:
    """The release as it is in this Secret."""
    found = mesh.get(f"/api/v1/namespaces/{namespace}/secrets/{secret}")
    release: Result = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(found["data"]["release"]))))
    return release


def packed(release: Result) -> str:
    """The text that a Secret's ``data`` has for a release."""
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()


def write_release(mesh: MeshCluster, namespace: str, release: Result) -> None:
    """Create the Secret of a revision."""
    labels = {"name": release["name"], "owner": "helm", "status": release["info"]["status"], "version": str(release["version"])}
    metadata = {"name": secret_name(release["version"], release["name"]), "labels": labels}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata}
    secret["data"] = {"release": packed(release)}
    mesh.cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(secret))


def set_status(mesh: MeshCluster, namespace: str, secret: str, status: str) -> None:
    """Set the status of a revision, as helm does when it has ended."""
    release = read_release(mesh, namespace, secret)
    release["info"]["status"] = status
    patch = {"metadata": {"labels": {"status": status}}, "data": {"release": packed(release)}}
    mesh.cluster.kubectl("patch", "secret", secret, "-n", namespace, "--type=merge", "-p", json.dumps(patch))
