# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw objects reduced to what a preflight decides with, while a list is being read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import has_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import (
    Account,
    ApiServer,
    Binding,
    Caller,
    Route,
    SecurityConstraint,
    Service,
    ServicePort,
    Workload,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Object = Mapping[str, Any]

_POD_KEYS = ("hostNetwork", "securityContext", "serviceAccountName", "automountServiceAccountToken", "nodeSelector", "os")
_CONTAINER_KEYS = ("name", "image", "ports", "securityContext")
# Container that answers TCP probes (osm-edge v1.3.9 pkg/injector/health_probes.go).
HEALTHCHECK = "osm-healthcheck"
_BOOTSTRAP_VOLUMES = frozenset(product.bootstrap_volume for product in PRODUCTS)
_ACCOUNT_USER = "system:serviceaccount:"


def workload(item: Object) -> Workload | None:
    """Reduce what makes pods; None for what its owner answers for (a CronJob's Job, a Deployment's pod) and what has ended.

    A pod of an owner that is not read itself (a Rollout of Argo, an own operator's type) stands for that owner.
    """
    metadata, kind = item["metadata"], item["kind"]
    if "deletionTimestamp" in metadata or _has_ended(item):
        return None
    owner: Object | None = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    ref = ObjectRef(kind, metadata["name"], metadata["namespace"])
    if owner is not None:
        if kind != "Pod" or _answers(owner, metadata.get("labels") or {}):
            return None
        ref = ObjectRef(owner["kind"], owner["name"], metadata["namespace"])
    return Workload(ref, _template(item))


def _has_ended(item: Object) -> bool:
    status, annotations = item.get("status") or {}, item["metadata"].get("annotations") or {}
    if item["kind"] == "Job":
        return any(each["type"] in ("Complete", "Failed") and each["status"] == "True" for each in status.get("conditions") or ())
    # A static pod belongs to its kubelet, which knows no webhook.
    return item["kind"] == "Pod" and (status.get("phase") in ("Succeeded", "Failed") or "kubernetes.io/config.mirror" in annotations)


def _answers(owner: Object, labels: Mapping[str, str]) -> bool:
    """Whether the owner of a pod, or the owner's owner, is read as a workload itself."""
    if owner["kind"] == "ReplicaSet":
        # Only the Deployment controller writes this label.
        return "pod-template-hash" in labels
    return owner["kind"] in ("StatefulSet", "DaemonSet", "Job") or (owner["kind"], owner.get("apiVersion")) == ("Node", "v1")


def _template(item: Object) -> dict[str, Any]:
    namespace, spec = item["metadata"]["namespace"], item["spec"]
    if item["kind"] == "Pod":
        return without_sidecar(reduced_pod(item, namespace))
    return reduced_pod((spec["jobTemplate"]["spec"] if item["kind"] == "CronJob" else spec)["template"], namespace)


def reduced_pod(template: Object, namespace: str) -> dict[str, Any]:
    """Return a pod or a pod template as a raw pod with the few fields that matter here."""
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    reduced: dict[str, Any] = {key: spec[key] for key in _POD_KEYS if key in spec}
    for part in ("containers", "initContainers"):
        if spec.get(part):
            reduced[part] = [{key: item[key] for key in _CONTAINER_KEYS if key in item} for item in spec[part]]
    if spec.get("volumes"):
        reduced["volumes"] = [{"name": volume["name"]} for volume in spec["volumes"]]
    about = {"namespace": namespace, "labels": metadata.get("labels") or {}, "annotations": metadata.get("annotations") or {}}
    return {"metadata": about, "spec": reduced}


def added_containers(pod: Object) -> set[str]:
    """Return the names of the containers that an injector of the family added to a pod; empty for a pod without a sidecar."""
    injected = [product for product in PRODUCTS if has_sidecar(pod, product)]
    return {name for product in injected for name in (product.sidecar_container, product.init_container, HEALTHCHECK)}


def without_sidecar(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a reduced pod without what an injector of the family added: what is judged is the application."""
    added = added_containers(pod)
    if not added:
        return pod
    kept = {part: [item for item in pod["spec"].get(part) or () if item["name"] not in added] for part in ("containers", "initContainers")}
    volumes = [volume for volume in pod["spec"]["volumes"] if volume["name"] not in _BOOTSTRAP_VOLUMES]
    return {**pod, "spec": {**pod["spec"], **kept, "volumes": volumes}}


def service(item: Object) -> Service:
    """Reduce a Service."""
    metadata, spec = item["metadata"], item["spec"]
    kind = spec.get("type") or "ClusterIP"
    return Service(
        ObjectRef("Service", metadata["name"], metadata["namespace"]),
        type=kind,
        selector=spec.get("selector") or {},
        ports=tuple(map(_port, spec.get("ports") or ())),
        headless=kind != "ExternalName" and (spec.get("clusterIP") or "None") == "None",
        external_ips=tuple(spec.get("externalIPs") or ()),
    )


def _port(port: Object) -> ServicePort:
    return ServicePort(
        name=port.get("name") or "",
        number=port["port"],
        protocol=port.get("protocol") or "TCP",
        app_protocol=port.get("appProtocol"),
        target=port.get("targetPort") or port["port"],
        node_port=port.get("nodePort") or 0,
    )


def ingress_routes(item: Object) -> Iterator[Route]:
    """Yield the Services that an Ingress sends to."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    paths = [path for rule in spec.get("rules") or () for path in (rule.get("http") or {}).get("paths") or ()]
    backends = [spec.get("defaultBackend") or {}, *(path.get("backend") or {} for path in paths)]
    for found in dict.fromkeys(_ingress_backend(backend) for backend in backends if backend.get("service")):
        yield Route(ObjectRef("Ingress", metadata["name"], metadata["namespace"]), metadata["namespace"], *found)


def _ingress_backend(backend: Object) -> tuple[str, int | str | None]:
    port = backend["service"].get("port") or {}
    return backend["service"]["name"], port.get("number") or port.get("name")


def gateway_routes(item: Object) -> Iterator[Route]:
    """Yield the Services that a route of the Gateway API sends to; one whose parents are Services is traffic between services."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    parents = spec.get("parentRefs") or ()
    if parents and all(parent.get("kind", "Gateway") != "Gateway" for parent in parents):
        return
    refs = [ref for rule in spec.get("rules") or () for ref in rule.get("backendRefs") or () if ref.get("kind", "Service") == "Service"]
    found = dict.fromkeys((ref.get("namespace") or metadata["namespace"], ref["name"], ref.get("port")) for ref in refs)
    for namespace, name, port in found:
        yield Route(ObjectRef(item["kind"], metadata["name"], metadata["namespace"]), namespace, name, port)


def openshift_routes(item: Object) -> Iterator[Route]:
    """Yield the Services that a Route of OpenShift sends to."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    targets = [spec.get("to") or {}, *(spec.get("alternateBackends") or ())]
    for name in dict.fromkeys(target["name"] for target in targets if target.get("name")):
        ref = ObjectRef("Route", metadata["name"], metadata["namespace"])
        # Its targetPort names a port of the Service's endpoints, which is what an IngressBackend names as well.
        yield Route(ref, metadata["namespace"], name, None)


def webhook_callers(item: Object) -> Iterator[Caller]:
    """Yield the Services that a webhook configuration makes the API server call."""
    services = [(hook.get("clientConfig") or {}).get("service") for hook in item.get("webhooks") or ()]
    for namespace, name in dict.fromkeys((each["namespace"], each["name"]) for each in services if each):
        yield Caller(ObjectRef(item["kind"], item["metadata"]["name"]), namespace, name)


def api_service_callers(item: Object) -> Iterator[Caller]:
    """Yield the Service of an aggregated API."""
    found = (item.get("spec") or {}).get("service")
    if found:
        yield Caller(ObjectRef("APIService", item["metadata"]["name"]), found["namespace"], found["name"])


def binding(item: Object) -> Binding | None:
    """Reduce a RoleBinding or ClusterRoleBinding; None when no service account is among its subjects."""
    metadata, role = item["metadata"], item["roleRef"]
    namespace = metadata.get("namespace", "")
    accounts: list[Account] = []
    groups: list[str] = []
    for subject in item.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name", "")
        if kind == "ServiceAccount":
            accounts.append(Account(subject.get("namespace") or namespace, name))
        elif kind == "User" and name.startswith(_ACCOUNT_USER):
            place, _colon, account = name.removeprefix(_ACCOUNT_USER).partition(":")
            accounts.append(Account(place, account))
        elif kind == "Group" and name.startswith("system:serviceaccounts"):
            groups.append(name)
    if not accounts and not groups:
        return None
    return Binding(ObjectRef(item["kind"], metadata["name"], namespace), (role["kind"], role["name"]), tuple(accounts), tuple(groups))


def security_constraint(item: Object) -> SecurityConstraint | None:
    """Reduce a SecurityContextConstraints; None when it lets no privileged init container run as root."""
    root = (item.get("runAsUser") or {}).get("type") == "RunAsAny"
    if not item.get("allowPrivilegedContainer") or not root:
        return None
    return SecurityConstraint(item["metadata"]["name"], tuple(item.get("users") or ()), tuple(item.get("groups") or ()))


def constraints_used_by(role: Object) -> set[str]:
    """Return the names of the SecurityContextConstraints that a Role or ClusterRole allows to use; ``*`` stands for all."""
    found: set[str] = set()
    for rule in role.get("rules") or ():
        groups, resources, verbs = ({*(rule.get(key) or ())} for key in ("apiGroups", "resources", "verbs"))
        if groups & {"security.openshift.io", "*"} and resources & {"securitycontextconstraints", "*"} and verbs & {"use", "*"}:
            found |= {*(rule.get("resourceNames") or ("*",))}
    return found


def api_server(kubernetes: Object | None, slices: Iterable[Object]) -> ApiServer:
    """Put together the addresses of the Kubernetes API from its Service and the EndpointSlices of that."""
    spec = (kubernetes or {}).get("spec") or {}
    ips = spec.get("clusterIPs") or [spec.get("clusterIP")]
    port = next((port["port"] for port in spec.get("ports") or () if port.get("name", "https") == "https"), 443)
    endpoints = [address for item in slices for endpoint in item.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return ApiServer(
        tuple(ip for ip in ips if ip and ip != "None"),
        tuple(dict.fromkeys(endpoints)),
        port,
    )
