# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about the namespaces that a mesh watches and about the pods in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.data_plane import DataPlane, is_enrolled
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import must_inject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh, NamespaceFacts, Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding, Severity
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

# A list of names in a sentence ends here; how many more there are is said.
_MOST_NAMES = 8


def data_plane_findings(mesh: Mesh, observed: Observed, pods: DataPlane | None) -> list[Finding]:
    """Judge the enrolled namespaces and, when they were counted, their pods."""
    enrolled = [facts for facts in observed.namespaces.values() if is_enrolled(facts, mesh)]
    findings = [*_namespaces(mesh, enrolled)]
    return [*findings, *_pods(mesh, pods)] if pods is not None else findings


def names(found: Sequence[str]) -> str:
    """Return names for a sentence, shortened."""
    shown = ", ".join(found[:_MOST_NAMES])
    return f"{shown} and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else shown


def _namespaces(mesh: Mesh, enrolled: Sequence[NamespaceFacts]) -> Iterator[Finding]:
    product = mesh.product
    ignored = [facts.name for facts in enrolled if product.ignore_label in facts.labels]
    if ignored:
        yield _about(
            "warning",
            "namespace-ignored",
            ignored,
            f"enrolled in mesh {mesh.name} and ignored at the same time: {names(ignored)}",
            "the webhooks leave such a namespace out whatever the label's value is: its new pods get no sidecar",
            f"take one of the labels away: {product.ignore_label} or {product.monitored_by_label}",
        )
    active = [facts for facts in enrolled if product.ignore_label not in facts.labels]
    probe = {"metadata": {"annotations": {product.injection_annotation: "enabled"}}}
    refused = [facts for facts in active if must_inject(probe, facts.as_namespace(), product, mesh.name, mesh.namespace).inject is False]
    if refused:
        found = [facts.name for facts in refused]
        yield _about(
            "warning",
            "namespace-never-injected",
            found,
            f"enrolled, but never injected: {names(found)}",
            must_inject(probe, refused[0].as_namespace(), product, mesh.name, mesh.namespace).reason,
            "take the namespace out of the mesh, or remove the label that the webhook's selector leaves out",
        )
    invalid = [facts.name for facts in active if must_inject({}, facts.as_namespace(), product, mesh.name, mesh.namespace).inject is None]
    if invalid:
        yield _about(
            "error",
            "injection-annotation-invalid",
            invalid,
            f"annotation {product.injection_annotation} has a value that the injector does not know: {names(invalid)}",
            "the injector denies every new pod there",
            f"set it to enabled or disabled: kubectl annotate namespace {invalid[0]} --overwrite {product.injection_annotation}=enabled",
        )
    unset = [facts.name for facts in active if product.injection_annotation not in facts.annotations and facts not in refused]
    if unset:
        yield _about(
            "info",
            "injection-not-set",
            unset,
            f"enrolled without an injection annotation: {names(unset)}",
            "only pods that ask for a sidecar themselves get one; a tool that owns the namespace may have removed the annotation",
            f"set {product.injection_annotation} to enabled or disabled, so that the intention is clear",
        )


def _pods(mesh: Mesh, pods: DataPlane) -> Iterator[Finding]:
    init, restart = mesh.product.init_container, "restart the workloads (kubectl rollout restart)"
    if pods.unintercepted:
        places = pods.namespaces_with("unintercepted")
        yield _about(
            "error",
            "pods-without-interception",
            places,
            f"{pods.unintercepted} pods have a sidecar but no {init}: {names(places)}",
            "their traffic goes past the sidecar, without mTLS and without policies",
            f"make sure that traffic.interceptionMode is set in the MeshConfig, then {restart}",
        )
    if pods.expected_but_missing:
        places = pods.namespaces_with("missing")
        yield _about(
            "warning",
            "sidecar-missing",
            places,
            f"{pods.expected_but_missing} pods should have a sidecar and have none: {names(places)}",
            "they were created before their namespace was enrolled, or while the webhook was away",
            restart,
        )
    for reason, count in pods.stale.most_common():
        if reason.startswith(f"no {init}"):
            continue  # told above, as an error
        places = pods.namespaces_with("stale")
        yield _about(
            "warning",
            "sidecar-stale",
            places,
            f"{count} pods: {reason}",
            "a running pod keeps the sidecar that it was created with",
            restart,
        )
    if pods.unexpected:
        places = pods.namespaces_with("unexpected")
        yield _about(
            "warning",
            "sidecar-unexpected",
            places,
            f"{pods.unexpected} pods have a sidecar that new pods would not get: {names(places)}",
            "their namespace was taken out of the mesh, or injection was switched off, and the pods were not restarted",
            restart,
        )


def _about(severity: Severity, code: str, namespaces: Sequence[str], what: str, why: str, remedy: str) -> Finding:
    return Finding(severity, code, ObjectRef("Namespace", namespaces[0]), what, why, remedy)
