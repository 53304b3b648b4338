# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that bring a stopped hosted cluster back, exactly as it is on record. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import CLUSTER_API_GROUP, HOSTED_CLUSTER, NODE_POOL
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import HYPERSHIFT, MARKER, PRIOR_ANNOTATION, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import ENTRY, NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import Prior
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import (
    API_SERVERS,
    CONTROLLERS,
    KUBE_APISERVER,
)

_HOSTED_CLUSTERS = f"{HOSTED_CLUSTER.plural}.{HYPERSHIFT}"
_NODE_POOLS = f"{NODE_POOL.plural}.{HYPERSHIFT}"
_CLUSTERS = f"clusters.{CLUSTER_API_GROUP}"


def still_there(prior: Prior, inventory: Inventory) -> Prior:
    """Return the record without what was deleted since: a command that fails for it would end a script in the middle."""
    pools, deployments = {name_of(item) for item in inventory.node_pools}, {name_of(item) for item in inventory.deployments}
    clusters = {name_of(item) for item in inventory.of("clusters")}
    return replace(
        prior,
        replicas={name: number for name, number in prior.replicas.items() if name in deployments},
        node_pools={name: until for name, until in prior.node_pools.items() if name in pools},
        cluster=prior.cluster if prior.cluster in clusters else "",
    )


def resume_commands(target: Target, prior: Prior, *, secret: str = "", marker: str = "") -> list[str]:
    """Return shell commands for the management cluster (its kubeconfig in the environment), to be run in this order.

    API servers first, then, when they answer, what uses them; what handles machines begins while Cluster API is still paused, and
    the pauses go in the order in which they cannot be mistaken for each other. The record goes last: until then the commands may
    be run again.
    ``secret`` is the one with the hosted cluster's kubeconfig, ``marker`` what the marker says now ("": none was written).
    """
    commands = [*_replicas(target, prior)]
    if prior.cluster:
        commands.append(_patch(_CLUSTERS, target.control_plane_namespace, prior.cluster, "paused", prior.cluster_paused))
    commands += [_patch(_NODE_POOLS, target.namespace, name, "pausedUntil", value) for name, value in sorted(prior.node_pools.items())]
    commands.append(_patch(_HOSTED_CLUSTERS, target.namespace, target.name, "pausedUntil", prior.paused_until))
    if marker and prior.marker.state != "unknown" and prior.marker != ("present", marker):
        commands += _marker(target, prior, secret or target.admin_kubeconfig)
    commands.append(f"kubectl annotate {_HOSTED_CLUSTERS} -n {target.namespace} {target.name} {PRIOR_ANNOTATION}-")
    return commands


def _replicas(target: Target, prior: Prior) -> Iterator[str]:
    """What was stopped first starts last, but what the others need is there first: machines are not judged without their nodes."""
    deployments = f"-n {target.control_plane_namespace}"
    for name in (*API_SERVERS, *reversed(CONTROLLERS)):
        if name == CONTROLLERS[-1] and prior.replicas.get(KUBE_APISERVER):
            yield f"kubectl rollout status deployment.apps {deployments} {KUBE_APISERVER} --timeout=15m"
        if prior.replicas.get(name):
            yield f"kubectl scale deployment.apps {deployments} {name} --replicas={prior.replicas[name]}"


def _patch(resource: str, namespace: str, name: str, field: str, value: str | bool | None) -> str:
    """Return a merge patch, with null for what was not there."""
    body = json.dumps({"spec": {field: value}}, separators=(",", ":"))
    return f"kubectl patch {resource} -n {namespace} {name} --type merge -p {shlex.quote(body)}"


def _marker(target: Target, prior: Prior, secret: str) -> list[str]:
    """Return what puts the marker back, in the hosted cluster as soon as it answers; its kubeconfig is a file for that long."""
    file = f"{target.control_plane_namespace}.kubeconfig"
    inside = f"kubectl --kubeconfig {file} -n {NAMESPACE}"
    if prior.marker.state == "absent":
        back = f"{inside} delete configmap {MARKER} --ignore-not-found"
    else:
        body = json.dumps({"data": {ENTRY: prior.marker.value}}, separators=(",", ":"))
        back = f"{inside} patch configmap {MARKER} --type merge -p {shlex.quote(body)}"
    content = "-o jsonpath='{.data.kubeconfig}' | base64 -d"
    return [
        f"(umask 077 && kubectl get secret -n {target.namespace} {secret} {content} > {file})",
        f"timeout 15m sh -c 'until kubectl --kubeconfig {file} get --raw /readyz; do sleep 3; done'",
        back,
        f"rm {file}",
    ]
