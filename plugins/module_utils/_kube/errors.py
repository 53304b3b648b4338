# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an API server's refusal means: one exception class per kind of answer, with a text that says what to do next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


class Call(NamedTuple):
    """One request as people speak of it: ``verb`` is RBAC's (get, list, create, patch, …) or ``apply``."""

    verb: str
    what: str
    path: str
    server: str
    object: ObjectRef | None = None


class KubeError(LifecycleError):
    """A request that did not succeed.

    ``status`` is the HTTP status (None when there was no answer), ``reason`` and ``message`` are those of the answer's
    ``Status`` object. ``uncertain`` is true when the server may have done the work although it did not say so, and
    ``after_lost_answer`` when that was so for an earlier attempt of the same call.
    """

    advice = "read the message above; running again is safe"

    def __init__(
        self,
        call: Call,
        *,
        status: int | None = None,
        reason: str = "",
        message: str = "",
        details: Mapping[str, Any] | None = None,
        uncertain: bool = False,
    ) -> None:
        self.call = call
        self.verb = call.verb
        self.path = call.path
        self.status = status
        self.reason = reason
        self.message = message
        self.status_details: Mapping[str, Any] = details or {}
        self.uncertain = uncertain
        self.after_lost_answer = False
        answer = f"HTTP {status} {reason}".rstrip() if status is not None else reason
        super().__init__(
            f"Cannot {call.verb} {call.what} on {call.server}",
            object=call.object,
            why=": ".join(part for part in (answer, message) if part),
            next=self.next_step(),
            details={"http_status": status, "http_reason": reason},
        )

    def next_step(self) -> str:
        """Return what the reader should do."""
        return self.advice


class Unreachable(KubeError):
    """No answer: the address is wrong, nothing listens, TLS fails, or the connection broke on every attempt."""

    advice = "check the server's address in the kubeconfig, the network path to it (proxy, VPN, firewall) and its certificate"


class Unauthorized(KubeError):
    """HTTP 401."""

    advice = "the credentials were not accepted: renew the token or client certificate of this connection"


class Forbidden(KubeError):
    """HTTP 403; ``missing`` names the RBAC rule when the message does."""

    _DENIED = re.compile(
        r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"(?: in API group "(?P<group>[^"]*)")?'
        r'(?: in the namespace "(?P<namespace>[^"]*)"| at the cluster scope)?'
    )

    @property
    def user(self) -> str:
        """Who is refused, or the empty string when the message does not say."""
        match = self._DENIED.search(self.message)
        return match["user"] if match is not None else ""

    @property
    def missing(self) -> str:
        """Return for instance ``patch deployments.apps in namespace osm-system``, or the empty string."""
        match = self._DENIED.search(self.message)
        if match is None:
            return ""
        resource = ".".join(part for part in (match["resource"], match["group"]) if part)
        place = f"in namespace {match['namespace']}" if match["namespace"] else "cluster-wide"
        return f"{match['verb']} {resource} {place}"

    def next_step(self) -> str:
        """Name the rule to add, when the server said which."""
        match = self._DENIED.search(self.message)
        if match is None:
            return "the server refuses this to everybody in this state, or to this user: the message says why"
        return f"grant {match['user']} the permission to {self.missing} (the module's documentation has the ClusterRole)"


class NotFound(KubeError):
    """HTTP 404: no such object, namespace or resource type."""

    advice = "check the name and the namespace, and that the resource type (CRD) is installed"


class AlreadyExists(KubeError, WriteConflict):
    """HTTP 409 of a create."""

    advice = "somebody else created it in the meantime: run again, the plan is made anew"


class Conflict(KubeError, WriteConflict):
    """HTTP 409: the object is not in the state (uid, resourceVersion) that the write was made for."""

    advice = "the object was changed in the meantime: run again, the plan is made anew"


class FieldManagerConflict(KubeError):
    """HTTP 409 of a server-side apply: another manager owns a field and wants something else. Planning again does not help."""

    advice = "two tools set the same field: take it away from one of them (the message names the field and its manager)"


class Gone(KubeError):
    """HTTP 410: a list's continue token or a resourceVersion has expired."""

    advice = "run again"


class Invalid(KubeError):
    """HTTP 400 or 422: the server cannot accept the object as it is."""

    advice = "correct the value that the message names"


class AdmissionDenied(KubeError):
    """An admission webhook or policy refused the object, or could not be asked; ``webhook`` is its name."""

    def __init__(self, call: Call, *, webhook: str, unavailable: bool, **answer: Any) -> None:
        self.webhook = webhook
        self.unavailable = unavailable
        super().__init__(call, **answer)
        self.details["webhook"] = webhook

    def next_step(self) -> str:
        """Say whether to repair the webhook or the object."""
        if self.unavailable:
            return f"the API server could not ask the admission webhook {self.webhook}: look at the pods behind its service, then run again"
        return f"the admission webhook or policy {self.webhook} refuses this object: change the object, or the rule"


class Throttled(KubeError):
    """HTTP 429 until the time was over."""

    advice = "the API server is overloaded: lower max_parallel_requests, or run again later"


class BudgetExhausted(KubeError):
    """HTTP 429 of an eviction: a PodDisruptionBudget allows no disruption now.

    ``budget`` is its name as the cause names it, or the empty string. Source: kubernetes pkg/registry/core/pod/storage/eviction.go.
    """

    advice = "wait until the budget allows a disruption, or change it"
    _BUDGET = re.compile(r"The disruption budget (\S+) ")

    @property
    def budget(self) -> str:
        """Name of the PodDisruptionBudget."""
        causes = (str(cause.get("message") or "") for cause in self.status_details.get("causes") or ())
        match = next((found for found in map(self._BUDGET.search, causes) if found), None)
        return match[1] if match is not None else ""


class ServerFailure(KubeError):
    """HTTP 5xx until the time was over."""

    advice = "the API server or something behind it (etcd, an aggregated API) is in trouble: look at its health, then run again"


_WEBHOOK_DENIED = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request')
_WEBHOOK_DEAD = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
_POLICY_DENIED = re.compile(r"ValidatingAdmissionPolicy '(?P<name>[^']+)' with binding '[^']+' denied request")


def error_of_answer(call: Call, status: int, body: bytes) -> KubeError:
    """Return the exception for an answer with an HTTP ``status`` of 400 or above.

    ``body`` is a ``Status`` object in JSON, or whatever a proxy in between has sent.
    """
    reason, message, details = _status_of(body)
    uncertain = status in (500, 502, 503, 504)
    answer: dict[str, Any] = {"status": status, "reason": reason, "message": message, "details": details, "uncertain": uncertain}
    for pattern, unavailable in ((_WEBHOOK_DENIED, False), (_WEBHOOK_DEAD, True), (_POLICY_DENIED, False)):
        match = pattern.search(message)
        if match is not None:
            # An admission plugin runs before anything is stored, so nothing was done.
            return AdmissionDenied(call, webhook=match["name"], unavailable=unavailable, **{**answer, "uncertain": False})
    return _class_of(status, reason, details)(call, **answer)


def _class_of(status: int, reason: str, details: Mapping[str, Any]) -> type[KubeError]:
    if status == 409:
        if reason == "AlreadyExists":
            return AlreadyExists
        return FieldManagerConflict if _has_cause(details, "FieldManagerConflict") else Conflict
    if status == 429 and _has_cause(details, "DisruptionBudget"):
        return BudgetExhausted
    if status >= 500:
        return ServerFailure
    by_status: dict[int, type[KubeError]] = {
        400: Invalid,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        410: Gone,
        422: Invalid,
        429: Throttled,
    }
    return by_status.get(status, KubeError)


def _has_cause(details: Mapping[str, Any], reason: str) -> bool:
    return any(cause.get("reason") == reason for cause in details.get("causes") or ())


def _status_of(body: bytes) -> tuple[str, str, Mapping[str, Any]]:
    """Return (reason, message, details) of a ``Status`` object; a text that is none becomes the message, cut to one screen line or two."""
    try:
        data = json.loads(body)
    except ValueError:
        data = None
    if isinstance(data, dict) and data.get("kind") == "Status":
        details = data.get("details")
        return str(data.get("reason") or ""), str(data.get("message") or ""), details if isinstance(details, dict) else {}
    return "", " ".join(body.decode("utf-8", "replace").split())[:300], {}
