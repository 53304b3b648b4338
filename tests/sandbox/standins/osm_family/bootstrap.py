# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bootstrap does: definitions, then the MeshConfig from the preset.

Source: osm-edge v1.3.9 cmd/osm-bootstrap/osm-bootstrap.go (``applyOrUpdateCRDs``, ``ensureMeshConfig``), same in v1.2.3, osm v1.2.4
and, renamed, fsm v1.5.1; osm-edge v1.1.0, where an init container installs the definitions and a conversion webhook is served.
"""

from __future__ import annotations

import json

from .api import ApiError, Object
from .ca_bundle import mesh_authority
from .conversion import CONVERSION_PORT, convert, set_conversion
from .crd_sets import crds
from .definitions import LAST_APPLIED, install, kubectl_apply
from .node import Node
from .pods import ControlPlanePod
from .program import Crash
from .serving import ServingProgram
from .typed_client import through_go_type
from .versions import Version


class Bootstrap(ServingProgram):
    """Takes as long as the real one for all definitions, whose client is limited to 5 requests a second."""

    service, port = "bootstrap", CONVERSION_PORT

    def __init__(self, node: Node, pod: ControlPlanePod, version: Version) -> None:
        super().__init__(node, pod)
        self._version = version

    @property
    def _older(self) -> bool:
        return self._version < Version(1, 2)

    def start_up(self) -> None:
        self._install_definitions()
        self._ensure_mesh_config()
        if self.pod.flags.get("enable-mesh-root-certificate") == "true":
            self._ensure_mesh_root_certificate()
        if self._older:
            authority = mesh_authority(self.api, self.pod)
            self.serve(authority)
            set_conversion(self.api, self.pod, authority.certificate)
            self.say("converts MeshConfigs")

    def review(self, request: Object) -> Object:
        return convert(request)

    def _install_definitions(self) -> None:
        shipped = crds(self.pod.product, self._version)
        for crd in shipped:
            try:
                (kubectl_apply if self._older else install)(self.api, crd, self.pod, self._version)
            except ApiError as error:
                # Every refusal is fatal to the real program: it exits and starts over.
                raise Crash(f"Error updating conversion webhook configuration for crd : {crd.name}", str(error)) from error
            self.sleep(self.node.bootstrap_seconds / len(shipped))
        self.say(f"{len(shipped)} definitions installed")

    def _ensure_mesh_config(self) -> None:
        product = self.pod.product
        path = f"{product.config_path}/namespaces/{self.pod.namespace}/meshconfigs"
        found = self._read(f"{path}/{product.mesh_config}", "MeshConfig")
        if found is None:
            spec = through_go_type(self._preset("MeshConfig", "preset-mesh-config"), product, self._version)
            created = self._object("MeshConfig", product.mesh_config, spec)
            if not self._older:
                created["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(created)}
            self._write("POST", path, created)
            self.say("MeshConfig created from the preset")
        elif not self._older and LAST_APPLIED not in found["metadata"].get("annotations", {}):
            # Written through the Go type, whole: what it does not know is lost, what it has and the object lacks becomes zero.
            found["spec"] = through_go_type(found.get("spec", {}), product, self._version)
            annotations = found["metadata"].setdefault("annotations", {})
            annotations[LAST_APPLIED] = json.dumps({key: found[key] for key in ("apiVersion", "kind", "spec")})
            self._write("PUT", f"{path}/{product.mesh_config}", found)
            self.say("MeshConfig got its last-applied annotation")

    def _ensure_mesh_root_certificate(self) -> None:
        path = f"{self.pod.product.config_path}/namespaces/{self.pod.namespace}/meshrootcertificates"
        if not self.api.get(path)["items"]:
            spec = self._preset("MeshRootCertificate", "preset-mesh-root-certificate")
            self._write("POST", path, self._object("MeshRootCertificate", f"{self.pod.product.prefix}-mesh-root-certificate", spec))

    def _preset(self, kind: str, name: str) -> Object:
        found = self._read(f"/api/v1/namespaces/{self.pod.namespace}/configmaps/{name}", kind)
        if found is None:
            raise self._failed(kind, f'configmaps "{name}" not found')
        preset: Object = json.loads(found["data"][f"{name}.json"])
        return preset

    def _object(self, kind: str, name: str, spec: Object) -> Object:
        metadata = {"name": name, "namespace": self.pod.namespace}
        return {"apiVersion": self.pod.product.config, "kind": kind, "metadata": metadata, "spec": spec}

    def _read(self, path: str, kind: str) -> Object | None:
        try:
            return self.api.find(path)
        except ApiError as error:
            raise self._failed(kind, str(error)) from error

    def _write(self, method: str, path: str, body: Object) -> None:
        try:
            self.api.request(method, path, body)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise self._failed(body["kind"], str(error)) from error

    def _failed(self, kind: str, error: str) -> Crash:
        words = "mesh-config" if kind == "MeshConfig" else "mesh-root-certificate"
        name = f"{self.pod.product.prefix}-{words}"
        return Crash(f"Error setting up default {kind} {name} from ConfigMap preset-{words}", error)
