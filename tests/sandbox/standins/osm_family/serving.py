# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that answers the API server behind a Service: what injector, controller and the bootstrap of 1.1 have in common."""

from __future__ import annotations

from abc import abstractmethod

from .api import Object
from .authority import Pair, server_certificate
from .endpoint import Backend, Endpoint
from .node import Node
from .pods import ControlPlanePod
from .program import Program

_BIND_SECONDS = 0.5


class ServingProgram(Program):
    """``service`` is the role that the Service is named after."""

    service: str
    port: int

    def __init__(self, node: Node, pod: ControlPlanePod) -> None:
        super().__init__(node, pod)
        self._endpoint: Endpoint | None = None

    @abstractmethod
    def review(self, request: Object) -> Object:
        """Answer one AdmissionReview or ConversionReview: its request in, the response out."""

    def serve(self, authority: Pair) -> None:
        """Listen on the Service's address, with a certificate of the mesh's authority."""
        name = self.pod.product.program(self.service)
        service = self.api.get(f"/api/v1/namespaces/{self.pod.namespace}/services/{name}")
        endpoint = self.node.endpoints.at(service["spec"]["clusterIP"], self.port)
        backend = Backend(self.pod.uid, self.pod.created, server_certificate(authority, name, self.pod.namespace), self.review)
        while self._endpoint is None:
            try:
                endpoint.attach(backend)
                self._endpoint = endpoint
            except OSError as error:
                self.say(f"{service['spec']['clusterIP']}:{self.port}: {error}")
                self.sleep(_BIND_SECONDS)

    def tear_down(self) -> None:
        super().tear_down()
        if self._endpoint is not None:
            self._endpoint.detach(self.pod.uid)
