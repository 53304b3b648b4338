# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a namespace stays in Terminating, from what its controller writes into ``.status.conditions``. Pure.

Source: kubernetes pkg/controller/namespace/deletion/namespaced_resources_deleter.go and status_condition_utils.go; what users met:
openservicemesh/osm issues 4466 (conversion webhook of a deleted bootstrap) and 1880 (a dead aggregated API).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import known_crds
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_finalizers import Held
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]
Cause = Literal["conversion-webhook", "admission-webhook", "api-service", "finalizers", "content", "deletion", "unobserved"]

DISCOVERY, CONTENT_FAILURE, CONTENT, FINALIZERS = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
)
_GROUP_FAILURE = "NamespaceDeletionGroupVersionParsingFailure"
_APP_NAMES = frozenset(product.app_name for product in PRODUCTS)
_CONVERSION = re.compile(r"conversion webhook for (?P<type>\S+, Kind=\w+) failed: (?P<why>.*?)(?=, conversion webhook for|\Z)", re.S)
# From Kubernetes 1.34 on a list may be answered so, at first without saying which webhook does not answer.
_NOT_READY = "storage is (re)initializing"
_WEBHOOK = re.compile(r'admission webhook "(?P<denied>[^"]+)" denied the request|failed calling webhook "(?P<dead>[^"]+)"')
_REMAINING = re.compile(r"(?P<resource>[\w.-]+) has (?P<count>\d+) resource instances")
_GROUP_VERSION = re.compile(r"([\w.-]+/v\w+): ")


class Blocker(NamedTuple):
    """One thing that keeps a namespace, and what to do about it."""

    cause: Cause
    message: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        """Return the public form that errors carry."""
        return {"cause": self.cause, "message": self.message, "remedy": self.remedy}


class Surroundings(NamedTuple):
    """What the conditions are about: definitions, APIServices (raw), and objects of the namespace that something holds."""

    definitions: Sequence[CustomResource] = ()
    api_services: Sequence[Object] = ()
    held: Sequence[Held] = ()


def true_conditions(namespace: Object) -> dict[str, str]:
    """Return the messages of the conditions that hold, by type."""
    found = (namespace.get("status") or {}).get("conditions") or ()
    return {item["type"]: str(item.get("message") or "") for item in found if item.get("status") == "True"}


def fails_on_conversion(namespace: Object) -> bool:
    """Whether the content cannot be deleted because a conversion webhook does not answer, as far as the message tells."""
    message = true_conditions(namespace).get(CONTENT_FAILURE, "")
    return _CONVERSION.search(message) is not None or _NOT_READY in message


def remaining(namespace: Object) -> dict[str, int]:
    """Return how many objects are left of each ``resource.group`` (``pods.`` for the core group's)."""
    message = true_conditions(namespace).get(CONTENT, "")
    return {match["resource"].rstrip("."): int(match["count"]) for match in _REMAINING.finditer(message)}


def repairable(definitions: Iterable[CustomResource], namespace: str) -> list[CustomResource]:
    """Return the definitions of the family that are converted by a Service of this very namespace: it goes, so nobody can convert."""
    return [
        crd
        for crd in definitions
        if crd.conversion == "Webhook"
        and crd.conversion_service[0] == namespace
        and (crd.name in known_crds() or crd.labels.get("app.kubernetes.io/name") in _APP_NAMES)
    ]


def blockers(namespace: Object, around: Surroundings) -> list[Blocker]:
    """Return what keeps a namespace that is being deleted, the most helpful first."""
    name, conditions = namespace["metadata"]["name"], true_conditions(namespace)
    found = [
        *_conversions(conditions.get(CONTENT_FAILURE, ""), around.definitions),
        *_discovery(conditions.get(DISCOVERY, "") or conditions.get(_GROUP_FAILURE, ""), around.api_services),
        *_webhooks(conditions.get(CONTENT_FAILURE, "")),
        *_finalizers(conditions.get(FINALIZERS, ""), around.held),
    ]
    own = namespace["metadata"].get("finalizers") or ()
    if own:
        message = f"Namespace {name} itself is held by {', '.join(own)}"
        found.append(Blocker("finalizers", message, "whoever put that there has to take it away: its controller must run"))
    if not found and conditions.get(CONTENT_FAILURE):
        found.append(Blocker("deletion", f"its content cannot be deleted: {conditions[CONTENT_FAILURE]}", "remove the cause that it names"))
    if not found and conditions.get(CONTENT):
        found.append(_content(name, conditions[CONTENT], remaining(namespace)))
    if not found:
        message = "its controller has not said why"
        found.append(Blocker("unobserved", message, "check that kube-controller-manager runs: its namespace controller does the deletion"))
    return found


def _conversions(message: str, definitions: Sequence[CustomResource]) -> Iterator[Blocker]:
    for match in _CONVERSION.finditer(message):
        group = match["type"].partition("/")[0]
        suspects = [crd for crd in definitions if crd.conversion == "Webhook" and crd.name.partition(".")[2] == group]
        names = ", ".join(f"{crd.name} (Service {'/'.join(crd.conversion_service)})" for crd in suspects)
        remedy = f"make the conversion webhook of {names or match['type']} answer"
        patch = '{"spec":{"conversion":{"strategy":"None","webhook":null}}}'
        for crd in suspects[:1]:
            remedy += f", or, when its program is gone for good, take it away: kubectl patch crd {crd.name} --type=merge -p '{patch}'"
        text = f"objects of {match['type']} cannot be read to be deleted: their conversion webhook fails: {_line(match['why'])}"
        yield Blocker("conversion-webhook", text, remedy)


def _discovery(message: str, services: Sequence[Object]) -> Iterator[Blocker]:
    """Explain a discovery that fails: the controller does not finish a namespace while there may be content that it cannot see."""
    if not message:
        return
    dead = [item for item in services if _available(item).get("status") != "True"]
    for item in dead:
        name, condition = item["metadata"]["name"], _available(item)
        where = (item.get("spec") or {}).get("service") or {}
        service = f" (Service {where.get('namespace')}/{where.get('name')})" if where else ""
        yield Blocker(
            "api-service",
            f"{ObjectRef('APIService', name)}{service} does not answer, so nobody knows what it has in this namespace: "
            f"{_line(condition.get('message') or condition.get('reason') or 'not available')}",
            f"make it answer again, or, when it is gone for good: kubectl delete apiservice {name}",
        )
    if not dead:
        groups = ", ".join(dict.fromkeys(_GROUP_VERSION.findall(message))) or "some API groups"
        remedy = "look at the APIServices: kubectl get apiservices"
        yield Blocker("api-service", f"the API server cannot tell what {groups} has in this namespace: {_line(message)}", remedy)


def _webhooks(message: str) -> Iterator[Blocker]:
    for name in dict.fromkeys(match["denied"] or match["dead"] for match in _WEBHOOK.finditer(message)):
        dead = f'failed calling webhook "{name}"' in message
        what = "cannot be asked" if dead else "refuses the deletions"
        remedy = f"make {name} answer, or delete its configuration" if dead else f"change the rule behind {name}, or what it protects"
        yield Blocker("admission-webhook", f"the admission webhook {name} {what}: {_line(message)}", remedy)


def _finalizers(message: str, found: Sequence[Held]) -> Iterator[Blocker]:
    if not message:
        return
    for one in found:
        yield Blocker("finalizers", str(one), "; ".join(one.remedies))
    if not found:
        remedy = "whoever put the finalizers there has to take them away: their controllers must run"
        yield Blocker("finalizers", _line(message), remedy)


def _content(name: str, message: str, left: Mapping[str, int]) -> Blocker:
    what = ", ".join(f"{count} {resource}" for resource, count in left.items()) or _line(message)
    first = next(iter(left), "all")
    return Blocker("content", f"it still has {what}", f"look at what they wait for: kubectl get {first} -n {name} -o yaml")


def _available(service: Object) -> Object:
    conditions = (service.get("status") or {}).get("conditions") or ()
    found: Object = next((item for item in conditions if item["type"] == "Available"), {})
    return found


def _line(text: str) -> str:
    return " ".join(text.split())[:500]
