# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real etcd of a hosted cluster behind exec: read, judged, and copied out byte by byte; and what a broken stream looks like."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hosted.backend import Backend
from hosted.bed import Hosted
from hosted.etcd_image import Image
from hosted.shape import shape_of_size
from hosted.writing import Writer
from hosted_clusters import ManagementCluster
from restored_etcd import SHOP, live_keys, restored

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_reading import read_etcd
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_snapshot import (
    Snapshot,
    remove_snapshot,
    snapshot_stream,
    take_snapshot,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import (
    Choice,
    EtcdState,
    choose_member,
    etcd_findings,
    etcd_refusals,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection, connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import ExecCutOff, ExecNotRun, PodExec
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

PROD = shape_of_size("prod", 6)
SINGLE = shape_of_size("single", 1, pools=1, availability="SingleReplica")
MEBIBYTE = 1024 * 1024


class Caller(NamedTuple):
    params: dict[str, Any]
    tmpdir: str
    name: str = "hosted_cluster_backup"


def connection(kubeconfig: Path, directory: Path) -> Connection:
    directory.mkdir()
    return connect(Caller({"kubeconfig": str(kubeconfig)}, str(directory)), explicit=True)


class Etcd:
    """A hosted cluster's etcd, by way of the API server."""

    def __init__(self, hosted: Hosted, directory: Path) -> None:
        self.hosted = hosted
        self.connection = connection(hosted.bed.cluster.kubeconfig, directory / hosted.shape.name)
        self.pods = PodExec(self.connection)
        self.target = Target(hosted.shape.namespace, hosted.shape.name)
        self.namespace = hosted.shape.control_plane_namespace

    def state(self) -> EtcdState:
        return read_etcd(self.pods, read_inventory(self.connection.api, self.target), timeout=60)

    def refusals(self, state: EtcdState) -> list[str]:
        return [refusal.code for refusal in etcd_refusals(self.target, state.replicas, state)]

    def take(self, state: EtcdState, choice: Choice) -> Snapshot:
        return take_snapshot(self.pods, self.namespace, choice, state.tools, "run-1", Deadline(60))

    def remove(self, choice: Choice) -> None:
        remove_snapshot(self.pods, self.namespace, choice.pod, choice.directory, "run-1")

    def output(self, pod: str, *command: str) -> bytes:
        result = self.pods.run(self.namespace, pod, "etcd", command, timeout=60)
        assert result.exit_code == 0, result
        return result.stdout


@pytest.fixture
def prod(management_cluster: ManagementCluster, tmp_path: Path) -> Etcd:
    """Three members."""
    return Etcd(management_cluster.hosted(PROD, real=Image()), tmp_path)


@contextmanager
def silent(hosted: Hosted, name: str) -> Iterator[None]:
    """A kubelet's stand-in whose node is off, or behind a wall: the API server's connection is taken, and nothing comes back."""
    process = hosted.bed.cluster.process(hosted.real.component(name)).pid
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@contextmanager
def stopped(hosted: Hosted, *names: str) -> Iterator[None]:
    """Processes that are not there for a while."""
    try:
        for name in names:
            hosted.real.stop(name)
        yield
    finally:
        for name in names:
            hosted.real.resume(name)
        hosted.bed.wait("all members of etcd to answer again", partial(all_answer, hosted.real))


def all_answer(real: Backend, _writer: Writer) -> bool:
    """Whether clients may come to each member."""
    try:
        for member in real.members:
            socket.create_connection((real.address(member), 2379), timeout=5).close()
    except OSError:
        return False
    return True


def copied(etcd: Etcd, snapshot: Snapshot, directory: Path) -> tuple[int, str]:
    """Size and sha256 of what comes out of the pod, of which an etcd is made that has what the hosted cluster has."""
    path = directory / "etcd.db"
    with snapshot_stream(etcd.pods, etcd.namespace, snapshot, Deadline(60)) as pieces:
        path.write_bytes(b"".join(pieces))
    with restored(path) as keys:
        orders = keys(f"{SHOP}/")
    assert len(orders) == 20
    assert orders == live_keys(etcd.hosted.real)(f"{SHOP}/")
    return path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.timeout(240)
def test_three_members_are_one_cluster_and_one_of_them_gives_a_snapshot(prod: Etcd, tmp_path: Path) -> None:
    cluster = prod.hosted.bed.cluster
    mark = cluster.mark()
    state = prod.state()
    assert state.one_cluster
    assert (prod.refusals(state), etcd_findings(prod.target, 3, state)) == ([], [])
    assert [member.name for member in state.members] == ["etcd-0", "etcd-1", "etcd-2"]
    assert sum(member.leader for member in state.members) == 1
    assert not cluster.writes_since(mark)
    choice = choose_member(state)
    assert choice is not None
    assert not next(member.leader for member in state.members if member.pod == choice.pod)
    snapshot = prod.take(state, choice)
    assert snapshot.total_keys > 100
    assert snapshot.revision >= max(member.revision for member in state.members)
    assert copied(prod, snapshot, tmp_path) == (snapshot.size, snapshot.sha256)
    assert prod.state().leftovers == (f"{choice.pod}:/tmp/meshops-backup-run-1.db",)
    prod.remove(choice)
    # What is not there needs no removing.
    prod.remove(choice)
    assert prod.state().leftovers == ()


@pytest.mark.timeout(240)
def test_a_single_member_leads_and_gives_the_snapshot(management_cluster: ManagementCluster, tmp_path: Path) -> None:
    single = Etcd(management_cluster.hosted(SINGLE, real=Image()), tmp_path)
    state = single.state()
    assert (state.one_cluster, single.refusals(state)) == (True, [])
    choice = choose_member(state)
    assert choice == Choice("etcd-0", "/tmp")
    try:
        snapshot = single.take(state, choice)
        assert copied(single, snapshot, tmp_path) == (snapshot.size, snapshot.sha256)
    finally:
        single.remove(choice)


@pytest.mark.timeout(240)
def test_one_member_may_be_down_and_two_may_not(prod: Etcd) -> None:
    with silent(prod.hosted, "kwok-0"):
        state = prod.state()
        assert prod.refusals(state) == []
        (finding,) = [found for found in etcd_findings(prod.target, 3, state) if found.code != "etcd-versions-differ"]
        assert (finding.code, finding.object.name) == ("etcd-member-down", "etcd-0")
        assert "no answer within 10 s" in finding.what
        choice = choose_member(state)
        assert choice is not None
        assert choice.pod != "etcd-0"
    with stopped(prod.hosted, "etcd-0", "etcd-1"):
        state = prod.state()
        assert "etcd-no-quorum" in prod.refusals(state)
        assert "deadline exceeded" in state.members[0].error


@pytest.mark.timeout(240)
def test_an_alarm_is_seen_from_every_pod(prod: Etcd) -> None:
    prod.hosted.real.alarm(on=True)
    try:
        state = prod.state()
        assert prod.refusals(state) == ["etcd-alarm"]
        assert {member.alarms for member in state.members} == {("NOSPACE of etcd-0",)}
    finally:
        prod.hosted.real.alarm(on=False)
    assert prod.refusals(prod.state()) == []


@pytest.mark.timeout(240)
def test_an_older_image_and_a_small_tmp(prod: Etcd, tmp_path: Path) -> None:
    backend = prod.hosted.real.with_image(Image("old", etcdutl=False, tmp_size="64k"))
    try:
        state = prod.state()
        assert state.tools.authority == "/etc/etcd/tls/client/etcd-client-ca.crt"
        assert not state.tools.etcdutl
        # The server is still 3.6: only its programs are older. As a whole that image does not exist.
        older = EtcdState(tuple(member._replace(version="3.5.21") for member in state.members), 3)
        assert prod.refusals(older) == []
        choice = choose_member(older)
        assert choice is not None
        assert choice.directory == "/var/lib"
        snapshot = prod.take(older, choice)
        assert snapshot.total_keys > 100
        assert copied(prod, snapshot, tmp_path) == (snapshot.size, snapshot.sha256)
        prod.remove(choice)
        with pytest.raises(LifecycleError, match=r"cannot be taken: .*no space left on device"):
            prod.take(older, choice._replace(directory="/tmp"))
        prod.remove(choice._replace(directory="/tmp"))
        assert prod.output(choice.pod, "ls", "-A", "/tmp") == b""
    finally:
        backend.with_image(Image())


@pytest.mark.timeout(240)
def test_no_room_anywhere(prod: Etcd) -> None:
    backend = prod.hosted.real.with_image(Image(tmp_size="64k", data_size="1m"))
    try:
        state = prod.state()
        assert choose_member(state) is None
        (refusal,) = etcd_refusals(prod.target, 3, state)
        assert refusal.code == "etcd-no-room"
        assert "etcd-2 /tmp: " in refusal.state
        assert "65536 are free" in refusal.state
    finally:
        backend.with_image(Image())


@pytest.mark.timeout(240)
def test_a_stream_that_is_cut_off_is_an_error_and_not_a_short_file(prod: Etcd) -> None:
    prod.output("etcd-1", "dd", "if=/dev/zero", "of=/tmp/large", "bs=1M", "count=256")
    received: list[int] = []
    with prod.pods.stream(prod.namespace, "etcd-1", "etcd", ["cat", "/tmp/large"], timeout=120) as pieces:
        received.append(len(next(pieces)))
        # Asked to end it would tell that the command was killed.
        cluster = prod.hosted.bed.cluster
        os.kill(cluster.process(prod.hosted.real.component("kwok-1")).pid, signal.SIGKILL)
        with stopped(prod.hosted, "kwok-1"):
            # Protocol v5 would have ended with Success here.
            with pytest.raises(ExecCutOff):
                received.extend(map(len, pieces))
            with pytest.raises(ExecNotRun, match="error dialing backend"):
                prod.output("etcd-1", "true")
    assert sum(received) < 256 * MEBIBYTE


RBAC = "rbac.authorization.k8s.io"


def grant(prod: Etcd, user: str, verbs: Sequence[str]) -> PodExec:
    """Somebody who has these verbs of pods/exec in the control-plane namespace and nothing else."""
    metadata = {"name": user}
    role = {"metadata": metadata, "rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": list(verbs)}]}
    reference = {"apiGroup": RBAC, "kind": "Role", "name": user}
    binding = {"metadata": metadata, "roleRef": reference, "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}]}
    with prod.hosted.bed.writer() as writer:
        for plural, kind, body in (("roles", "Role", role), ("rolebindings", "RoleBinding", binding)):
            whole = {"apiVersion": f"{RBAC}/v1", "kind": kind, **body}
            writer.request("POST", f"/apis/{RBAC}/v1/namespaces/{prod.namespace}/{plural}", whole)
    kubeconfig = prod.hosted.bed.cluster.kubeconfig_for(user)
    return PodExec(connection(kubeconfig, Path(prod.connection.kubeconfig_path).parent / user))


def may(prod: Etcd, pods: PodExec) -> bool:
    """Whether a command can be run."""
    try:
        return pods.run(prod.namespace, "etcd-0", "etcd", ["true"], timeout=60).exit_code == 0
    except Forbidden:
        return False


@pytest.mark.timeout(240)
def test_which_permissions_a_web_socket_needs(prod: Etcd) -> None:
    users = {"exec-create": ["create"], "exec-get": ["get"], "exec-both": ["get", "create"]}
    try:
        pods = {user: grant(prod, user, verbs) for user, verbs in users.items()}
        # The API server learns of the last one after the others.
        prod.hosted.bed.wait("the permission to count", lambda _writer: may(prod, pods["exec-both"]))
        # From 1.35 on create is asked for, too (kubernetes PR 134577).
        older = int(prod.connection.version.split(".")[1]) < 35
        assert may(prod, pods["exec-get"]) == older
        with pytest.raises(Forbidden) as refused:
            pods["exec-create"].run(prod.namespace, "etcd-0", "etcd", ["true"], timeout=60)
        assert refused.value.missing == f"get pods/exec in namespace {prod.namespace}"
        assert refused.value.next.startswith("grant exec-create the permissions get and create of pods/exec")
    finally:
        with prod.hosted.bed.writer() as writer:
            for user in users:
                for plural in ("rolebindings", "roles"):
                    writer.request("DELETE", f"/apis/{RBAC}/v1/namespaces/{prod.namespace}/{plural}/{user}")
