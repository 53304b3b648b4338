# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One snapshot of one etcd member: written in its pod, looked into, streamed out, and removed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import etcd_answers
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_commands import CONTAINER, etcdctl, snapshot_status
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import OWN_FILE, PLACES, Choice, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import PodExec
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REMOVE_SECONDS = 60.0


class Snapshot(NamedTuple):
    """A snapshot in a pod. ``sha256`` and ``size`` are the file's, the rest is what etcd's own program says of it."""

    pod: str
    path: str
    size: int
    sha256: str
    hash: int
    revision: int
    total_keys: int
    total_size: int
    version: str


def snapshot_path(directory: str, run_id: str) -> str:
    """Return the name of a run's file. Raises ValueError for what must never be in a command that removes files."""
    if directory not in PLACES or not _RUN_ID.fullmatch(run_id):
        raise ValueError(f"{directory}, {run_id}: not a place and a run id for a snapshot")
    return f"{directory}/{OWN_FILE}{run_id}.db"


def take_snapshot(pods: PodExec, namespace: str, choice: Choice, tools: Tools, run_id: str, deadline: Deadline) -> Snapshot:
    """Write a snapshot of the pod's own member, and return what it is when it is whole.

    Raises LifecycleError when it could not be written or has nothing in it; what is left is for ``remove_snapshot``.
    """
    path = snapshot_path(choice.directory, run_id)
    runner = _Runner(pods, namespace, choice.pod, path, deadline)
    # It ends by itself before this does, so that nothing goes on writing in the pod.
    runner.output("taken", etcdctl(tools, ["snapshot", "save", path], deadline.remaining() - 1), repeatable=False)
    try:
        status = etcd_answers.snapshot(runner.output("looked into", snapshot_status(tools, path)))
    except etcd_answers.NotUnderstood as error:
        raise runner.error("looked into", str(error)) from error
    sha256 = runner.output("measured", ["sha256sum", path]).split(maxsplit=1)[:1]
    size = runner.output("measured", ["stat", "--format=%s", path]).strip()
    digest = sha256[0].decode("ascii", "replace") if sha256 else ""
    if not _SHA256.fullmatch(digest) or not size.isdigit():
        raise runner.error("measured", f"sha256sum says {digest[:80]!r}, stat {size[:80].decode('ascii', 'replace')!r}")
    if not int(size) or not status["totalKey"] or not status["totalSize"]:
        raise runner.error("used", f"it has {status['totalKey']} keys in {int(size)} bytes")
    return Snapshot(
        choice.pod,
        path,
        int(size),
        digest,
        status["hash"],
        status["revision"],
        status["totalKey"],
        status["totalSize"],
        status["version"],
    )


@contextmanager
def snapshot_stream(pods: PodExec, namespace: str, snapshot: Snapshot, deadline: Deadline) -> Iterator[Iterator[bytes]]:
    """Give the snapshot's content in pieces; taking the last one raises LifecycleError unless all of it came."""
    command = ["cat", snapshot.path]
    with pods.stream(namespace, snapshot.pod, CONTAINER, command, timeout=deadline.remaining(), repeatable=True) as pieces:
        yield _complete(pieces, snapshot, _Runner(pods, namespace, snapshot.pod, snapshot.path, deadline))


def _complete(pieces: Iterator[bytes], snapshot: Snapshot, runner: _Runner) -> Iterator[bytes]:
    """Yield the pieces, which must be as much as the file; a gateway before the API server may call a broken stream a good one."""
    size = 0
    for piece in pieces:
        size += len(piece)
        yield piece
    if size != snapshot.size:
        raise runner.error("copied", f"{size} of its {snapshot.size} bytes came out of the pod")


def remove_snapshot(pods: PodExec, namespace: str, pod: str, directory: str, run_id: str) -> None:
    """Remove a run's file, also one that is not finished, and nothing else; fine when there is none. Raises LifecycleError."""
    path = snapshot_path(directory, run_id)
    runner = _Runner(pods, namespace, pod, path, Deadline(_REMOVE_SECONDS))
    # etcdctl writes to the second one first (etcd client/v3/snapshot/v3_snapshot.go).
    runner.output("removed", ["rm", "-f", path, f"{path}.part"])


class _Runner:
    """Runs the commands of one snapshot."""

    def __init__(self, pods: PodExec, namespace: str, pod: str, path: str, deadline: Deadline) -> None:
        self._pods, self._namespace, self._pod, self._path, self._deadline = pods, namespace, pod, path, deadline

    def output(self, what: str, command: Sequence[str], *, repeatable: bool = True) -> bytes:
        """Return the output of a command; raises LifecycleError, that the snapshot cannot be ``what``, when it fails."""
        seconds = self._deadline.remaining()
        result = self._pods.run(self._namespace, self._pod, CONTAINER, command, timeout=seconds, repeatable=repeatable)
        if result.exit_code:
            said = etcd_answers.complaint(result.stderr) or "it does not say why"
            raise self.error(what, f"{said} ({os.path.basename(_program(command))} ended with exit code {result.exit_code})")
        return result.stdout

    def error(self, what: str, why: str) -> LifecycleError:
        """Return the error that the snapshot cannot be ``what``."""
        return LifecycleError(
            f"The snapshot of {self._pod} cannot be {what}",
            object=ObjectRef("Pod", self._pod, self._namespace),
            why=why,
            state=f"{self._path} may be in the pod until it is removed; nothing is in the bucket",
            next="look at the etcd pod and the room in it, then run again",
        )


def _program(command: Sequence[str]) -> str:
    """Return the program that ``env`` runs, or the command's own."""
    return next(part for part in command if part != "env" and "=" not in part)
