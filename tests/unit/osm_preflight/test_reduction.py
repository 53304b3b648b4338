# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Raw objects reduced: who stands for which pods, where routes lead, who is bound."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import preflight_reduction as reduction
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Account
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def pod(
    owner: str = "", *, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **status: Any
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "p", "namespace": "shop", "labels": labels or {}, "annotations": annotations or {}}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": "o", "controller": True, "apiVersion": "v1" if owner == "Node" else "x/v1"}]
    return {"kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "c", "env": [{"name": "SECRET"}]}]}, "status": status}


@pytest.mark.parametrize(
    ("item", "stands_for"),
    [
        (pod(), "Pod/p"),
        (pod(phase="Running"), "Pod/p"),
        (pod(phase="Succeeded"), None),
        (pod(phase="Failed"), None),
        (pod(annotations={"kubernetes.io/config.mirror": "x"}), None),
        (pod("Node"), None),
        (pod("StatefulSet"), None),
        (pod("DaemonSet"), None),
        (pod("Job"), None),
        (pod("ReplicaSet", labels={"pod-template-hash": "1"}), None),
        # Nobody else answers for these.
        (pod("ReplicaSet", labels={"rollouts-pod-template-hash": "1"}), "ReplicaSet/o"),
        (pod("ReplicationController"), "ReplicationController/o"),
        (pod("Cluster"), "Cluster/o"),
    ],
)
def test_pods(item: dict[str, Any], stands_for: str | None) -> None:
    found = reduction.workload(item)
    assert (f"{found.ref.kind}/{found.ref.name}" if found else None) == stands_for


def test_what_is_leaving_or_owned_or_done_is_left_out() -> None:
    template = {"template": {"spec": {"containers": []}}}
    job = {"kind": "Job", "metadata": {"name": "j", "namespace": "shop"}, "spec": template}
    assert reduction.workload(job) is not None
    assert reduction.workload({**job, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}) is None
    assert reduction.workload({**job, "status": {"conditions": [{"type": "Complete", "status": "False"}]}}) is not None
    owned = {**job["metadata"], "ownerReferences": [{"kind": "CronJob", "name": "c", "controller": True}]}
    assert reduction.workload({**job, "metadata": owned}) is None
    assert reduction.workload({**job, "metadata": {**job["metadata"], "deletionTimestamp": "now"}}) is None


def test_environments_are_not_kept() -> None:
    found = reduction.workload(pod())
    assert found is not None
    assert found.containers == [{"name": "c"}]


def test_routes_of_an_ingress() -> None:
    def backend(service: str, **port: Any) -> dict[str, Any]:
        return {"service": {"name": service, "port": port}}

    paths = [{"backend": backend("a", number=80)}, {"backend": backend("a", number=80)}, {"backend": backend("b", name="web")}]
    resource = {"backend": {"resource": {"kind": "Bucket", "name": "x"}}}
    spec = {"defaultBackend": backend("c", number=1), "rules": [{"http": {"paths": [*paths, resource]}}, {"host": "only"}]}
    found = reduction.ingress_routes({"kind": "Ingress", "metadata": {"name": "i", "namespace": "shop"}, "spec": spec})
    assert [route[1:] for route in found] == [("shop", "c", 1), ("shop", "a", 80), ("shop", "b", "web")]
    assert list(reduction.ingress_routes({"kind": "Ingress", "metadata": {"name": "i", "namespace": "shop"}})) == []


def test_routes_of_the_gateway_api() -> None:
    def route(parents: list[dict[str, str]]) -> list[Any]:
        refs = [{"name": "a", "port": 80}, {"name": "b", "namespace": "other", "port": 81}, {"kind": "ServiceImport", "name": "c"}]
        spec = {"parentRefs": parents, "rules": [{"backendRefs": refs}, {}]}
        return [*reduction.gateway_routes({"kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "shop"}, "spec": spec})]

    assert [each[1:] for each in route([{"name": "gateway"}])] == [("shop", "a", 80), ("other", "b", 81)]
    # Traffic between services (GAMMA).
    assert route([{"kind": "Service", "name": "a"}]) == []


def test_routes_of_openshift() -> None:
    spec = {"to": {"kind": "Service", "name": "a"}, "alternateBackends": [{"name": "b"}], "port": {"targetPort": "web"}}
    found = reduction.openshift_routes({"kind": "Route", "metadata": {"name": "r", "namespace": "shop"}, "spec": spec})
    assert [each[1:] for each in found] == [("shop", "a", None), ("shop", "b", None)]


def test_callers() -> None:
    hooks = [{"clientConfig": {"service": {"namespace": "shop", "name": "a"}}}, {"clientConfig": {"url": "https://x"}}]
    found = reduction.webhook_callers({"kind": "MutatingWebhookConfiguration", "metadata": {"name": "w"}, "webhooks": hooks})
    assert [each[1:] for each in found] == [("shop", "a")]
    api = {"kind": "APIService", "metadata": {"name": "v1.x"}, "spec": {"service": {"namespace": "shop", "name": "b"}}}
    assert [each[1:] for each in reduction.api_service_callers(api)] == [("shop", "b")]
    assert list(reduction.api_service_callers({**api, "spec": {}})) == []


def test_bindings() -> None:
    subjects = [
        {"kind": "ServiceAccount", "name": "a"},
        {"kind": "ServiceAccount", "name": "b", "namespace": "other"},
        {"kind": "User", "name": "system:serviceaccount:shop:c"},
        {"kind": "User", "name": "alice"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
        {"kind": "Group", "name": "admins"},
    ]
    raw = {"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "shop"}, "roleRef": {"kind": "Role", "name": "r"}}
    found = reduction.binding({**raw, "subjects": subjects})
    assert found is not None
    assert found.accounts == (Account("shop", "a"), Account("other", "b"), Account("shop", "c"))
    assert found.groups == ("system:serviceaccounts:shop",)
    assert found.ref == ObjectRef("RoleBinding", "b", "shop")
    assert reduction.binding({**raw, "subjects": [{"kind": "User", "name": "alice"}]}) is None
    assert reduction.binding(raw) is None


def test_constraints_of_openshift() -> None:
    def constraint(**fields: Any) -> Any:
        return reduction.security_constraint({"metadata": {"name": "x"}, **fields})

    assert constraint(allowPrivilegedContainer=True, runAsUser={"type": "RunAsAny"}, groups=["g"]).groups == ("g",)
    assert constraint(allowPrivilegedContainer=True, runAsUser={"type": "MustRunAsNonRoot"}) is None
    assert constraint(allowPrivilegedContainer=False, runAsUser={"type": "RunAsAny"}) is None

    def used(**rule: Any) -> set[str]:
        base = {"apiGroups": ["security.openshift.io"], "resources": ["securitycontextconstraints"], "verbs": ["use"]}
        return reduction.constraints_used_by({"rules": [{**base, **rule}]})

    assert used(resourceNames=["privileged"]) == {"privileged"}
    assert used() == {"*"}
    assert used(verbs=["get"]) == set()
    assert used(resources=["*"], apiGroups=["*"], verbs=["*"]) == {"*"}


def test_headless_services_are_those_without_an_address() -> None:
    def headless(**spec: Any) -> bool:
        return reduction.service({"metadata": {"name": "s", "namespace": "shop"}, "spec": spec}).headless

    assert headless(clusterIP="None")
    assert headless(clusterIP="")
    assert not headless(clusterIP="10.0.0.1")
    assert not headless(type="ExternalName")


def test_addresses_of_the_api_server() -> None:
    service = {"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "ports": [{"name": "https", "port": 443}]}}
    slices = [{"endpoints": [{"addresses": ["192.0.2.1"]}, {"addresses": ["192.0.2.2"]}]}, {"endpoints": [{"addresses": ["192.0.2.1"]}]}]
    found = reduction.api_server(service, slices)
    assert found.service_ips == ("10.0.0.1", "fd00::1")
    assert found.endpoint_ips == ("192.0.2.1", "192.0.2.2")
    assert reduction.api_server(None, []).service_ips == ()
