# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What etcd's programs and coreutils say, as it was seen, read as data; anything else is told, not guessed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import etcd_answers
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_answers import Health, NotUnderstood, Status
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import Tools

STATUS = (
    b'[{"Endpoint":"https://localhost:2379","Status":{"header":{"cluster_id":10587483374742879301,"member_id":17777188831557792554,'
    b'"revision":237,"raft_term":2},"version":"3.6.16","dbSize":286720,"leader":3770239922447829015,"raftIndex":251,"raftTerm":2,'
    b'"raftAppliedIndex":251,"dbSizeInUse":266240,"storageVersion":"3.6.0","dbSizeQuota":8589934592,"downgradeInfo":{}}}]\n'
)
MEMBERS = (
    b'{"header":{"cluster_id":10587483374742879301,"member_id":17777188831557792554,"raft_term":2},"members":[{"ID":3770239922447829015,'
    b'"name":"etcd-1","peerURLs":["https://127.84.130.2:2380"]},{"ID":17777188831557792554,"name":"etcd-0"},{"ID":12}]}\n'
)
LISTING = b"""/etc/etcd/tls/client/etcd-client.crt
/etc/etcd/tls/client/etcd-client.key
/etc/etcd/tls/etcd-ca/ca.crt
/usr/bin/etcdctl

/tmp:
meshops-backup-prod-1.db.part
other
snapshots/

/var/lib:
data/
snapshot.db

/var/lib/data:
member/
snapshot.db
"""


def test_what_there_is_in_a_pod() -> None:
    tools, snapshots = etcd_answers.files(LISTING)
    assert tools == Tools(authority="/etc/etcd/tls/etcd-ca/ca.crt", client=True, etcdctl=True, etcdutl=False)
    assert snapshots == ("/tmp/meshops-backup-prod-1.db.part", "/var/lib/snapshot.db", "/var/lib/data/snapshot.db")


def test_an_older_pod() -> None:
    listing = LISTING.replace(b"/etc/etcd/tls/etcd-ca/ca.crt", b"/etc/etcd/tls/client/etcd-client-ca.crt")
    assert etcd_answers.files(listing)[0].authority == "/etc/etcd/tls/client/etcd-client-ca.crt"


def test_a_pod_without_anything() -> None:
    assert etcd_answers.files(b"/tmp:\n\n/var/lib:\ndata/\n") == (Tools("", client=False, etcdctl=False, etcdutl=False), ())


def test_without_the_key_there_is_no_client() -> None:
    assert not etcd_answers.files(LISTING.replace(b"/etc/etcd/tls/client/etcd-client.key\n", b""))[0].client


TABLE = b"""File        1B-blocks      Avail Type    Mounted on
/tmp     107374182400 8589934592 tmpfs   /
/var/lib  16777216000 8170504192 ext4    /var/lib
"""


def test_free_room() -> None:
    assert etcd_answers.room(TABLE, read_only_root=False) == {"/tmp": 8589934592, "/var/lib": 8170504192}
    assert etcd_answers.room(TABLE, read_only_root=True) == {"/tmp": 0, "/var/lib": 8170504192}
    missing = b"df: /tmp: No such file or directory\nFile 1B-blocks Avail Type Mounted on\n/var/lib 9 5 ext4 /\n"
    assert etcd_answers.room(missing, read_only_root=False) == {"/var/lib": 5}


def test_a_disk_of_the_node_is_not_filled_until_its_pods_are_evicted() -> None:
    table = b"/tmp 100000 %d xfs /tmp\n/var/lib 100000 20 xfs /var/lib\n"
    assert etcd_answers.room(table % 40000, read_only_root=True) == {"/tmp": 25000, "/var/lib": 20}
    assert etcd_answers.room(table % 15000, read_only_root=True)["/tmp"] == 0
    assert etcd_answers.room(table % 9, read_only_root=True)["/tmp"] == 0


def test_the_status_of_a_member() -> None:
    assert etcd_answers.status(STATUS) == Status("f6b5430e020b332a", "92ee4c08d0e73c45", "3452953bdf7fc817", "3.6.16", 237, 286720, 266240)
    without = json.loads(STATUS)
    del without[0]["Status"]["leader"]
    assert etcd_answers.status(json.dumps(without).encode()).leader_id == ""


def test_members_by_their_ids() -> None:
    assert etcd_answers.members(MEMBERS) == {"3452953bdf7fc817": "etcd-1", "f6b5430e020b332a": "etcd-0", "c": ""}


def test_health() -> None:
    assert etcd_answers.health(b'[{"endpoint":"https://localhost:2379","health":true,"took":"9.6ms"}]') == Health(healthy=True, error="")
    found = etcd_answers.health(b'[{"endpoint":"x","health":false,"took":"10s","error":"context deadline exceeded"}]')
    assert found == Health(healthy=False, error="context deadline exceeded")


def test_alarms() -> None:
    names = {"f6b5430e020b332a": "etcd-0"}
    answer = b'{"header":{},"alarms":[{"memberID":17777188831557792554,"alarm":1},{"memberID":12,"alarm":2},{"memberID":12,"alarm":9}]}'
    assert etcd_answers.alarms(answer, names) == ("NOSPACE of etcd-0", "CORRUPT of c", "UNKNOWN of c")
    assert etcd_answers.alarms(b'{"header":{"revision":237}}', names) == ()


def test_a_snapshot_of_either_program() -> None:
    newer = etcd_answers.snapshot(b'{"hash":3693744704,"revision":352,"totalKey":215,"totalSize":405504,"version":"3.6.0"}')
    assert newer == {"hash": 3693744704, "revision": 352, "totalKey": 215, "totalSize": 405504, "version": "3.6.0"}
    assert etcd_answers.snapshot(b'{"hash":1,"revision":2,"totalKey":3,"totalSize":4}')["version"] == ""


SCALARS = st.none() | st.integers() | st.text(max_size=5)
NESTED = (SCALARS | st.lists(SCALARS, max_size=2) | st.lists(st.lists(SCALARS, max_size=2), max_size=2)).map(json.dumps).map(str.encode)
READERS: list[Callable[[bytes], object]] = [
    etcd_answers.status,
    etcd_answers.health,
    etcd_answers.members,
    etcd_answers.snapshot,
]


@pytest.mark.parametrize("reader", READERS)
@given(answer=st.binary(max_size=30) | NESTED)
@settings(max_examples=40)
def test_anything_else_is_not_understood(reader: Callable[[bytes], object], answer: bytes) -> None:
    with pytest.raises(NotUnderstood):
        reader(answer)


def test_what_etcdctl_complains_about() -> None:
    stderr = '{"level":"warn","msg":"unrecognized"}\ncontext: some\nError: write /tmp/x.db.part: no space left on device\n'
    assert etcd_answers.complaint(stderr) == "write /tmp/x.db.part: no space left on device"
    assert etcd_answers.complaint('{"level":"warn"}\n') == ""
