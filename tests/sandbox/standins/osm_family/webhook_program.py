# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What injector and controller have in common: the mesh's authority, the wait for definitions, a webhook behind a Service."""

from __future__ import annotations

from abc import abstractmethod

from .ca_bundle import mesh_authority
from .crd_sets import crds
from .crds import DEFINITIONS, serves
from .node import Node
from .pods import ControlPlanePod
from .serving import ServingProgram
from .versions import Version

_WAIT_SECONDS = 0.25


class WebhookProgram(ServingProgram):
    """A program that serves one webhook."""

    def __init__(self, node: Node, pod: ControlPlanePod, version: Version) -> None:
        super().__init__(node, pod)
        self.version = version

    @abstractmethod
    def register(self, authority: bytes) -> None:
        """Write the webhook configuration."""

    def start_up(self) -> None:
        authority = mesh_authority(self.api, self.pod)
        self._wait_for_definitions()
        self.serve(authority)
        self.register(authority.certificate)
        self.say("serves")

    def _wait_for_definitions(self) -> None:
        """Its informers must sync before it serves, and that takes every kind that this version knows."""
        # The last one that osm-bootstrap installs first: most of the waiting is for it.
        for crd in reversed(crds(self.pod.product, self.version)):
            while not serves(self.api.find(f"{DEFINITIONS}/{crd.name}"), crd):
                if not self.settled.is_set():
                    self.say(f"waits for {crd.kind} {crd.versions[0]}")
                    self.settled.set()
                self.sleep(_WAIT_SECONDS)
