# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What osm-controller does that can be seen: it validates policies (and see secret_owners.py).

Source: osm-edge v1.3.9 pkg/validator/patch.go, pkg/validator/validators.go.
"""

from __future__ import annotations

from .api import Object
from .webhook_program import WebhookProgram
from .webhooks import VALIDATOR_PORT, create_or_update, validating_webhook


class Controller(WebhookProgram):
    service, port = "validator", VALIDATOR_PORT

    def register(self, authority: bytes) -> None:
        create_or_update(self.api, validating_webhook(self.pod, self.version, authority), self.version)

    def review(self, request: Object) -> Object:
        """Everything is allowed but a TrafficTarget for another namespace's destination."""
        message = _refused(request["kind"]["kind"], request.get("object") or {})
        answer: Object = {"uid": request["uid"], "allowed": not message}
        return answer | {"status": {"message": message}} if message else answer


def _refused(kind: str, item: Object) -> str:
    if kind != "TrafficTarget":
        return ""
    destination = item.get("spec", {}).get("destination", {}).get("namespace")
    namespace = item["metadata"]["namespace"]
    if destination == namespace:
        return ""
    return f"The traffic target namespace ({namespace}) must match spec.Destination.Namespace ({destination})"
