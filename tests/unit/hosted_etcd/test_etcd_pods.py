# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which commands are run in which pod, and what becomes of answers that are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_commands import FILES, ROOM
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_reading import READ_ONLY, read_etcd
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_snapshot import (
    Snapshot,
    remove_snapshot,
    snapshot_path,
    snapshot_stream,
    take_snapshot,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import Choice, Tools, etcd_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Call, Forbidden, KubeError, Unreachable
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import ExecCutOff, ExecResult, ExecUnanswered, PodExec
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

from .test_etcd_answers import LISTING, MEMBERS, STATUS, TABLE

CALL = Call("run", "`x`", "/", "https://api")
TOOLS = Tools("/etc/etcd/tls/etcd-ca/ca.crt", client=True, etcdctl=True, etcdutl=True)
Answer = ExecResult | KubeError
GOOD: Mapping[str, Answer] = {
    "ls": ExecResult(LISTING, "ls: cannot access", 2),
    "df": ExecResult(TABLE, "", 0),
    "endpoint status": ExecResult(STATUS, "", 0),
    "endpoint health": ExecResult(b'[{"health":true}]', "", 0),
    "member list": ExecResult(MEMBERS, "", 0),
    "alarm list": ExecResult(b"{}", "", 0),
    "snapshot save": ExecResult(b"", "", 0),
    "snapshot status": ExecResult(b'{"hash":1,"revision":2,"totalKey":3,"totalSize":4,"version":"3.6.0"}', "", 0),
    "sha256sum": ExecResult(b"ab" * 32 + b"  /tmp/x\n", "", 0),
    "stat": ExecResult(b"36\n", "", 0),
    "rm": ExecResult(b"", "", 0),
}


class Pods(PodExec):
    """Answers by what is asked; ``asked`` has all commands."""

    def __init__(self, changes: Mapping[str, Answer] | None = None, by_pod: Mapping[str, Answer] | None = None) -> None:
        self.answers = {**GOOD, **(changes or {})}
        self.by_pod = by_pod or {}
        self.asked: list[tuple[str, list[str], bool]] = []
        self.patience: set[float] = set()

    def run(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        timeout: float,
        repeatable: bool = False,
        handshake: float = 60.0,
    ) -> ExecResult:
        assert (namespace, container, timeout > 0) == ("clusters-prod", "etcd", True)
        self.asked.append((pod, list(command), repeatable))
        self.patience.add(handshake)
        text = " ".join(command)
        answer = self.by_pod.get(pod) or next(answer for key, answer in self.answers.items() if key in text.split() or f" {key}" in text)
        if isinstance(answer, KubeError):
            raise answer
        return answer


def pod(number: int, phase: str = "Running", **state: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "etcd", "securityContext": {"readOnlyRootFilesystem": True}}]}
    statuses = [{"name": "etcd-metrics", "state": {"waiting": {}}}, {"name": "etcd", "state": state or {"running": {}}}]
    return {"metadata": {"name": f"etcd-{number}"}, "spec": spec, "status": {"phase": phase, "containerStatuses": statuses}}


def inventory(*pods: dict[str, Any], replicas: int | None = 3) -> Inventory:
    sets = () if replicas is None else ({"metadata": {"name": "etcd"}, "spec": {"replicas": replicas}},)
    return Inventory(Target("clusters", "prod"), {}, stateful_sets=sets, pods=pods)


def test_only_what_is_listed_is_run_to_read() -> None:
    pods = Pods()
    found = read_etcd(pods, inventory(pod(0), replicas=1), timeout=30)
    (member,) = found.members
    assert (member.healthy, member.name, member.version, member.error) == (True, "etcd-0", "3.6.16", "")
    # /tmp is on the root there, which is read-only.
    assert member.free == {"/tmp": 0, "/var/lib": 8170504192}
    tails = [tuple(value) for value in READ_ONLY.values()]
    assert len(pods.asked) == len(READ_ONLY)
    # hosted_cluster_info gives all of etcd 20 s, and API servers wait 30 s for a node that is off.
    assert max(pods.patience) <= 10
    for _pod, command, repeatable in pods.asked:
        assert any(tuple(command[-len(tail) :]) == tail for tail in tails), command
        assert command[:2] == ["env", "ETCDCTL_API=3"] or tuple(command) in (FILES, ROOM)
        assert repeatable
        assert [part for part in command if part.startswith("--endpoints")] in ([], ["--endpoints=https://localhost:2379"])


def test_pods_that_cannot_be_asked_are_not() -> None:
    pods = Pods()
    waiting = pod(1, waiting={"reason": "CrashLoopBackOff"})
    found = read_etcd(pods, inventory(pod(0, "Pending"), waiting), timeout=30)
    assert [member.error for member in found.members] == [
        "the pod is Pending",
        "its container is waiting (CrashLoopBackOff)",
        "there is no such pod",
    ]
    assert pods.asked == []


@pytest.mark.parametrize("sets", [inventory(replicas=None), inventory(replicas=0)])
def test_without_an_etcd_nothing_is_asked(sets: Inventory) -> None:
    found = read_etcd(Pods(), sets, timeout=30)
    assert (found.members, found.replicas) == ((), 0)


def test_a_pod_that_does_not_answer_is_one_member() -> None:
    pods = Pods(by_pod={"etcd-1": ExecCutOff(CALL, message="the connection broke")})
    found = read_etcd(pods, inventory(pod(0), pod(1), pod(2)), timeout=30)
    assert [member.error for member in found.members] == ["", "the connection broke", ""]
    assert found.members[1].tools is None


def test_a_pod_whose_node_is_off_is_one_member() -> None:
    lost = Unreachable(CALL, reason="the answer was lost: timed out", uncertain=True)
    found = read_etcd(Pods(by_pod={"etcd-2": lost}), inventory(pod(0), pod(1), pod(2)), timeout=30)
    assert [member.error for member in found.members] == ["", "", "the answer was lost: timed out"]
    whole = inventory(pod(0), pod(1), pod(2))
    nothing = read_etcd(Pods({"ls": ExecUnanswered(CALL, message="no answer within 10 s", uncertain=True)}), whole, timeout=30)
    (refusal,) = etcd_refusals(whole.target, 3, nothing)
    assert refusal.code == "etcd-unreachable"
    assert "etcd-1: no answer within 10 s" in refusal.why


FAILURES: list[tuple[str, Answer, str]] = [
    ("ls", ExecResult(b"", "exec: ls: executable file not found", 127), "ls: exec: ls: executable file not found"),
    (
        "endpoint status",
        ExecResult(b"", '{"level":"warn"}\nError: context deadline exceeded', 1),
        "endpoint status: context deadline exceeded",
    ),
    ("endpoint status", ExecResult(b"nonsense", "", 0), "not JSON: nonsense"),
    ("endpoint health", ExecResult(b'[{"health":false,"error":"unhealthy"}]', "Error: unhealthy cluster", 1), "unhealthy"),
    ("endpoint health", ExecResult(b"", "Error: it fell over", 1), "it fell over"),
    ("alarm list", ExecResult(b"", "", 3), "alarm list: exit code 3"),
]


@pytest.mark.parametrize(("question", "answer", "error"), FAILURES)
def test_a_member_that_fails_says_why(question: str, answer: Answer, error: str) -> None:
    (member,) = read_etcd(Pods({question: answer}), inventory(pod(0), replicas=1), timeout=30).members
    assert (member.healthy, member.error) == (False, error)


@pytest.mark.parametrize("kind", [Forbidden, Unreachable])
def test_what_no_pod_is_to_blame_for_is_raised(kind: type[KubeError]) -> None:
    with pytest.raises(kind):
        read_etcd(Pods({"ls": kind(CALL)}), inventory(pod(0)), timeout=30)


def test_a_snapshot_is_saved_once_and_measured() -> None:
    pods = Pods()
    snapshot = take_snapshot(pods, "clusters-prod", Choice("etcd-2", "/tmp"), TOOLS, "prod-1", Deadline(100))
    assert snapshot == ("etcd-2", "/tmp/meshops-backup-prod-1.db", 36, "ab" * 32, 1, 2, 3, 4, "3.6.0")
    saves = [(command, repeatable) for _pod, command, repeatable in pods.asked if "save" in command]
    ((command, repeatable),) = saves
    assert not repeatable
    assert command[-3:] == ["snapshot", "save", "/tmp/meshops-backup-prod-1.db"]
    assert [part for part in command if part.startswith("--endpoints")] == ["--endpoints=https://localhost:2379"]
    assert {name for name, _command, _repeatable in pods.asked} == {"etcd-2"}
    assert any(command[:3] == ["/usr/bin/etcdutl", "snapshot", "status"] for _pod, command, _repeatable in pods.asked)


def test_the_older_program_looks_into_it_too() -> None:
    pods = Pods()
    take_snapshot(pods, "clusters-prod", Choice("etcd-2", "/tmp"), TOOLS._replace(etcdutl=False), "prod-1", Deadline(100))
    assert any(command[2:5] == ["/usr/bin/etcdctl", "snapshot", "status"] for _pod, command, _repeatable in pods.asked)


NOT_A_SNAPSHOT: list[tuple[str, Answer, str]] = [
    ("snapshot save", ExecResult(b"", "Error: write /tmp/x: no space left on device", 1), "cannot be taken: write /tmp/x: no space left"),
    ("snapshot save", ExecCutOff(CALL, message="the connection broke"), "the connection broke"),
    (
        "snapshot status",
        ExecResult(b"", "Error: snapshot file integrity check failed", 1),
        "cannot be looked into: snapshot file integrity",
    ),
    ("snapshot status", ExecResult(b"who knows", "", 0), "not JSON: who knows"),
    ("snapshot status", ExecResult(b'{"totalKey":0,"totalSize":4}', "", 0), "0 keys"),
    ("stat", ExecResult(b"0\n", "", 0), "in 0 bytes"),
    ("stat", ExecResult(b"", "", 0), "cannot be measured"),
    ("sha256sum", ExecResult(b"", "", 0), "cannot be measured"),
    ("sha256sum", ExecResult(b"", "no such program", 127), "ended with exit code 127"),
]


@pytest.mark.parametrize(("command", "answer", "text"), NOT_A_SNAPSHOT)
def test_what_is_no_snapshot_is_an_error(command: str, answer: Answer, text: str) -> None:
    with pytest.raises(LifecycleError, match=text):
        take_snapshot(Pods({command: answer}), "clusters-prod", Choice("etcd-2", "/tmp"), TOOLS, "prod-1", Deadline(100))


@pytest.mark.parametrize(("pieces", "whole"), [([b"ab", b"c"], True), ([b"ab"], False), ([b"abcd"], False)])
def test_a_stream_of_another_size_is_an_error(pieces: list[bytes], whole: bool) -> None:
    class Streams(Pods):
        @contextmanager
        def stream(self, *arguments: Any, **_options: Any) -> Iterator[Iterator[bytes]]:
            assert arguments == ("clusters-prod", "etcd-2", "etcd", ["cat", "/tmp/x"])
            yield iter(pieces)

    snapshot = Snapshot("etcd-2", "/tmp/x", 3, "", 1, 2, 3, 4, "")
    found: list[bytes] = []
    expected = nullcontext() if whole else pytest.raises(LifecycleError, match="of its 3 bytes came out")
    with expected, snapshot_stream(Streams(), "clusters-prod", snapshot, Deadline(9)) as stream:
        found.extend(stream)
    assert found == pieces


def test_removing_removes_two_names_and_no_others() -> None:
    pods = Pods()
    remove_snapshot(pods, "clusters-prod", "etcd-1", "/var/lib", "prod-1")
    path = "/var/lib/meshops-backup-prod-1.db"
    assert pods.asked == [("etcd-1", ["rm", "-f", path, f"{path}.part"], True)]
    with pytest.raises(LifecycleError, match="cannot be removed: Read-only file system"):
        remove_snapshot(Pods({"rm": ExecResult(b"", "Read-only file system", 1)}), "clusters-prod", "etcd-1", "/tmp", "prod-1")


@pytest.mark.parametrize(
    ("directory", "run_id"), [("/var/lib/data", "a"), ("/", "a"), ("/tmp", "../x"), ("/tmp", ""), ("/tmp", "a b"), ("/tmp", "-rf")]
)
def test_no_other_place_and_no_other_name(directory: str, run_id: str) -> None:
    with pytest.raises(ValueError, match="not a place and a run id"):
        snapshot_path(directory, run_id)


def test_what_the_pod_is_ended_for_is_no_room() -> None:
    table = b"File 1B-blocks Avail Type Mounted on\n/tmp 1000 900 xfs /tmp\n/var/lib 1000 900 xfs /var/lib\n"
    limited = pod(0)
    limited["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {"sizeLimit": "300"}}]
    limited["spec"]["containers"][0]["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]
    (member,) = read_etcd(Pods({"df": ExecResult(table, "", 0)}), inventory(limited, replicas=1), timeout=30).members
    assert member.free == {"/tmp": 300, "/var/lib": 900}
