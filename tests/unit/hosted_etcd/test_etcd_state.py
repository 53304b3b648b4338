# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a snapshot is refused, what is only told, and which member it is taken of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import (
    NO_TOOLS,
    PLACES,
    RESERVES,
    Choice,
    EtcdState,
    Member,
    Tools,
    choose_member,
    etcd_findings,
    etcd_refusals,
    room_needed,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target

GIB = 1 << 30
TARGET = Target("clusters", "prod.eu")
TOOLS = Tools("/etc/etcd/tls/etcd-ca/ca.crt", client=True, etcdctl=True, etcdutl=True)
IDS = ("a", "b", "c")


def member(number: int, ids: tuple[str, ...] = IDS, **changes: Any) -> Member:
    """A healthy member; the first one of three leads."""
    healthy = Member(
        f"etcd-{number}",
        member_id=ids[number % len(ids)],
        name=f"etcd-{number}",
        version="3.6.16",
        db_size=GIB,
        db_in_use=GIB,
        revision=10,
        leader=number == 0,
        healthy=True,
        member_ids=ids,
        cluster_id="d",
        leader_id=ids[0],
        tools=TOOLS,
        free={"/tmp": 8 * GIB, "/var/lib": 8 * GIB},
    )
    return healthy._replace(**changes)


def state(*members: Member, replicas: int = 3) -> EtcdState:
    return EtcdState(members, replicas)


def down(number: int, error: str = "the pod is Pending") -> Member:
    return Member(f"etcd-{number}", error=error)


def codes(found: EtcdState) -> list[str]:
    return [refusal.code for refusal in etcd_refusals(TARGET, found.replicas, found)]


def test_three_healthy_members() -> None:
    found = state(member(0), member(1), member(2))
    assert codes(found) == []
    assert etcd_findings(TARGET, 3, found) == []
    assert found.one_cluster
    assert choose_member(found) == Choice("etcd-1", "/tmp")
    assert (found.tools, found.free["/tmp"]) == (TOOLS, 8 * GIB)


def test_one_member_is_its_own_leader() -> None:
    found = state(member(0, ("a",)), replicas=1)
    assert (codes(found), found.one_cluster, choose_member(found)) == ([], True, Choice("etcd-0", "/tmp"))


def test_one_of_three_may_be_down() -> None:
    found = state(member(0), down(1), member(2))
    assert codes(found) == []
    assert not found.one_cluster
    assert choose_member(found) == Choice("etcd-2", "/tmp")
    (finding,) = etcd_findings(TARGET, 3, found)
    assert (finding.severity, finding.code, str(finding.object)) == ("warning", "etcd-member-down", "Pod clusters-prod-eu/etcd-1")
    assert "the pod is Pending" in finding.what


def test_the_leader_when_nobody_else_is_left() -> None:
    assert choose_member(state(member(0), down(1), member(2, healthy=False, error="x"))) == Choice("etcd-0", "/tmp")


def test_two_of_three_may_not() -> None:
    found = state(member(0), down(1), down(2, "there is no such pod"))
    (refusal,) = etcd_refusals(TARGET, 3, found)
    assert refusal.code == "etcd-no-quorum"
    assert refusal.what == "1 of 3 etcd members are healthy, 2 are needed"
    assert refusal.why == "etcd-1: the pod is Pending; etcd-2: there is no such pod"


def alarmed(number: int, alarm: str) -> Member:
    return member(number, healthy=False, error="Active Alarm(s): NOSPACE", alarms=(alarm,))


@pytest.mark.parametrize("alarm", ["NOSPACE of etcd-0", "CORRUPT of etcd-1"])
def test_an_alarm_is_the_one_reason(alarm: str) -> None:
    (refusal,) = etcd_refusals(TARGET, 3, state(*(alarmed(number, alarm) for number in range(3))))
    assert refusal.code == "etcd-alarm"
    assert alarm in refusal.what


def test_no_leader() -> None:
    found = state(*(member(number, healthy=False, error="no leader", leader=False, leader_id="") for number in range(3)))
    assert codes(found) == ["etcd-no-leader", "etcd-no-quorum"]


SPLITS = {
    "each its own cluster": [member(number, (IDS[number],), cluster_id=f"c{number}", leader=True) for number in range(3)],
    # A restore without --name and --initial-cluster: even the ids are the same.
    "each the same cluster of one": [member(number, ("a",), leader=True) for number in range(3)],
    "one has left": [member(0), member(1), member(2, ("c",), cluster_id="other")],
    "one knows others": [member(0), member(1), member(2)._replace(member_ids=("a", "b", "e"))],
    "one is in no list": [member(0), member(1), member(2)._replace(member_id="e")],
}


@pytest.mark.parametrize("members", SPLITS.values(), ids=SPLITS)
def test_pods_that_are_not_one_cluster(members: list[Member]) -> None:
    found = state(*members)
    assert "etcd-split" in codes(found)
    assert not found.one_cluster


@pytest.mark.parametrize("ids", [("a", "b"), ("a", "b", "c", "d")])
def test_more_or_fewer_members_than_pods(ids: tuple[str, ...]) -> None:
    members = [member(number, ids) for number in range(min(3, len(ids)))]
    found = state(*members, *(down(number) for number in range(len(members), 3)))
    assert "etcd-member-count" in codes(found)
    assert not found.one_cluster


def test_no_etcd_of_hypershift() -> None:
    assert codes(state(replicas=0)) == ["etcd-not-there"]
    assert etcd_refusals(TARGET, 0, state(down(0)))[0].code == "etcd-not-there"


def test_nobody_answers() -> None:
    (refusal,) = etcd_refusals(TARGET, 3, state(down(0), down(1), down(2)))
    assert (refusal.code, refusal.why.count("the pod is Pending")) == ("etcd-unreachable", 3)


def test_pods_without_certificates_or_programs() -> None:
    def without(**changes: Any) -> EtcdState:
        return state(*(Member(f"etcd-{number}", error="…", tools=TOOLS._replace(**changes)) for number in range(3)))

    assert codes(without(authority="")) == ["etcd-no-certificate"]
    assert codes(without(client=False)) == ["etcd-no-certificate"]
    assert codes(without(etcdctl=False)) == ["etcd-no-tool"]
    assert codes(state(*(Member(f"etcd-{number}", error="…", tools=NO_TOOLS) for number in range(3)))) == [
        "etcd-no-certificate",
        "etcd-no-tool",
    ]


def test_etcdutl_is_needed_since_the_other_lacks_the_command() -> None:
    bare = TOOLS._replace(etcdutl=False)
    assert codes(state(*(member(number, tools=bare) for number in range(3)))) == ["etcd-no-tool"]
    assert codes(state(*(member(number, tools=bare, version="3.5.21") for number in range(3)))) == []
    # In the middle of an upgrade a member with the program is taken.
    mixed = state(member(0, tools=bare), member(1, tools=bare), member(2))
    assert (codes(mixed), choose_member(mixed)) == ([], Choice("etcd-2", "/tmp"))


def test_room_is_sought_in_both_directories_of_every_healthy_member() -> None:
    full = {"/tmp": 0, "/var/lib": 0}
    assert choose_member(state(member(0), member(1, free={**full, "/var/lib": 2 * GIB}), member(2))) == Choice("etcd-1", "/var/lib")
    assert choose_member(state(member(0), member(1, free=full), member(2, free={}))) == Choice("etcd-0", "/tmp")
    (refusal,) = etcd_refusals(TARGET, 3, state(*(member(number, free={"/tmp": 7}) for number in range(3))))
    assert refusal.code == "etcd-no-room"
    needed = GIB * 11 // 10 + RESERVES["/tmp"]
    assert f"etcd-1 /tmp: {needed} bytes are needed, 7 are free" in refusal.state
    assert "etcd-1 /var/lib" in refusal.state
    assert "it cannot be written" in refusal.state


def test_old_snapshots_and_unequal_versions_are_told() -> None:
    found = state(member(0), member(1, leftovers=("/tmp/a.db", "/var/lib/data/snapshot.db")), member(2, version="3.5.21"))
    assert codes(found) == []
    assert [finding.code for finding in etcd_findings(TARGET, 3, found)] == ["etcd-versions-differ", "etcd-old-snapshot"]
    assert found.leftovers == ("etcd-1:/tmp/a.db", "etcd-1:/var/lib/data/snapshot.db")
    assert etcd_findings(TARGET, 3, found)[1].remedy.endswith("rm /tmp/a.db /var/lib/data/snapshot.db")


def test_the_file_of_a_backup_that_may_be_running_is_nothing_to_remove() -> None:
    own = ("/tmp/meshops-backup-prod-1.db.part", "/var/lib/meshops-backup-prod-0.db")
    findings = etcd_findings(TARGET, 3, state(member(0), member(1, leftovers=(own[0], "/tmp/snapshot.db", own[1])), member(2)))
    assert [(finding.code, finding.remedy.rpartition(" rm ")[2]) for finding in findings[:1]] == [("etcd-old-snapshot", "/tmp/snapshot.db")]
    (finding,) = findings[1:]
    assert finding.code == "etcd-backup-file"
    assert ", ".join(own) in finding.what
    assert " rm " not in finding.remedy
    only = etcd_findings(TARGET, 3, state(member(0, leftovers=own[:1]), member(1), member(2)))
    assert [finding.code for finding in only] == ["etcd-backup-file"]


MEMBERS = st.builds(
    member,
    st.integers(min_value=0, max_value=2),
    st.sampled_from([IDS, ("a",), ("a", "b")]),
    healthy=st.booleans(),
    error=st.sampled_from(["", "Active Alarm(s): NOSPACE", "timeout"]),
    alarms=st.sampled_from([(), (), ("NOSPACE of etcd-0",)]),
    leader_id=st.sampled_from(["a", ""]),
    tools=st.sampled_from([TOOLS, TOOLS._replace(etcdutl=False), TOOLS._replace(etcdctl=False), NO_TOOLS, None]),
    version=st.sampled_from(["3.6.16", "3.5.21", "", "x"]),
    free=st.dictionaries(st.sampled_from(PLACES), st.integers(min_value=0, max_value=4 * GIB)),
    member_id=st.sampled_from(["a", "b", "c", ""]),
)


@given(st.lists(MEMBERS, max_size=3), st.integers(min_value=0, max_value=3))
def test_either_there_is_a_place_for_the_snapshot_or_a_reason_why_not(members: list[Member], replicas: int) -> None:
    found = EtcdState(tuple(members), replicas)
    refusals = etcd_refusals(TARGET, replicas, found)
    choice = choose_member(found)
    assert choice is not None or refusals
    assert all(part for refusal in refusals for part in (refusal.what, refusal.why, refusal.state, refusal.next))
    if choice is not None and not refusals:
        chosen = next(item for item in members if item.pod == choice.pod and item.healthy)
        assert chosen.free[choice.directory] >= room_needed(chosen, choice.directory)
        assert found.agreed
        assert not any(item.alarms for item in members)
