# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods whose kind or operating system the sidecar does not go with. Pure."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.injection import desired_sidecar_image
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Facts, Workload, named
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding


def jobs(facts: Facts) -> list[Finding]:
    """A sidecar is an ordinary container and runs for ever, so that a Job's pod never completes."""
    return [
        Finding(
            "warning",
            "job-never-completes",
            workload.ref,
            "its pods get a sidecar",
            "the sidecar does not end when the application does, so the Job never completes",
            f"annotate its pod template with {facts.mesh.product.injection_annotation}: disabled, "
            "or let the application end the sidecar when it is done",
        )
        for workload in facts.injected
        if workload.ref.kind in ("Job", "CronJob")
    ]


def windows_pods(facts: Facts) -> list[Finding]:
    """Windows pods get a sidecar without an init container (osm-edge v1.3.9 pkg/sidecar/providers/pipy/driver/sidecar.go)."""
    return [finding for workload in facts.injected if workload.windows for finding in [_windows(facts, workload)]]


def _windows(facts: Facts, workload: Workload) -> Finding:
    mesh = facts.mesh
    image = desired_sidecar_image(mesh.mesh_config_spec, mesh.injector_environment, mesh.product, windows=True)
    if mesh.product.sidecar_windows_image_field and image:
        return Finding(
            "warning",
            "windows-pod",
            workload.ref,
            "runs on Windows",
            "there is no init container on Windows, so its traffic is not intercepted: the sidecar is there and does nothing",
            f"keep it out of the mesh: {mesh.product.injection_annotation}: disabled",
        )
    return Finding(
        "error",
        "windows-pod-without-image",
        workload.ref,
        "runs on Windows, and the mesh has no sidecar image for Windows",
        "the injector answers with an error, or adds an image for Linux: its pods do not start",
        f"keep it out of the mesh: {mesh.product.injection_annotation}: disabled",
    )


def windows_nodes(facts: Facts) -> list[Finding]:
    """Pods that say nothing about their operating system get the sidecar for Linux, wherever they are scheduled."""
    undecided = [workload for workload in facts.injected if not _names_system(workload)]
    if not facts.windows_nodes or not undecided:
        return []
    return [
        Finding(
            "info",
            "windows-nodes",
            workload.ref,
            f"does not say on which operating system it runs, and the cluster has Windows nodes: {named(facts.windows_nodes)}",
            "its pods get the sidecar for Linux, which does not start on Windows",
            "set nodeSelector kubernetes.io/os: linux",
        )
        for workload in undecided
    ]


def _names_system(workload: Workload) -> bool:
    return "kubernetes.io/os" in (workload.spec.get("nodeSelector") or {}) or bool((workload.spec.get("os") or {}).get("name"))
