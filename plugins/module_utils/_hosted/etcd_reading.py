# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask etcd's members how they are, each in its own pod and all at once; nothing is changed by that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import etcd_answers
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_answers import NotUnderstood
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_commands import (
    ALARMS,
    CONTAINER,
    FILES,
    HEALTH,
    MEMBERS,
    ROOM,
    STATUS,
    etcdctl,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_room import within_limits
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState, Member, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, name_of, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import ETCD
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, KubeError, Unauthorized, Unreachable
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import ExecResult, PodExec
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

Object = dict[str, Any]

# All that is run in pods in check mode, and before anything is decided. The last four are arguments of etcdctl.
READ_ONLY: Mapping[str, Sequence[str]] = {
    "files": FILES,
    "room": ROOM,
    "status": STATUS,
    "health": HEALTH,
    "members": MEMBERS,
    "alarms": ALARMS,
}
_MOST_AT_ONCE = 8
# The API server waits half a minute for a node that is off; the other members can do without it.
_NODE_SECONDS = 10.0


def read_etcd(pods: PodExec, inventory: Inventory, *, timeout: float) -> EtcdState:
    """Return the members of the hosted cluster's etcd, within ``timeout`` seconds; no members when it has no etcd of HyperShift's.

    A pod that does not answer, or whose node does not, is a member with an ``error``. Raises KubeError when no pod can be asked:
    Forbidden, Unauthorized, and Unreachable for the API server itself.
    """
    stateful_set = inventory.etcd
    if stateful_set is None:
        return EtcdState((), 0)
    replicas = replicas_of(stateful_set)
    found = {name_of(pod): pod for pod in inventory.pods}
    names = [f"{ETCD}-{number}" for number in range(replicas)]
    if not names:
        return EtcdState((), 0)
    deadline = Deadline(timeout)
    namespace = inventory.target.control_plane_namespace
    with ThreadPoolExecutor(max_workers=min(_MOST_AT_ONCE, len(names)), thread_name_prefix="etcd") as threads:
        read = partial(_member, pods, namespace, found, deadline)
        return EtcdState(tuple(threads.map(read, names)), replicas)


def _member(pods: PodExec, namespace: str, found: Mapping[str, Object], deadline: Deadline, name: str) -> Member:
    pod = found.get(name)
    error = "there is no such pod" if pod is None else not_running(pod)
    if pod is None or error:
        return Member(name, error=error)
    return _Reader(pods, namespace, name, deadline).member(pod)


def not_running(pod: Object) -> str:
    """Return why no command can be run in the pod's etcd, "" when it runs (as far as the API server knows)."""
    phase = str(mapping(pod, "status").get("phase") or "Unknown")
    if phase != "Running":
        return f"the pod is {phase}"
    container = _named(mapping(pod, "status").get("containerStatuses"))
    for state in ("waiting", "terminated"):
        if state in mapping(container, "state"):
            return f"its container is {state} ({mapping(container, 'state', state).get('reason') or 'no reason given'})"
    return ""


def read_only_root(pod: Object) -> bool:
    """Return whether only mounted directories can be written."""
    container = _named(mapping(pod, "spec").get("containers"))
    return mapping(container, "securityContext").get("readOnlyRootFilesystem") is True


def _named(containers: object) -> Object:
    listed = containers if isinstance(containers, list) else []
    return next((item for item in listed if isinstance(item, dict) and item.get("name") == CONTAINER), {})


class _Reader:
    """Asks one pod, one question after the other."""

    def __init__(self, pods: PodExec, namespace: str, pod: str, deadline: Deadline) -> None:
        self._pods, self._namespace, self._pod, self._deadline = pods, namespace, pod, deadline

    def member(self, pod: Object) -> Member:
        """Return everything; what fails is its ``error``, and ends the questions."""
        member = Member(self._pod)
        try:
            listing = self._run(READ_ONLY["files"])
            tools, leftovers = etcd_answers.files(listing.stdout)
            # Its exit code is 2 for a file that is not there; one of the two authorities never is.
            if listing.exit_code > 2:
                raise NotUnderstood(f"ls: {listing.stderr or listing.exit_code}")
            free = etcd_answers.room(self._run(READ_ONLY["room"]).stdout, read_only_root=read_only_root(pod))
            free = within_limits(free, pod, _named(mapping(pod, "spec").get("containers")))
            member = member._replace(tools=tools, free=free, leftovers=leftovers)
            return self._answers(member, tools)
        except (Forbidden, Unauthorized):
            raise
        except (KubeError, NotUnderstood) as error:
            # An answer that was lost may be that of the pod's node; only what was never sent tells of the API server.
            if isinstance(error, Unreachable) and not error.uncertain:
                raise
            said = error.why if isinstance(error, KubeError) else str(error)
            return member._replace(error=said, healthy=False)

    def _answers(self, member: Member, tools: Tools) -> Member:
        if not (tools.etcdctl and tools.authority and tools.client):
            return member._replace(error="the image has no etcdctl, or the pod no certificates for it")
        status = etcd_answers.status(self._ask(tools, "status"))
        names = etcd_answers.members(self._ask(tools, "members"))
        member = member._replace(
            member_id=status.member_id,
            name=names.get(status.member_id, ""),
            version=status.version,
            db_size=status.db_size,
            db_in_use=status.db_in_use,
            revision=status.revision,
            leader=status.leader_id == status.member_id,
            leader_id=status.leader_id,
            cluster_id=status.cluster_id,
            member_ids=tuple(sorted(names)),
        )
        # An unhealthy one ends with exit code 1, and says why in the same form.
        answer = self._run(etcdctl(tools, READ_ONLY["health"]))
        health = (
            etcd_answers.health(answer.stdout)
            if answer.stdout
            else etcd_answers.Health(healthy=False, error=etcd_answers.complaint(answer.stderr))
        )
        member = member._replace(healthy=health.healthy, error=health.error)
        return member._replace(alarms=etcd_answers.alarms(self._ask(tools, "alarms"), names))

    def _ask(self, tools: Tools, question: str) -> bytes:
        """Return what etcdctl answers to one of READ_ONLY; raises NotUnderstood when it fails."""
        answer = self._run(etcdctl(tools, READ_ONLY[question]))
        if answer.exit_code:
            raise NotUnderstood(
                f"{' '.join(READ_ONLY[question][:2])}: {etcd_answers.complaint(answer.stderr) or f'exit code {answer.exit_code}'}"
            )
        return answer.stdout

    def _run(self, command: Sequence[str]) -> ExecResult:
        seconds = self._deadline.remaining()
        return self._pods.run(self._namespace, self._pod, CONTAINER, command, timeout=seconds, repeatable=True, handshake=_NODE_SECONDS)
