# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What injector and controller have in common: the mesh's authority, the wait for definitions, a webhook behind a Service."""

from __future__ import annotations

import threading
from abc import abstractmethod
from base64 import b64decode, b64encode

from .api import Api, ApiError, Object
from .authority import Pair, new_authority, server_certificate
from .bootstrap import DEFINITIONS
from .crds import crds, serves
from .endpoint import Backend, Endpoint
from .pods import APP_NAME, ControlPlanePod
from .program import Program, Say
from .versions import Version

_WAIT_SECONDS = 0.25
_BIND_SECONDS = 0.5


class Endpoints:
    """The webhook endpoints of all meshes; pods that are behind the same Service share one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], Endpoint] = {}
        self._lock = threading.Lock()

    def at(self, address: str, port: int) -> Endpoint:
        with self._lock:
            return self._found.setdefault((address, port), Endpoint(address, port))


class WebhookProgram(Program):
    """A program that serves one webhook."""

    service: str
    port: int

    def __init__(self, api: Api, pod: ControlPlanePod, version: Version, endpoints: Endpoints, say: Say) -> None:
        super().__init__(api, pod, say)
        self.version = version
        self._endpoints = endpoints
        self._endpoint: Endpoint | None = None
        self.serving = threading.Event()

    @abstractmethod
    def review(self, request: Object) -> Object:
        """Answer one AdmissionReview request."""

    @abstractmethod
    def register(self, authority: bytes) -> None:
        """Write the webhook configuration."""

    def start_up(self) -> None:
        authority = self._authority()
        self._wait_for_definitions()
        self._serve(server_certificate(authority, self.service, self.pod.namespace))
        self.register(authority.certificate)
        self.serving.set()
        self.say("serves")

    def tear_down(self) -> None:
        self.serving.clear()
        if self._endpoint is not None:
            self._endpoint.detach(self.pod.uid)

    def _authority(self) -> Pair:
        """The CA of the Secret; made by whichever program comes first (osm-edge v1.3.9 pkg/certificate/castorage/k8s/k8s.go)."""
        name = self.pod.flags["ca-bundle-secret-name"]
        path = f"/api/v1/namespaces/{self.pod.namespace}/secrets"
        found = self.api.find(f"{path}/{name}")
        if found is None:
            made = new_authority()
            labels = {"app.kubernetes.io/name": APP_NAME, "app.kubernetes.io/version": self.pod.flags.get("osm-version", "")}
            data = {"ca.crt": b64encode(made.certificate).decode(), "private.key": b64encode(made.key).decode()}
            secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "data": data}
            try:
                self.api.create(path, secret)
                return made
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
                found = self.api.get(f"{path}/{name}")
        return Pair(b64decode(found["data"]["ca.crt"]), b64decode(found["data"]["private.key"]))

    def _wait_for_definitions(self) -> None:
        """Its informers must sync before it serves, and that takes every kind that this version knows."""
        # The last one that osm-bootstrap installs first: most of the waiting is for it.
        for crd in reversed(crds(self.version)):
            while not serves(self.api.find(f"{DEFINITIONS}/{crd.name}"), crd):
                if not self.settled.is_set():
                    self.say(f"waits for {crd.kind} {crd.versions[0]}")
                    self.settled.set()
                self.sleep(_WAIT_SECONDS)

    def _serve(self, certificate: Pair) -> None:
        service = self.api.get(f"/api/v1/namespaces/{self.pod.namespace}/services/{self.service}")
        endpoint = self._endpoints.at(service["spec"]["clusterIP"], self.port)
        backend = Backend(self.pod.uid, self.pod.created, certificate, self.review)
        while self._endpoint is None:
            try:
                endpoint.attach(backend)
                self._endpoint = endpoint
            except OSError as error:
                self.say(f"{service['spec']['clusterIP']}:{self.port}: {error}")
                self.sleep(_BIND_SECONDS)
