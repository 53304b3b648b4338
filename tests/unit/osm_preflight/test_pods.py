# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of pods: host network, users, Pod Security, OpenShift, Windows, Jobs, reserved ports."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import (
    preflight_openshift,
    preflight_pod_security,
    preflight_pods,
    preflight_ports,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import SecurityConstraint
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_reduction import binding
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM
from ansible_collections.meshops.lifecycle.tests.unit.osm_preflight.cases import facts, mesh, namespace, service, told, workload

DISABLED = {"openservicemesh.io/sidecar-injection": "disabled"}


def containers(*contexts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": f"c{number}", "image": "app:1", "securityContext": context} for number, context in enumerate(contexts)]


def test_host_network() -> None:
    found = preflight_pod_security.host_network(facts(workload("DaemonSet", hostNetwork=True), workload(name="other")))
    assert told(found) == [("warning", "host-network", "DaemonSet/cart")]


@pytest.mark.parametrize(
    ("template", "places"),
    [
        ({"securityContext": {"runAsUser": 1500}}, "pod"),
        ({"containers": containers({}, {"runAsUser": 1500})}, "container c1"),
        ({"securityContext": {"runAsUser": 1500}, "containers": containers({"runAsUser": 1500})}, "pod, container c0"),
        ({"securityContext": {"runAsUser": 1501}}, ""),
        ({}, ""),
        ({"securityContext": {"runAsUser": 1500}, "annotations": DISABLED}, ""),
    ],
)
def test_reserved_user(template: dict[str, Any], places: str) -> None:
    found = preflight_pod_security.reserved_user(facts(workload(**template)))
    assert told(found) == ([("error", "reserved-user", "Deployment/cart")] if places else [])
    assert [finding.what for finding in found] == ([f"runs as user 1500: {places}"] if places else [])


@pytest.mark.parametrize(
    ("pod", "each", "lacking"),
    [
        ({"runAsNonRoot": True}, [{}], True),
        ({"runAsNonRoot": True}, [{"runAsUser": 7}, {}], True),
        ({"runAsNonRoot": True}, [{"runAsUser": 7}, {"runAsUser": 8}], False),
        ({"runAsNonRoot": True, "runAsUser": 7}, [{}], False),
        ({"runAsNonRoot": False}, [{}], False),
        # Only a container's own setting: injected containers do not inherit it.
        ({}, [{"runAsNonRoot": True}], False),
    ],
)
def test_non_root_without_user(pod: dict[str, Any], each: list[dict[str, Any]], lacking: bool) -> None:
    found = preflight_pod_security.non_root_without_user(facts(workload(securityContext=pod, containers=containers(*each))))
    assert told(found) == ([("warning", "non-root-without-user", "Deployment/cart")] if lacking else [])


@pytest.mark.parametrize(
    ("mode", "level", "intercepting", "expected"),
    [
        ("enforce", "baseline", True, [("error", "pod-security-enforced")]),
        ("enforce", "restricted", True, [("error", "pod-security-enforced")]),
        ("enforce", "privileged", True, []),
        # Without an init container there is no NET_ADMIN; the sidecar itself is refused by restricted only.
        ("enforce", "baseline", False, []),
        ("enforce", "restricted", False, [("error", "pod-security-enforced")]),
        ("warn", "baseline", True, [("info", "pod-security-told")]),
        ("audit", "restricted", True, [("info", "pod-security-told")]),
        ("audit", "baseline", False, []),
    ],
)
def test_pod_security(mode: str, level: str, intercepting: bool, expected: list[tuple[str, str]]) -> None:
    place = namespace(labels={f"pod-security.kubernetes.io/{mode}": level})
    of = mesh(traffic={"interceptionMode": "iptables" if intercepting else "none"})
    found = preflight_pod_security.pod_security(facts(workload(), of=of, namespaces=[place]))
    assert told(found) == [(severity, code, "Namespace/shop") for severity, code in expected]


def test_pod_security_matters_only_where_pods_get_a_sidecar() -> None:
    place = namespace(labels={"pod-security.kubernetes.io/enforce": "restricted"})
    assert preflight_pod_security.pod_security(facts(workload(annotations=DISABLED), namespaces=[place])) == []
    assert preflight_pod_security.pod_security(facts(namespaces=[place])) == []


PRIVILEGED = SecurityConstraint("privileged", users=("system:serviceaccount:other:builder",))
NO_SCC = ("error", "no-privileged-scc", "ServiceAccount/default")


@pytest.mark.parametrize(
    ("constraint", "bound", "roles", "expected"),
    [
        (PRIVILEGED, None, [], [NO_SCC]),
        (SecurityConstraint("privileged", users=("system:serviceaccount:shop:default",)), None, [], []),
        (SecurityConstraint("privileged", groups=("system:serviceaccounts:shop",)), None, [], []),
        (SecurityConstraint("privileged", groups=("system:authenticated",)), None, [], []),
        (PRIVILEGED, ("ClusterRole", "system:openshift:scc:privileged"), [], []),
        (PRIVILEGED, ("ClusterRole", "system:openshift:scc:anyuid"), [], [NO_SCC]),
        (PRIVILEGED, ("ClusterRole", "mine"), [("ClusterRole", "", "mine", "privileged")], []),
        (PRIVILEGED, ("ClusterRole", "mine"), [("ClusterRole", "", "mine", "*")], []),
        (PRIVILEGED, ("Role", "mine"), [("Role", "shop", "mine", "privileged")], []),
        (PRIVILEGED, ("Role", "mine"), [("Role", "elsewhere", "mine", "privileged")], [NO_SCC]),
    ],
)
def test_openshift_accounts(constraint: SecurityConstraint, bound: Any, roles: Any, expected: Any) -> None:
    bindings = []
    if bound:
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": "shop"}
        raw = {"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "shop"}, "subjects": [subject]}
        bindings = [binding({**raw, "roleRef": {"kind": bound[0], "name": bound[1]}})]
    of = mesh(sidecar={"enablePrivilegedInitContainer": True})
    known = {"openshift": True, "constraints": [constraint], "constraint_roles": frozenset(roles), "bindings": bindings}
    assert told(preflight_openshift.openshift(facts(workload(), of=of, **known))) == expected


def test_openshift_wants_a_privileged_init_container() -> None:
    allowed = SecurityConstraint("privileged", groups=("system:authenticated",))
    not_privileged = ("error", "init-container-not-privileged", "MeshConfig/osm-mesh-config")
    assert told(preflight_openshift.openshift(facts(workload(), openshift=True, constraints=[allowed]))) == [not_privileged]
    assert preflight_openshift.openshift(facts(workload())) == []
    no_interception = mesh(traffic={"interceptionMode": "none"})
    assert preflight_openshift.openshift(facts(workload(), of=no_interception, openshift=True)) == []


def test_openshift_constraints_that_could_not_be_read_are_not_missed() -> None:
    of = mesh(sidecar={"enablePrivilegedInitContainer": True})
    unread = {"securitycontextconstraints": "not allowed"}
    assert preflight_openshift.openshift(facts(workload(), of=of, openshift=True, unread=unread)) == []


@pytest.mark.parametrize(("kind", "found"), [("Job", True), ("CronJob", True), ("Deployment", False), ("Pod", False)])
def test_jobs_never_complete(kind: str, found: bool) -> None:
    assert told(preflight_pods.jobs(facts(workload(kind)))) == ([("warning", "job-never-completes", f"{kind}/cart")] if found else [])
    assert preflight_pods.jobs(facts(workload(kind, annotations=DISABLED))) == []


def test_windows() -> None:
    pod = workload(nodeSelector={"kubernetes.io/os": "windows"})
    by_field = workload(os={"name": "windows"})
    known = mesh(sidecar={"sidecarWindowsImage": "pipy-nanoserver:1"})
    assert told(preflight_pods.windows_pods(facts(pod))) == [("error", "windows-pod-without-image", "Deployment/cart")]
    assert told(preflight_pods.windows_pods(facts(pod, of=known))) == [("warning", "windows-pod", "Deployment/cart")]
    assert told(preflight_pods.windows_pods(facts(by_field, of=known))) == [("warning", "windows-pod", "Deployment/cart")]
    assert preflight_pods.windows_pods(facts(workload(nodeSelector={"kubernetes.io/os": "linux"}))) == []


def test_windows_nodes_matter_to_pods_that_do_not_say_where_they_run() -> None:
    undecided, decided = workload(), workload(name="other", nodeSelector={"kubernetes.io/os": "linux"})
    found = preflight_pods.windows_nodes(facts(undecided, decided, windows_nodes=["win-1"]))
    assert told(found) == [("info", "windows-nodes", "Deployment/cart")]
    assert preflight_pods.windows_nodes(facts(undecided)) == []


def listening(number: int, protocol: str = "TCP") -> Any:
    return workload(containers=[{"name": "c", "image": "c:1", "ports": [{"containerPort": number, "protocol": protocol}]}])


RESERVED = [15000, 15001, 15003, 15010, 15901, 15902, 15903, 15904]


@pytest.mark.parametrize("number", [*RESERVED, 6060])
def test_reserved_ports(number: int) -> None:
    """The documentation names the first four only."""
    assert told(preflight_ports.reserved_port(facts(listening(number)))) == [("error", "reserved-port", "Deployment/cart")]


@pytest.mark.parametrize(("number", "protocol"), [(8080, "TCP"), (15002, "TCP"), (15001, "UDP"), (5300, "UDP"), (5300, "TCP")])
def test_other_ports(number: int, protocol: str) -> None:
    assert preflight_ports.reserved_port(facts(listening(number, protocol))) == []


def test_ports_that_the_mesh_config_reserves() -> None:
    dns = mesh(sidecar={"localDNSProxy": {"enable": True}})
    assert told(preflight_ports.reserved_port(facts(listening(5300, "UDP"), of=dns))) == [("error", "reserved-port", "Deployment/cart")]
    moved = mesh(sidecar={"sidecarDrivers": [{"sidecarName": "pipy", "proxyServerPort": 7070}]})
    assert preflight_ports.reserved_port(facts(listening(6060), of=moved)) == []
    assert told(preflight_ports.reserved_port(facts(listening(7070), of=moved))) == [("error", "reserved-port", "Deployment/cart")]


def test_envoy_does_not_need_the_port_of_pipy() -> None:
    upstream = mesh("1.2.4", product=OSM)
    assert preflight_ports.reserved_port(facts(listening(6060), of=upstream)) == []
    assert told(preflight_ports.reserved_port(facts(listening(15003), of=upstream))) == [("error", "reserved-port", "Deployment/cart")]
    fsm = mesh("1.5.1", product=FSM, name="fsm")
    assert told(preflight_ports.reserved_port(facts(listening(6060), of=fsm))) == [("error", "reserved-port", "Deployment/cart")]


def test_services_that_send_to_the_sidecar() -> None:
    to_sidecar = service(ports=[{"name": "http-metrics", "port": 80, "targetPort": 15010}])
    found = preflight_ports.reserved_port(facts(workload(), services=[to_sidecar]))
    assert told(found) == [("warning", "reserved-target-port", "Service/cart")]
    nobody = service(selector={"app": "nobody"}, ports=[{"port": 80, "targetPort": 15010}])
    assert preflight_ports.reserved_port(facts(workload(), services=[nobody])) == []
