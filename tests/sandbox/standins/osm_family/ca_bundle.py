# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secret with the mesh's certificate authority, made by whichever program comes first.

Source: osm-edge v1.3.9 pkg/certificate/castorage/k8s/k8s.go.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from .api import Api, ApiError, Object
from .authority import Pair, new_authority
from .pods import ControlPlanePod


def mesh_authority(api: Api, pod: ControlPlanePod) -> Pair:
    """The authority of the pod's mesh; the Secret has no label for the mesh."""
    name = pod.flags["ca-bundle-secret-name"]
    path = f"/api/v1/namespaces/{pod.namespace}/secrets"
    found = api.find(f"{path}/{name}")
    if found is None:
        made = new_authority()
        labels = {key: value for key, value in pod.labels.items() if key != "app.kubernetes.io/instance"}
        data = {"ca.crt": b64encode(made.certificate).decode(), "private.key": b64encode(made.key).decode()}
        secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "data": data}
        try:
            api.create(path, secret)
            return made
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            found = api.get(f"{path}/{name}")
    return Pair(b64decode(found["data"]["ca.crt"]), b64decode(found["data"]["private.key"]))
