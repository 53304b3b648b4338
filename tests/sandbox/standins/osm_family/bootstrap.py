# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What osm-bootstrap does: definitions, then the MeshConfig from the preset.

Source: osm-edge v1.3.9 cmd/osm-bootstrap/osm-bootstrap.go (``applyOrUpdateCRDs``, ``ensureMeshConfig``), same in v1.2.3.
"""

from __future__ import annotations

import json

from .api import Api, ApiError, Object
from .crds import Crd, crds, manifest
from .pods import ControlPlanePod
from .program import Crash, Program, Say
from .typed_client import through_go_type
from .versions import Version

MESH_CONFIG = "osm-mesh-config"
CONFIG_GROUP = "/apis/config.openservicemesh.io/v1alpha2"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_RECONCILE = "openservicemesh.io/reconcile"


class Bootstrap(Program):
    """``seconds`` is how long it takes to install all definitions (the real one's client is limited to 5 requests a second)."""

    def __init__(self, api: Api, pod: ControlPlanePod, version: Version, seconds: float, say: Say) -> None:
        super().__init__(api, pod, say)
        self._version = version
        self._seconds = seconds

    def start_up(self) -> None:
        try:
            self._bring_up()
        except ApiError as error:
            # Every refusal is fatal to the real program: it exits and starts over.
            raise Crash(str(error)) from error

    def _bring_up(self) -> None:
        reconcile = self.pod.flags.get("enable-reconciler", "false")
        shipped = crds(self._version)
        for crd in shipped:
            self._install(crd, reconcile)
            self.sleep(self._seconds / len(shipped))
        self.say(f"{len(shipped)} definitions installed")
        self._ensure_mesh_config()
        if self.pod.flags.get("enable-mesh-root-certificate") == "true":
            self._ensure_mesh_root_certificate()

    def _install(self, crd: Crd, reconcile: str) -> None:
        shipped = manifest(crd, self._version)
        shipped["metadata"]["labels"][_RECONCILE] = reconcile
        found = self.api.find(f"{DEFINITIONS}/{crd.name}")
        if found is None:
            shipped["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(shipped)}
            self.api.create(DEFINITIONS, shipped)
            return
        if not found["metadata"].get("labels"):
            # The real code writes into a map that is nil then.
            raise Crash(f"panic: assignment to entry in nil map (the definition {crd.name} has no labels)")
        found["metadata"]["labels"][_RECONCILE] = reconcile
        found["spec"] = shipped["spec"]
        self.api.update(f"{DEFINITIONS}/{crd.name}", found)

    def _ensure_mesh_config(self) -> None:
        path = f"{CONFIG_GROUP}/namespaces/{self.pod.namespace}/meshconfigs"
        found = self.api.find(f"{path}/{MESH_CONFIG}")
        if found is None:
            spec = through_go_type(self._preset("preset-mesh-config"), self._version)
            created = self._object("MeshConfig", MESH_CONFIG, spec)
            created["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(created)}
            self._write("POST", path, created)
            self.say("MeshConfig created from the preset")
        elif LAST_APPLIED not in found["metadata"].get("annotations", {}):
            # Written through the Go type, whole: what it does not know is lost, what it has and the object lacks becomes zero.
            found["spec"] = through_go_type(found.get("spec", {}), self._version)
            annotations = found["metadata"].setdefault("annotations", {})
            annotations[LAST_APPLIED] = json.dumps({key: found[key] for key in ("apiVersion", "kind", "spec")})
            self._write("PUT", f"{path}/{MESH_CONFIG}", found)
            self.say("MeshConfig got its last-applied annotation")

    def _ensure_mesh_root_certificate(self) -> None:
        path = f"{CONFIG_GROUP}/namespaces/{self.pod.namespace}/meshrootcertificates"
        if not self.api.get(path)["items"]:
            spec = self._preset("preset-mesh-root-certificate")
            self._write("POST", path, self._object("MeshRootCertificate", "osm-mesh-root-certificate", spec))

    def _preset(self, name: str) -> Object:
        found = self.api.find(f"/api/v1/namespaces/{self.pod.namespace}/configmaps/{name}")
        if found is None:
            raise Crash(f'Error setting up default {name}: configmaps "{name}" not found')
        preset: Object = json.loads(found["data"][f"{name}.json"])
        return preset

    def _object(self, kind: str, name: str, spec: Object) -> Object:
        return {
            "apiVersion": "config.openservicemesh.io/v1alpha2",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.pod.namespace},
            "spec": spec,
        }

    def _write(self, method: str, path: str, body: Object) -> None:
        try:
            self.api.request(method, path, body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise Crash(f"Error setting up default {body['kind']} {body['metadata']['name']}: {error}") from error
