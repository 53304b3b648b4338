# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is worth knowing before a hosted cluster is stopped, and the proof that it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import (
    Inventory,
    metadata_of,
    name_of,
    ref_of,
    replicas_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import REF
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import QuiesceState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import (
    cluster_paused,
    paused_for_good,
    paused_until,
    prior_of,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import owner_among, runs, to_stop, workload_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.writers import writers_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.field_managers import last_writer, owner_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_Object = dict[str, Any]
_AGAIN = "run the same command again"


def quiesce_findings(state: QuiesceState) -> list[Finding]:
    """Return what the user should know before the first write."""
    return [
        *_about_the_record(state.inventory),
        *_about_the_marker(state),
        *_about_pauses(state.inventory),
        *_about_others(state.inventory),
    ]


def stopped_findings(inventory: Inventory) -> list[Finding]:
    """Return what is not as it must be while etcd's data is saved: the proof. Every one is an error; none: it is stopped."""
    return [*_not_recorded(inventory), *_not_paused(inventory), *_not_stopped(inventory)]


def marker_refused(why: str) -> Finding:
    """Tell that the hosted cluster's API can be read, and does not take the marker."""
    return _not_marked(
        f"the hosted cluster's own API does not take the marker: {why}",
        "none; who wants the marker all the same brings the cluster back (resume commands), sees to what is named, and runs again",
    )


def _not_marked(what: str, remedy: str) -> Finding:
    why = "what is restored from this backup does not say which management cluster it came from; nothing else depends on it"
    return Finding("warning", "marker-not-written", REF, what, why, remedy)


def _about_the_record(inventory: Inventory) -> Iterator[Finding]:
    prior = prior_of(inventory)
    if prior is None:
        return
    yield Finding(
        "info",
        "recorded-before",
        inventory.target.ref,
        f"run {prior.run_id}{f' of {prior.time}' if prior.time else ''} has recorded what was there before, and that record counts",
        "what is there now may have been stopped already",
        "none, if this goes on from that run; otherwise look at the resume commands before you run them",
    )
    for deployment in to_stop(inventory):
        now, then = replicas_of(deployment), prior.replicas.get(name_of(deployment))
        if then is not None and now not in (0, then):
            yield Finding(
                "warning",
                "record-differs",
                ref_of(deployment),
                f"it has {now} replicas now, and {then} are on record",
                f"{then} is what the resume commands put back",
                f"if {now} is right: take the annotation {PRIOR_ANNOTATION} of {inventory.target.ref} away while nothing is stopped",
            )


def _about_the_marker(state: QuiesceState) -> Iterator[Finding]:
    found = state.marker
    if not state.management_cluster:
        return
    if found.prior.state == "unknown" and not found.stopped:
        yield _not_marked(
            f"the hosted cluster's own API does not answer, so the marker is not written: {found.why}",
            "none, when the API is down for good; otherwise see to it that it is reached from here, and run again",
        )
    elif found.prior.state == "present" and found.prior.value not in (None, state.management_cluster):
        yield Finding(
            "info",
            "marker-replaced",
            REF,
            f"it says that this cluster is on {found.prior.value}, and will say {state.management_cluster}",
            "a cluster that was moved before has the marker of then; its value is on record and the resume commands put it back",
            f"none, if {state.management_cluster} is the management cluster that this hosted cluster is on",
        )


def _about_pauses(inventory: Inventory) -> Iterator[Finding]:
    for item in (inventory.hosted_cluster, *inventory.node_pools):
        until = paused_until(item)
        if until is not None and until.lower() not in ("true", "false"):
            yield Finding(
                "info",
                "paused-until-a-time",
                ref_of(item),
                f"it is paused until {until}, and will be for good",
                "a pause that ends in the middle of a move lets the old operator act on machines that belong to the new one",
                "none: the time is on record, and the resume commands put it back",
            )


def _about_others(inventory: Inventory) -> Iterator[Finding]:
    written = (inventory.hosted_cluster, *inventory.node_pools, *inventory.of("clusters"), *to_stop(inventory))
    for item in written:
        for writer in writers_of(item):
            if writer.continuous:
                yield Finding(
                    "warning",
                    "stop-may-be-undone",
                    writer.object,
                    f"{writer.tool.name} writes it too ({writer.evidence})",
                    "it may take the pause back or scale up what is stopped: while this runs that is noticed, afterwards it is not",
                    writer.tool.pause,
                )


def _not_recorded(inventory: Inventory) -> Iterator[Finding]:
    if prior_of(inventory) is None:
        yield _error(
            "not-recorded",
            inventory.hosted_cluster,
            f"the annotation {PRIOR_ANNOTATION} is not there, or cannot be read",
            "nothing tells any more what was there before",
            "put it there again from the result or the log of this run",
        )


def _not_paused(inventory: Inventory) -> Iterator[Finding]:
    for item in (inventory.hosted_cluster, *inventory.node_pools):
        if not paused_for_good(item):
            by = owner_of(item, "spec", "pausedUntil") or last_writer(item)
            yield _error(
                "not-paused",
                item,
                f"its spec.pausedUntil is {paused_until(item) or 'not there'}{f' (written by {by})' if by else ''}",
                "its operator makes again what was stopped",
                f"keep {by or 'whoever writes it'} from writing it, then {_AGAIN}",
            )
    for item in inventory.of("clusters"):
        if not cluster_paused(item):
            by = owner_of(item, "spec", "paused") or last_writer(item)
            yield _error(
                "not-paused",
                item,
                f"its spec.paused is not true{f' (written by {by})' if by else ''}",
                "Cluster API may make and end machines",
                f"keep {by or 'whoever writes it'} from writing it, then {_AGAIN}",
            )


def _not_stopped(inventory: Inventory) -> Iterator[Finding]:
    deployments = to_stop(inventory)
    for item in deployments:
        if replicas_of(item):
            by = owner_of(item, "spec", "replicas")
            yield _error(
                "not-stopped",
                item,
                f"it wants {replicas_of(item)} replicas{f' (set by {by})' if by else ''}",
                "what it runs changes etcd's data, or machines",
                f"keep {by or 'whoever does'} from scaling it up, then {_AGAIN}",
            )
    workloads = [workload_of(item) for item in deployments]
    for pod in inventory.pods:
        if runs(pod) and owner_among(pod, workloads):
            since = metadata_of(pod).get("deletionTimestamp")
            yield _error(
                "pods-left",
                pod,
                f"it is still there{f', to be deleted since {since}' if since else ''}",
                "a pod that is ending still works",
                _AGAIN,
            )


def _error(code: str, item: _Object, what: str, why: str, remedy: str) -> Finding:
    ref = ref_of(item)
    return Finding("error", code, ref if ref.kind else ObjectRef("Pod", ref.name, ref.namespace), what, why, remedy)
