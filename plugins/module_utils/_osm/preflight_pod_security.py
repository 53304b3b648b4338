# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that cannot have a sidecar, whose traffic would bypass it, or that Pod Security would not admit with it. Pure."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import NamespaceFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts, Workload
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# osm-edge v1.3.9 pkg/constants/constants.go SidecarUID: the init container's iptables rules let this user's traffic pass.
SIDECAR_USER = 1500
_LEVEL = "pod-security.kubernetes.io/"


def host_network(facts: Facts) -> list[Finding]:
    """Pods on the host's network never get a sidecar (osm-edge v1.3.9 pkg/injector/webhook.go ``mustInject``)."""
    return [
        Finding(
            "warning",
            "host-network",
            workload.ref,
            "its pods use the host's network (hostNetwork: true)",
            "such pods never get a sidecar: they stay outside the mesh, and sidecars of the mesh refuse their calls",
            "take hostNetwork away, or keep the workload outside of the mesh and let it in by an IngressBackend where it is a client",
        )
        for workload in facts.workloads
        if workload.spec.get("hostNetwork") is True
    ]


def reserved_user(facts: Facts) -> list[Finding]:
    """Traffic of the sidecar's own user is not intercepted."""
    findings = []
    for workload in facts.injected:
        places = [place for place, context in _contexts(workload) if context.get("runAsUser") == SIDECAR_USER]
        if places:
            findings.append(
                Finding(
                    "error",
                    "reserved-user",
                    workload.ref,
                    f"runs as user {SIDECAR_USER}: {', '.join(places)}",
                    f"user {SIDECAR_USER} is the sidecar's: the iptables rules let its traffic pass, and the application's with it",
                    "run the application as another user (securityContext.runAsUser)",
                )
            )
    return findings


def _contexts(workload: Workload) -> list[tuple[str, dict[str, object]]]:
    pod = ("pod", workload.spec.get("securityContext") or {})
    return [pod, *((f"container {item['name']}", item.get("securityContext") or {}) for item in workload.containers)]


def non_root_without_user(facts: Facts) -> list[Finding]:
    """``runAsNonRoot`` for the whole pod wants a user for the pod or for each of its containers.

    Source: osm-edge documentation, "Application requirements", security contexts.
    """
    return [
        Finding(
            "warning",
            "non-root-without-user",
            workload.ref,
            "securityContext.runAsNonRoot is true for the pod, and no runAsUser says which user that is",
            "it holds for the containers that injection adds as well, and one whose image names no user is then not started",
            "set securityContext.runAsUser for the pod, or for each of its containers",
        )
        for workload in facts.injected
        if _lacks_user(workload)
    ]


def _lacks_user(workload: Workload) -> bool:
    context = workload.spec.get("securityContext") or {}
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") is not None:
        return False
    return any((item.get("securityContext") or {}).get("runAsUser") is None for item in workload.containers)


def pod_security(facts: Facts) -> list[Finding]:
    """Pod Security looks at pods after injection: the init container wants root and NET_ADMIN.

    The sidecar itself passes ``baseline``; ``restricted`` it does not, because it drops no capabilities
    (osm-edge v1.3.9 pkg/injector/init_container.go, pkg/sidecar/providers/pipy/driver/pipy_container.go).
    """
    busy = {workload.namespace for workload in facts.injected}
    return [
        finding
        for name, namespace in sorted(facts.namespaces.items())
        if name in busy
        for finding in _pod_security(namespace, facts.with_init)
    ]


def _pod_security(namespace: NamespaceFacts, with_init: bool) -> list[Finding]:
    ref = ObjectRef("Namespace", namespace.name)
    rejecting = ("baseline", "restricted") if with_init else ("restricted",)
    part = "the init container needs root and the capability NET_ADMIN" if with_init else "the sidecar does not drop all capabilities"
    findings = []
    enforced = namespace.labels.get(f"{_LEVEL}enforce")
    if enforced in rejecting:
        findings.append(
            Finding(
                "error",
                "pod-security-enforced",
                ref,
                f"Pod Security enforces the level {enforced}",
                f"{part}, which {enforced} forbids: no pod with a sidecar is admitted",
                f"kubectl label namespace {namespace.name} --overwrite {_LEVEL}enforce=privileged",
            )
        )
    told = [f"{mode}={level}" for mode in ("warn", "audit") if (level := namespace.labels.get(f"{_LEVEL}{mode}")) in rejecting]
    if told:
        findings.append(
            Finding(
                "info",
                "pod-security-told",
                ref,
                f"Pod Security has {', '.join(told)}",
                f"{part}: every pod with a sidecar is admitted, with a warning or a line in the audit log",
                "nothing, or set these labels to privileged as well",
            )
        )
    return findings
