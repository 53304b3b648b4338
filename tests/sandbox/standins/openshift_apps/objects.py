# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server must have so that it serves the group apps.openshift.io from here.

DeploymentConfigs are kept in a definition of another group, which has all that the API server does to objects; the group itself
is an aggregated API, as in OpenShift, because a definition cannot have the subresource ``instantiate``.
"""

from __future__ import annotations

from base64 import b64encode

from osm_family.api import Api, ApiError, Object

GROUP = "apps.openshift.io"
STORED_GROUP = "openshift.sandbox.meshops"
PATH = f"/apis/{GROUP}/v1"
STORED_PATH = f"/apis/{STORED_GROUP}/v1"
NAMESPACE = "openshift-apiserver"
SERVICE = "api"
PORT = 8443

_ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def install(api: Api, authority: bytes) -> str:
    """Create or renew what is needed and return the address to listen on; ``authority`` is the PEM of who signs its certificate."""
    _create(api, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    _create(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition())
    _create(api, f"/api/v1/namespaces/{NAMESPACE}/services", _service())
    # No pod of ours is behind the Service; the API server asks for one before it looks for itself.
    _create(api, f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices", _endpoints())
    registration = "/apis/apiregistration.k8s.io/v1/apiservices"
    _create(api, registration, _registration(authority))
    api.patch(f"{registration}/v1.{GROUP}", {"spec": {"caBundle": b64encode(authority).decode()}})
    service = api.get(f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}")
    return str(service["spec"]["clusterIP"])


def discovery() -> Object:
    """The answer to a question for the resources of the group."""
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    kind = {"namespaced": True, "singularName": ""}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/v1",
        "resources": [
            {"name": "deploymentconfigs", **kind, "singularName": "deploymentconfig", "kind": "DeploymentConfig", "verbs": verbs,
             "shortNames": ["dc"], "categories": ["all"]},
            {"name": "deploymentconfigs/instantiate", **kind, "kind": "DeploymentRequest", "verbs": ["create"]},
            {"name": "deploymentconfigs/scale", **kind, "group": "autoscaling", "version": "v1", "kind": "Scale",
             "verbs": ["get", "patch", "update"]},
            {"name": "deploymentconfigs/status", **kind, "kind": "DeploymentConfig", "verbs": ["get", "patch", "update"]},
        ],
    }  # fmt: skip


def _create(api: Api, path: str, body: Object) -> None:
    try:
        api.create(path, body)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise


def _definition() -> Object:
    """The kind, with the defaults of OpenShift (openshift/api apps/v1 types.go, origin pkg/apps/apis/apps/v1/defaults.go)."""
    spec = {
        **_ANYTHING,
        "default": {},
        "properties": {
            "replicas": {"type": "integer", "default": 1},
            "paused": {"type": "boolean"},
            "strategy": {**_ANYTHING, "default": {"type": "Rolling"}},
            "triggers": {"type": "array", "items": _ANYTHING, "default": [{"type": "ConfigChange"}]},
        },
    }
    schema = {"type": "object", "properties": {"spec": spec, "status": _ANYTHING}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"deploymentconfigs.{STORED_GROUP}"},
        "spec": {
            "group": STORED_GROUP,
            "scope": "Namespaced",
            "names": {"plural": "deploymentconfigs", "singular": "deploymentconfig", "kind": "DeploymentConfig"},
            "versions": [version],
        },
    }


def _service() -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": {"ports": [{"name": "https", "port": PORT}]}}


def _endpoints() -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": SERVICE, "labels": {"kubernetes.io/service-name": SERVICE}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.2"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": PORT}],
    }


def _registration(authority: bytes) -> Object:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{GROUP}"},
        "spec": {
            "group": GROUP,
            "version": "v1",
            "groupPriorityMinimum": 9900,
            "versionPriority": 15,
            "caBundle": b64encode(authority).decode(),
            "service": {"namespace": NAMESPACE, "name": SERVICE, "port": PORT},
        },
    }
