# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot of a hosted cluster restored with etcd's own programs into an etcd that nobody else knows, and read there."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from backup_cases import Backups
from failures import Result
from hosted.backend import Backend
from sandboxlib import binaries, processes
from sandboxlib.loopback import free_port

# Of the API servers of OpenShift (``--etcd-prefix``).
ROOT = "/kubernetes.io"
SHOP = f"{ROOT}/configmaps/shop"
# What etcdutl calls what the index has.
_STATUS = {"hash": "hash", "revision": "revision", "total_keys": "totalKey", "total_size": "totalSize", "etcd_version": "version"}
_SECONDS = 60.0


class Stored(NamedTuple):
    """What etcd has under a key: in which revision it was written, and the bytes (an object of Kubernetes, in protobuf)."""

    revision: int
    value: bytes


Keys = Callable[[str], dict[str, Stored]]


def restorable(backups: Backups, result: Result, directory: Path, *same: str) -> dict[str, Stored]:
    """Assert that the snapshot in the bucket is the one of the index, and that etcd makes of it what the hosted cluster still has
    below the paths ``same``, the orders of its shop among them; return all that the restored etcd has of Kubernetes."""
    told, snapshot = result["index"]["snapshot"], directory / "etcd.db"
    directory.mkdir()
    snapshot.write_bytes(backups.aws.client("s3").get_object(Bucket=told["bucket"], Key=told["key"])["Body"].read())
    assert hashlib.sha256(snapshot.read_bytes()).hexdigest() == told["sha256"]
    status = status_of(snapshot)
    assert {name: status[theirs] for name, theirs in _STATUS.items()} == {name: told[name] for name in _STATUS}
    with restored(snapshot) as keys:
        found = keys(ROOT)
    live = live_keys(backups.hosted.real)
    for path in same:
        assert {key: stored for key, stored in found.items() if key.startswith(path)} == live(path)
    orders = [stored.value for key, stored in found.items() if key.startswith(f"{SHOP}/order-")]
    assert len(orders) == 20
    assert all(backups.hosted.shape.annotated.encode() in value for value in orders)
    return found


def live_keys(real: Backend) -> Keys:
    """Return what reads all keys below a path of the hosted cluster's own etcd."""

    def below(path: str) -> dict[str, Stored]:
        return _read(http.client.HTTPSConnection(real.etcd_address, context=real.etcd_context(), timeout=30), path)

    return below


@contextmanager
def restored(snapshot: Path) -> Iterator[Keys]:
    """Restore a snapshot, as etcd-init.sh does it, and start an etcd with it; give what reads all keys below a path of it."""
    data, log = snapshot.with_name("restored"), snapshot.with_name("restored.log")
    client, peer = free_port(), f"http://127.0.0.1:{free_port()}"
    joined = ["--name=restored", f"--data-dir={data}", f"--initial-cluster=restored={peer}", f"--initial-advertise-peer-urls={peer}"]
    _etcdutl("snapshot", "restore", str(snapshot), *joined)
    address = f"http://127.0.0.1:{client}"
    listening = [f"--listen-client-urls={address}", f"--advertise-client-urls={address}", f"--listen-peer-urls={peer}"]
    argv = [str(binaries.binary("etcd")), *joined, *listening, "--unsafe-no-fsync", "--log-level=warn"]
    process = processes.start(argv, log, snapshot.with_name("restored.pid"))

    def below(path: str) -> dict[str, Stored]:
        return _read(http.client.HTTPConnection("127.0.0.1", client, timeout=30), path)

    try:
        deadline = time.monotonic() + _SECONDS
        while not _answers(below):
            assert (process.alive, time.monotonic() < deadline) == (True, True), processes.log_tail(log)
            time.sleep(0.05)
        yield below
    finally:
        processes.stop([process])


def status_of(snapshot: Path) -> Mapping[str, Any]:
    """Return what etcdutl says of a snapshot: ``hash``, ``revision``, ``totalKey``, ``totalSize``, ``version``."""
    found: dict[str, Any] = json.loads(_etcdutl("snapshot", "status", str(snapshot), "--write-out=json"))
    return found


def _etcdutl(*arguments: str) -> str:
    done = subprocess.run([binaries.binary("etcdutl"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def _answers(below: Keys) -> bool:
    try:
        below(ROOT)
    except (OSError, http.client.HTTPException, _NotYet):
        return False
    return True


class _NotYet(AssertionError):
    """An etcd that does not answer the question."""


def _read(connection: http.client.HTTPConnection, path: str) -> dict[str, Stored]:
    first = path.encode()
    last = first[:-1] + bytes([first[-1] + 1])
    body = {"key": b64encode(first).decode(), "range_end": b64encode(last).decode()}
    try:
        connection.request("POST", "/v3/kv/range", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise _NotYet(content)
    found = json.loads(content).get("kvs", [])
    return {b64decode(item["key"]).decode(): Stored(int(item["mod_revision"]), b64decode(item["value"])) for item in found}
