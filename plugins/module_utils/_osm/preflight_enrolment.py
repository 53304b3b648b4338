# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces and pods that another mesh claims, or that this one would pass over. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import has_sidecar
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import NamespaceFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts, Workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import PRODUCTS
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# osm-edge v1.3.9 pkg/injector/webhook.go: never injected, whatever their labels say.
_NEVER_INJECTED = ("kube-system", "kube-public")
_SYSTEM_PREFIXES = ("kube-", "openshift-")
_ISTIO_PROXY = "istio-proxy"


def namespaces(facts: Facts) -> list[Finding]:
    """What stands in the way of the enrolment itself."""
    findings = []
    for _name, namespace in sorted(facts.namespaces.items()):
        ref = ObjectRef("Namespace", namespace.name)
        for finding in (
            _terminating(ref, namespace),
            _system(ref, facts),
            _ignored(ref, namespace, facts),
            _left_out(ref, namespace, facts),
        ):
            if finding is not None:
                findings.append(finding)
        findings += _other_meshes(ref, namespace, facts)
    return findings


def _terminating(ref: ObjectRef, namespace: NamespaceFacts) -> Finding | None:
    if not namespace.terminating:
        return None
    return Finding(
        "error",
        "namespace-terminating",
        ref,
        "is being deleted",
        "nothing new can be created in it",
        "leave it out, or wait until it is gone and create it again",
    )


def _system(ref: ObjectRef, facts: Facts) -> Finding | None:
    if ref.name in {facts.mesh.namespace, *facts.control_planes}:
        return Finding(
            "error",
            "control-plane-namespace",
            ref,
            "has the control plane of a mesh",
            "a control plane cannot depend on its own injector, nor should it on another's",
            "leave it out",
        )
    if ref.name not in _NEVER_INJECTED and not ref.name.startswith(_SYSTEM_PREFIXES):
        return None
    return Finding(
        "error",
        "system-namespace",
        ref,
        "belongs to the cluster itself",
        "its pods are never injected, or must not be: what the cluster needs to start pods would depend on the mesh",
        "leave it out",
    )


def _ignored(ref: ObjectRef, namespace: NamespaceFacts, facts: Facts) -> Finding | None:
    if not facts.ignored(namespace):
        return None
    label = facts.mesh.product.ignore_label
    return Finding(
        "warning",
        "namespace-ignored",
        ref,
        f"has the label {label}={namespace.labels[label]}",
        "whatever its value, the injector passes the namespace over until the label is gone; mesh_namespace takes it away",
        "leave the namespace out if it is ignored on purpose",
    )


def _left_out(ref: ObjectRef, namespace: NamespaceFacts, facts: Facts) -> Finding | None:
    """Source: osm-edge v1.3.9 pkg/injector/webhook.go, the webhook's namespaceSelector."""
    labels = namespace.labels
    if "control-plane" not in labels and labels.get("name") != facts.mesh.namespace:
        return None
    label = "control-plane" if "control-plane" in labels else "name"
    return Finding(
        "error",
        "left-out-by-webhook",
        ref,
        f"has the label {label}={labels[label]}",
        "the webhook's selector leaves namespaces with it out: no pod gets a sidecar",
        f"take the label away: kubectl label namespace {ref.name} {label}-",
    )


def _other_meshes(ref: ObjectRef, namespace: NamespaceFacts, facts: Facts) -> list[Finding]:
    product, labels = facts.mesh.product, namespace.labels
    findings = []
    current = labels.get(product.monitored_by_label, facts.mesh.name)
    if current != facts.mesh.name:
        findings.append(
            Finding(
                "error",
                "namespace-of-another-mesh",
                ref,
                f"is enrolled in the mesh {current}",
                f"enrolling it in {facts.mesh.name} moves it: pods keep the other mesh's sidecars until they are restarted",
                "take it out of the other mesh first, or allow the move (mesh_namespace: allow_move)",
            )
        )
    claims = [f"{key}={labels[key]}" for key in _other_family(product.key_domain) if key in labels]
    if claims:
        findings.append(
            Finding(
                "error",
                "two-meshes",
                ref,
                f"is enrolled in another mesh as well: {', '.join(claims)}",
                "two injectors would each add a sidecar and iptables rules to every pod, which then reach nobody",
                f"take the label away: kubectl label namespace {ref.name} {claims[0].partition('=')[0]}-",
            )
        )
    istio = _istio_labels(labels)
    if istio:
        findings.append(
            Finding(
                "error",
                "istio-injection",
                ref,
                f"is enrolled in Istio: {', '.join(istio)}",
                "two injectors would each add a sidecar and iptables rules to every pod, which then reach nobody",
                f"take it out of Istio: kubectl label namespace {ref.name} {' '.join(item.partition('=')[0] + '-' for item in istio)}",
            )
        )
    return findings


def _other_family(key_domain: str) -> list[str]:
    """Return the enrolment labels of the family's other products; osm-edge and OSM share theirs."""
    keys = dict.fromkeys(product.monitored_by_label for product in PRODUCTS if product.key_domain != key_domain)
    return [*keys]


def _istio_labels(labels: Mapping[str, str]) -> list[str]:
    """Return the labels by which Istio injects: the revision counts as well, ``disabled`` does not."""
    if labels.get("istio-injection") == "disabled":
        return []
    wanted = {"istio-injection": labels.get("istio-injection"), "istio.io/rev": labels.get("istio.io/rev")}
    return [f"{key}={value}" for key, value in wanted.items() if value]


def pods(facts: Facts) -> list[Finding]:
    """Pods that ask for another sidecar, or bring one along in their template."""
    findings = []
    for workload in facts.injected:
        istio = _istio_in_template(workload)
        if istio:
            findings.append(
                Finding(
                    "error",
                    "istio-sidecar",
                    workload.ref,
                    f"its pods get, or have, Istio's sidecar: {istio}",
                    "two sidecars with their iptables rules in one pod reach nobody",
                    "take it out of its template, or keep the pods out of this mesh with the annotation "
                    f"{facts.mesh.product.injection_annotation}: disabled",
                )
            )
    return findings


def _istio_in_template(workload: Workload) -> str:
    if workload.labels.get("sidecar.istio.io/inject") == "true":
        return "label sidecar.istio.io/inject=true"
    if workload.labels.get("sidecar.istio.io/inject") != "false" and workload.labels.get("istio.io/rev"):
        return f"label istio.io/rev={workload.labels['istio.io/rev']}"
    names = [item["name"] for item in (*workload.containers, *(workload.spec.get("initContainers") or ()))]
    return f"container {_ISTIO_PROXY}" if _ISTIO_PROXY in names else ""


def sidecar_in_template(facts: Facts) -> list[Finding]:
    """A sidecar that stands in the template itself: no restart changes it (osm-edge v1.3.9 pkg/injector/patch.go, "already injected")."""
    return [
        Finding(
            "warning",
            "sidecar-in-template",
            workload.ref,
            "the sidecar stands in its template",
            "it was injected by hand or copied from a running pod: its image and its certificate stay what they are whatever the mesh does",
            "take the sidecar, its init container and its volume out of the template and let the injector add them",
        )
        for workload in facts.workloads
        if workload.ref.kind != "Pod" and any(has_sidecar(workload.template, product) for product in PRODUCTS)
    ]


def opted_out(facts: Facts) -> list[Finding]:
    """Pods that say themselves that they want no sidecar."""
    key = facts.mesh.product.injection_annotation
    return [
        Finding(
            "info",
            "opted-out",
            workload.ref,
            f"its pods have the annotation {key}: {workload.annotations[key]}",
            "they get no sidecar: sidecars of the mesh refuse their calls, and calls to them are not encrypted",
            "take the annotation away if they are meant to be in the mesh",
        )
        for workload in facts.workloads
        if key in workload.annotations and facts.decision(workload).inject is False and workload.spec.get("hostNetwork") is not True
    ]
