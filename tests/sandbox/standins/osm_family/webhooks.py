# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The webhook configurations of a mesh, and how its programs write them.

Source: osm-edge v1.3.9 pkg/injector/webhook.go ``createOrUpdateMutatingWebhook`` and pkg/validator/patch.go
``createOrUpdateValidatingWebhook``.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from .api import Api, ApiError, Object
from .pods import ControlPlanePod
from .products import OSM
from .versions import Version

INJECTOR_PORT = 9090
VALIDATOR_PORT = 9093
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def mutating_webhook(pod: ControlPlanePod, authority: bytes) -> Object:
    """The MutatingWebhookConfiguration that an injector of this pod writes."""
    webhook = _webhook("inject", pod, "injector", INJECTOR_PORT, "/mutate-pod-creation", authority)
    webhook["rules"] = [{"operations": ["CREATE"], "apiGroups": ["*"], "apiVersions": ["v1"], "resources": ["pods"]}]
    webhook["timeoutSeconds"] = int(pod.flags.get("webhook-timeout", "20"))
    return _configuration("MutatingWebhookConfiguration", pod.flags["webhook-config-name"], pod, webhook)


def validating_webhook(pod: ControlPlanePod, version: Version, authority: bytes) -> Object:
    """The ValidatingWebhookConfiguration that a controller of this pod writes."""
    webhook = _webhook("validator", pod, "validator", VALIDATOR_PORT, "/validate", authority)
    policies = ["ingressbackends", "egresses"] if pod.product is OSM else ["ingressbackends", "egresses", "egressgateways"]
    webhook["rules"] = [_rule(f"policy.{pod.product.domain}", "v1alpha1", policies)]
    if version >= Version(1, 3):
        webhook["rules"].append(_rule("plugin.flomesh.io", "v1alpha1", ["plugins", "pluginchains", "pluginconfigs"]))
    if pod.flags.get("validate-traffic-target") == "true":
        webhook["rules"].append(_rule("access.smi-spec.io", "v1alpha3", ["traffictargets"]))
    return _configuration("ValidatingWebhookConfiguration", pod.flags["validator-webhook-config"], pod, webhook)


def create_or_update(api: Api, configuration: Object, version: Version) -> None:
    """Create it; one that exists gets the new webhooks and keeps its metadata, the label with the version included.

    1.1 still wrote its own labels (osm-edge v1.1.0 pkg/injector/webhook.go, pkg/validator/patch.go).
    """
    path = f"{_ADMISSION}/{configuration['kind'].lower()}s"
    try:
        api.create(path, configuration)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        name = configuration["metadata"]["name"]
        found = api.get(f"{path}/{name}")
        try:
            metadata = found["metadata"] | ({"labels": configuration["metadata"]["labels"]} if version < Version(1, 2) else {})
            api.update(f"{path}/{name}", configuration | {"metadata": metadata})
        except ApiError as conflict:
            # Another replica was quicker: the real code leaves it at that.
            if conflict.reason != "Conflict":
                raise


def _configuration(kind: str, name: str, pod: ControlPlanePod, webhook: dict[str, Any]) -> Object:
    labels = pod.labels | {"app": pod.program}
    if pod.reconciles:
        labels[f"{pod.product.domain}/reconcile"] = "true"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "webhooks": [webhook],
    }


def _webhook(what: str, pod: ControlPlanePod, service: str, port: int, path: str, authority: bytes) -> dict[str, Any]:
    return {
        "name": f"{pod.product.prefix}-{what}.k8s.io",
        "clientConfig": {
            "service": {"namespace": pod.namespace, "name": pod.product.program(service), "path": path, "port": port},
            "caBundle": b64encode(authority).decode("ascii"),
        },
        "failurePolicy": "Fail",
        "matchPolicy": "Exact",
        "namespaceSelector": {
            "matchLabels": {f"{pod.product.domain}/monitored-by": pod.mesh},
            "matchExpressions": [
                {"key": f"{pod.product.domain}/ignore", "operator": "DoesNotExist"},
                # A plain label that somebody would have to set, not kubernetes.io/metadata.name.
                {"key": "name", "operator": "NotIn", "values": [pod.namespace]},
                {"key": "control-plane", "operator": "DoesNotExist"},
            ],
        },
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
    }


def _rule(group: str, version: str, resources: list[str]) -> dict[str, Any]:
    return {"operations": ["CREATE", "UPDATE"], "apiGroups": [group], "apiVersions": [version], "resources": resources}
