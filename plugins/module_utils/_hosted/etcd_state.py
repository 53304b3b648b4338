# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a hosted cluster's etcd before a snapshot, and which member it is taken from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import ETCD, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal

# The root file system is read-only: an emptyDir, and the volume; never etcd's own directory on that, whose emptiness is asked for.
PLACES = ("/tmp", "/var/lib")
# What a backup of ours writes in a pod is called so, and then by its run.
OWN_FILE = "meshops-backup-"
_MEBIBYTE = 1024 * 1024
# So much stays free: on the volume etcd itself must be able to go on writing.
RESERVES: Mapping[str, int] = {"/tmp": 16 * _MEBIBYTE, "/var/lib": 256 * _MEBIBYTE}


class Tools(NamedTuple):
    """What there is in a pod: the path of the authority's certificate ("" for none), the client's certificate and key, programs."""

    authority: str
    client: bool
    etcdctl: bool
    etcdutl: bool


NO_TOOLS = Tools(authority="", client=False, etcdctl=False, etcdutl=False)


class Member(NamedTuple):
    """What the member in ``pod`` says, and what there is in the pod.

    Ids are in hexadecimal. ``member_ids`` are those of the cluster that it thinks it is in, sorted. ``alarms`` are those of all
    members (``NOSPACE of etcd-1``). ``healthy``: it can read with a quorum, and there is no alarm. ``error`` says why it is not,
    or why nothing is known; ``tools`` is None when no command could be run in the pod. ``free`` is the bytes by directory that may
    be written without harm to the pod, ``leftovers`` the paths of old snapshots.
    """

    pod: str
    member_id: str = ""
    name: str = ""
    version: str = ""
    db_size: int = 0
    db_in_use: int = 0
    revision: int = 0
    leader: bool = False
    healthy: bool = False
    alarms: tuple[str, ...] = ()
    member_ids: tuple[str, ...] = ()
    cluster_id: str = ""
    error: str = ""
    leader_id: str = ""
    tools: Tools | None = None
    free: Mapping[str, int] = {}
    leftovers: tuple[str, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether the member itself has answered."""
        return bool(self.member_id)

    @property
    def sound(self) -> bool:
        """Whether nothing but an alarm keeps it from being healthy."""
        return self.healthy or (self.answered and bool(self.alarms) and "Active Alarm" in self.error)


@dataclass(frozen=True)
class EtcdState:
    """The members by pod; ``replicas`` is how many there should be: those of the StatefulSet."""

    members: tuple[Member, ...]
    replicas: int

    @property
    def tools(self) -> Tools:
        """What there is in the pod that the snapshot is taken in, or else in any that there is."""
        chosen = self._chosen
        if chosen is not None and chosen.tools is not None:
            return chosen.tools
        return next((member.tools for member in self.members if member.tools is not None), NO_TOOLS)

    @property
    def free(self) -> Mapping[str, int]:
        """The free bytes by directory in the pod that the snapshot is taken in."""
        return self._chosen.free if self._chosen is not None else {}

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Old snapshots in the pods, as ``etcd-0:/tmp/snapshot.db``."""
        return tuple(f"{member.pod}:{path}" for member in self.members for path in member.leftovers)

    @property
    def answering(self) -> tuple[Member, ...]:
        """The members that have answered."""
        return tuple(member for member in self.members if member.answered)

    @property
    def agreed(self) -> bool:
        """Whether those that answered say that they are different members of the same cluster.

        HyperShift up to 2026 restores each pod as a cluster of its own, all with the same ids, and EtcdAvailable says True
        (OCPBUGS-99534, openshift/hypershift PR 9048).
        """
        answering = self.answering
        ids = {member.member_id for member in answering}
        same = len({(member.cluster_id, member.member_ids) for member in answering}) <= 1
        return same and len(ids) == len(answering) and all(member.member_id in member.member_ids for member in answering)

    @property
    def one_cluster(self) -> bool:
        """Whether every pod answers, and all are the members of one cluster, as many as there should be."""
        complete = all(member.answered and len(member.member_ids) == self.replicas for member in self.members)
        return complete and len(self.members) == self.replicas and self.agreed

    @property
    def _chosen(self) -> Member | None:
        choice = choose_member(self)
        return next((member for member in self.members if choice is not None and member.pod == choice.pod), None)


class Choice(NamedTuple):
    """Where the snapshot is taken and written."""

    pod: str
    directory: str


def choose_member(state: EtcdState) -> Choice | None:
    """Return a healthy member, one that does not lead if possible, and a directory of its pod with enough room; None without one."""
    for member in candidates(state):
        for directory in PLACES:
            if member.free.get(directory, 0) >= room_needed(member, directory):
                return Choice(member.pod, directory)
    return None


def candidates(state: EtcdState) -> list[Member]:
    """Return the members that a snapshot may be taken of, the best first."""
    return sorted((member for member in state.members if member.healthy and _equipped(member)), key=_preference)


def _preference(member: Member) -> tuple[bool, str]:
    return member.leader, member.pod


def _equipped(member: Member) -> bool:
    return member.tools is not None and not missing_tool(member)


def room_needed(member: Member, directory: str) -> int:
    """Return the bytes that must be free in ``directory`` for a snapshot of this member, which may grow while it is taken."""
    return member.db_size * 11 // 10 + RESERVES[directory]


def missing_tool(member: Member) -> str:
    """Return the program that a snapshot needs and the pod does not have, "" for none."""
    if member.tools is None or not member.tools.etcdctl:
        return "etcdctl"
    return "etcdutl" if not member.tools.etcdutl and _minor(member.version) >= (3, 6) else ""


def _minor(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else (0, 0)


# Why not, and what to know

_NOTHING = "nothing was written, neither in a pod nor in the bucket"


def etcd_refusals(target: Target, replicas: int, state: EtcdState) -> list[Refusal]:
    """Return every reason against a snapshot now; ``replicas`` are the StatefulSet's. One member of three may be down."""
    namespace = target.control_plane_namespace
    if not replicas or not state.members:
        return [
            Refusal(
                "etcd-not-there",
                ObjectRef("StatefulSet", ETCD, namespace),
                "there is no etcd of HyperShift's to take a snapshot of",
                "its StatefulSet is missing or scaled to 0, or the cluster uses an etcd of its own (spec.etcd.managementType Unmanaged)",
                f"{replicas} replicas are wanted; {_NOTHING}",
                "scale it back, or back an unmanaged etcd up with its own tools",
            )
        ]
    reachable = [member for member in state.members if member.tools is not None]
    if not reachable:
        return [
            Refusal(
                "etcd-unreachable",
                ObjectRef("StatefulSet", ETCD, namespace),
                "no command can be run in any etcd pod",
                errors_of(state.members),
                _NOTHING,
                f"look at the pods (kubectl get pods -n {namespace}) and their nodes",
            )
        ]
    return [*_equipment(namespace, reachable)] or [*_membership(namespace, replicas, state), *_place(namespace, state)]


def etcd_findings(target: Target, replicas: int, state: EtcdState) -> list[Finding]:
    """Return what does not stop a snapshot and should be known: members that are down, old snapshots, versions that differ."""
    return [*_down(target.control_plane_namespace, replicas, state), *_left(target.control_plane_namespace, state)]


def errors_of(members: Iterable[Member]) -> str:
    """Return what is wrong, for instance ``etcd-0: the pod is Pending; etcd-1: there is no such pod``."""
    unhealthy = [f"{member.pod}: {member.error or 'it does not say why'}" for member in members if not member.healthy]
    return "; ".join(unhealthy) or "each member alone is healthy"


def _equipment(namespace: str, reachable: Sequence[Member]) -> Iterator[Refusal]:
    """Yield a refusal when no pod has what a snapshot needs: it is the same image in all of them."""
    pod = ObjectRef("Pod", reachable[0].pod, namespace)
    if not any(member.tools and member.tools.authority and member.tools.client for member in reachable):
        yield Refusal(
            "etcd-no-certificate",
            pod,
            "the pod has no certificates for a client of etcd",
            "neither where HyperShift since 4.12 keeps them (/etc/etcd/tls/etcd-ca and /etc/etcd/tls/client) nor where it did before",
            f"{errors_of(reachable)}; {_NOTHING}",
            "compare the pod's volumes with those of another hosted cluster: etcd-ca and etcd-client-tls, or what replaced them",
        )
    missing = next(filter(None, map(missing_tool, reachable)), "")
    if missing and all(map(missing_tool, reachable)):
        yield Refusal(
            "etcd-no-tool",
            pod,
            f"the pod has no {missing}",
            "a snapshot is saved with etcdctl, and looked into with etcdutl since etcd 3.6",
            f"neither is sought anywhere but in /usr/bin; {_NOTHING}",
            "use a release whose etcd image has them (all of OpenShift's do)",
        )


def _membership(namespace: str, replicas: int, state: EtcdState) -> Iterator[Refusal]:
    whole = ObjectRef("StatefulSet", ETCD, namespace)
    alarms = sorted({alarm for member in state.members for alarm in member.alarms})
    if alarms:
        yield Refusal(
            "etcd-alarm",
            whole,
            f"etcd has an alarm: {', '.join(alarms)}",
            "with NOSPACE it takes no writes, with CORRUPT a member's data differ from the others': a snapshot may hold what is wrong",
            _NOTHING,
            "NOSPACE: compact and defragment, then etcdctl alarm disarm. CORRUPT: replace that member",
        )
    answering = state.answering
    if not state.agreed:
        yield Refusal(
            "etcd-split",
            whole,
            "the etcd pods are not members of one cluster",
            "each answers from data of its own; HyperShift's restore of several replicas has done that (OCPBUGS-99534), and "
            "EtcdAvailable is True all the same",
            "; ".join(f"{member.pod}: member {member.member_id} of {_ids(member)} in cluster {member.cluster_id}" for member in answering),
            "find out which one the API servers wrote to last, and make one cluster of it (HyperShift's etcd recovery, quorum loss)",
        )
    elif answering and len(answering[0].member_ids) != replicas:
        yield Refusal(
            "etcd-member-count",
            whole,
            f"etcd has {len(answering[0].member_ids)} members, its StatefulSet {replicas} replicas",
            "a member that is none of the pods may be the one that the others follow, or one is missing",
            f"members: {_ids(answering[0])}; {_NOTHING}",
            "remove the member that is no pod's, or let the missing one join, then run again",
        )
    if answering and not any(member.leader_id for member in answering):
        yield Refusal(
            "etcd-no-leader",
            whole,
            "etcd has no leader",
            "without one nothing can be read for certain, and a member alone may be behind",
            f"{errors_of(state.members)}; {_NOTHING}",
            "wait for the election, or look at the logs of the etcd pods",
        )
    sound, quorum = sum(member.sound for member in state.members), replicas // 2 + 1
    if sound < quorum:
        yield Refusal(
            "etcd-no-quorum",
            whole,
            f"{sound} of {replicas} etcd members are healthy, {quorum} are needed",
            errors_of(member for member in state.members if not member.sound),
            _NOTHING,
            f"look at the logs of the pods (kubectl logs -n {namespace} POD -c etcd), then run again",
        )
    elif not alarms and not candidates(state):
        # Those that are healthy lack a program that others have: the image is just being changed.
        yield Refusal(
            "etcd-no-member",
            whole,
            "no healthy etcd member can take a snapshot",
            "; ".join(f"{member.pod}: {member.error or f'no {missing_tool(member)}'}" for member in state.members),
            _NOTHING,
            "wait until the StatefulSet's rollout has ended, then run again",
        )


def _place(namespace: str, state: EtcdState) -> Iterator[Refusal]:
    found = candidates(state)
    if not found or choose_member(state) is not None:
        return
    yield Refusal(
        "etcd-no-room",
        ObjectRef("Pod", found[0].pod, namespace),
        "there is no room for the snapshot in any etcd pod",
        "it is written there before it is streamed: etcdctl cannot write it to a pipe",
        "; ".join(f"{member.pod} {directory}: {_room(member, directory)}" for member in found for directory in PLACES),
        "remove old snapshots, defragment etcd, or enlarge its volume (spec.etcd.managed.storage of the HostedCluster)",
    )


def _room(member: Member, directory: str) -> str:
    needed, free = room_needed(member, directory), member.free.get(directory)
    return f"{needed} bytes are needed, " + ("it cannot be written" if free is None else f"{free} are free")


def _ids(member: Member) -> str:
    return ", ".join(member.member_ids) or "none"


def _down(namespace: str, replicas: int, state: EtcdState) -> Iterator[Finding]:
    for member in state.members:
        if not member.healthy and not member.alarms:
            yield Finding(
                "warning",
                "etcd-member-down",
                ObjectRef("Pod", member.pod, namespace),
                f"this etcd member is not healthy: {member.error}",
                f"a quorum of {replicas // 2 + 1} of {replicas} goes on without it; the snapshot is taken of another one",
                f"kubectl logs -n {namespace} {member.pod} -c etcd",
            )
    versions = sorted({member.version for member in state.answering})
    if len(versions) > 1:
        yield Finding(
            "warning",
            "etcd-versions-differ",
            ObjectRef("StatefulSet", ETCD, namespace),
            f"the etcd members have different versions: {', '.join(versions)}",
            "an upgrade of the control plane is under way, or has stopped in the middle",
            f"kubectl rollout status -n {namespace} statefulset/{ETCD}",
        )


def _left(namespace: str, state: EtcdState) -> Iterator[Finding]:
    for member in state.members:
        own = [path for path in member.leftovers if path.rpartition("/")[2].startswith(OWN_FILE)]
        foreign = [path for path in member.leftovers if path not in own]
        if foreign:
            yield Finding(
                "warning",
                "etcd-old-snapshot",
                ObjectRef("Pod", member.pod, namespace),
                f"there are old snapshots in the pod: {', '.join(foreign)}",
                "they take room, and they hold all secrets of the hosted cluster",
                f"kubectl exec -n {namespace} {member.pod} -c etcd -- rm {' '.join(foreign)}",
            )
        if own:
            # No command that removes it: it may be just being written.
            yield Finding(
                "warning",
                "etcd-backup-file",
                ObjectRef("Pod", member.pod, namespace),
                f"there is the file of a backup that runs now, or was killed: {', '.join(own)}",
                "it takes room, and it holds all secrets of the hosted cluster",
                "none while that backup runs; the next backup to the same dest removes that of one that was killed",
            )
