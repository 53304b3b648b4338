# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs to others and looks like a part of a mesh: an uninstallation must never touch any of it.

Some always are there, more are made up by a seed: names, labels and places of the family, but never all that make a thing the mesh's.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable
from typing import Any

from cluster_look import Look, Thing
from sandboxlib.cluster import Cluster

Object = dict[str, Any]
TEAM = "team-x"
_NAMES = ("osm", "osm-controller", "osm-bootstrap", "osm-ca-bundle", "preset-mesh-config", "osm-cleanup", "jaeger", "osm-prometheus", "fsm")
_LABELS: tuple[dict[str, str], ...] = (
    {},
    {"app.kubernetes.io/part-of": "openservicemesh.io"},
    {"app.kubernetes.io/instance": "osm"},
    {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/version": "1.3.9"},
    {"meshName": "osm-docs"},
    {"team": "x"},
)
_RESOURCES = {
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "ServiceAccount": "serviceaccounts",
    "Service": "services",
    "Deployment": "deployments.apps",
    "Job": "jobs.batch",
    "Role": "roles.rbac.authorization.k8s.io",
    "ClusterRole": "clusterroles.rbac.authorization.k8s.io",
    "ClusterRoleBinding": "clusterrolebindings.rbac.authorization.k8s.io",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "CustomResourceDefinition": "customresourcedefinitions.apiextensions.k8s.io",
    "Namespace": "namespaces",
    "PriorityClass": "priorityclasses.scheduling.k8s.io",
}


class Neighbours:
    """Those of one seed."""

    def __init__(self, seed: str, how_many: int = 12) -> None:
        chance = random.Random(seed)
        made = [*_always(), *(_random(chance, number) for number in range(how_many))]
        self._items = {thing_of(item): item for item in made}
        self.things = set(self._items)

    def make(self, cluster: Cluster) -> Neighbours:
        """Create them."""
        items = {"apiVersion": "v1", "kind": "List", "items": [*self._items.values()]}
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(items))
        return self

    def touched(self, before: Look, after: Look) -> list[str]:
        """Those that are not there any more, or not as they were."""
        return sorted(str(thing) for thing in self.things & (after.gone(before) | after.changed(before)))


def is_of_others(thing: Thing, item: Object) -> bool:
    """Whether a controller has made it for one of them, or a test has, for its users."""
    service = item.get("spec", {}).get("parentRef", {}) if thing.resource == "ipaddresses.networking.k8s.io" else {}
    return TEAM in (thing.namespace, service.get("namespace")) or thing.name.startswith("meshops-")


def thing_of(item: Object) -> Thing:
    """Where a look at the cluster finds this object."""
    return Thing(_RESOURCES[item["kind"]], item["metadata"].get("namespace", ""), item["metadata"]["name"])


def _always() -> list[Object]:
    release = {"name": "osm", "namespace": TEAM, "version": 1, "info": {"status": "deployed"}, "chart": {"metadata": {"name": "vault"}}}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps({**release, "manifest": ""}).encode()))).decode()
    webhook = _webhook("MutatingWebhookConfiguration", "osm-webhook-osm-docs", {"app": "osm-injector"})
    definition = _definition("meshconfigs", "config.example.com", {"app.kubernetes.io/part-of": "openservicemesh.io"})
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TEAM, "labels": {"name": "osm-system", "control-plane": "osm"}}},
        _secret("sh.helm.release.v1.osm.v1", TEAM, {"owner": "helm", "name": "osm"}, {"release": packed}, "helm.sh/release.v1"),
        _secret("osm-ca-bundle", TEAM, {}, {}),
        _secret("sidecar-bootstrap-config-notes", TEAM, {}, {}),
        _make("v1", "Service", "docs-injector", TEAM, {}, spec={"ports": [{"port": 9090}], "selector": {"app": "their-injector"}}),
        webhook,
        definition,
    ]


def _random(chance: random.Random, number: int) -> Object:
    makers: list[Callable[[str, dict[str, str]], Object]] = [
        lambda name, labels: _make("v1", "ConfigMap", name, TEAM, labels, data={"key": "value"}),
        lambda name, labels: _secret(name, TEAM, labels, {}),
        lambda name, labels: _make("v1", "ServiceAccount", name, TEAM, labels),
        lambda name, labels: _make("v1", "Service", f"{name}-svc", TEAM, labels, spec={"ports": [{"port": 80}]}),
        _deployment,
        lambda name, labels: _make("rbac.authorization.k8s.io/v1", "Role", name, TEAM, labels, rules=[]),
        lambda name, labels: _make("rbac.authorization.k8s.io/v1", "ClusterRole", f"{name}-reader", "", labels, rules=[]),
        lambda name, labels: _binding(f"{name}-reader", labels),
        lambda name, labels: _webhook("ValidatingWebhookConfiguration", f"{name}-docs", labels),
        lambda name, labels: _make("scheduling.k8s.io/v1", "PriorityClass", f"{name}-first", "", labels, value=100),
        lambda name, labels: _definition(f"{name.replace('-', '')}s", "policy.example.com", labels),
    ]
    name = chance.choice(_NAMES)
    return chance.choice(makers)(f"{name}-{number}" if chance.random() < 0.3 else name, chance.choice(_LABELS))


def _make(version: str, kind: str, name: str, namespace: str, labels: dict[str, str], **content: Any) -> Object:
    metadata: Object = {"name": name, "labels": labels, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _secret(name: str, namespace: str, labels: dict[str, str], data: dict[str, str], kind: str = "Opaque") -> Object:
    return _make("v1", "Secret", name, namespace, labels, data=data, type=kind)


def _deployment(name: str, labels: dict[str, str]) -> Object:
    pods = {"app": "docs"}
    template = {"metadata": {"labels": pods}, "spec": {"containers": [{"name": "docs", "image": "docs:1"}]}}
    return _make("apps/v1", "Deployment", name, TEAM, labels, spec={"replicas": 0, "selector": {"matchLabels": pods}, "template": template})


def _binding(name: str, labels: dict[str, str]) -> Object:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subjects = [{"kind": "ServiceAccount", "name": "osm", "namespace": TEAM}]
    return _make("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", name, "", labels, roleRef=reference, subjects=subjects)


def _webhook(kind: str, name: str, labels: dict[str, str]) -> Object:
    entry = {
        "name": "docs.example.com",
        "clientConfig": {"service": {"namespace": TEAM, "name": "docs-injector", "port": 9090}},
        "rules": [{"apiGroups": ["docs.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pages"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return _make("admissionregistration.k8s.io/v1", kind, name, "", labels, webhooks=[entry])


def _definition(plural: str, group: str, labels: dict[str, str]) -> Object:
    kind = plural.capitalize()
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"plural": plural, "singular": plural[:-1], "kind": kind, "listKind": f"{kind}List"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return _make("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}", "", labels, spec=spec)
