# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of a snapshot from an etcd pod to the bucket, and what is left in both places when a run was killed on that way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.objects import stored
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.unfinished import abort_uploads
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.upload import Uploaded, upload_stream
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_snapshot import (
    Snapshot,
    remove_snapshot,
    snapshot_stream,
    take_snapshot,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import Choice, Tools
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import DeadRun
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import PodExec
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted, LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress

_MEBIBYTE = 1024 * 1024


class Copied(NamedTuple):
    """A snapshot, and where it went; ``finding`` tells when its temporary file could not be removed."""

    snapshot: Snapshot
    uploaded: Uploaded
    finding: Finding | None

    def as_dict(self) -> dict[str, Any]:
        """Return what index and result carry."""
        return {
            "bucket": self.uploaded.bucket,
            "key": self.uploaded.key,
            "version_id": self.uploaded.version_id,
            "size": self.snapshot.size,
            "sha256": self.snapshot.sha256,
            "checksum": self.uploaded.checksum,
            "parts": self.uploaded.parts,
            "pod": self.snapshot.pod,
            "etcd_version": self.snapshot.version,
            "hash": self.snapshot.hash,
            "revision": self.snapshot.revision,
            "total_keys": self.snapshot.total_keys,
            "total_size": self.snapshot.total_size,
        }


class SnapshotCopier:
    """Copies snapshots of the pods of one control-plane namespace."""

    def __init__(self, pods: PodExec, aws: Aws, namespace: str, deadline: Deadline, progress: Progress) -> None:
        self._pods, self._aws, self._namespace = pods, aws, namespace
        self._deadline, self._progress = deadline, progress
        # What could not be removed after a failure: then the journal of this run must stay for the next one.
        self.in_pod: Finding | None = None
        self.in_bucket = False
        # Whether the snapshot is in the bucket although its copy failed, when what was to prove it went wrong; None: not known.
        self.stored: bool | None = False

    @property
    def left(self) -> bool:
        """Whether something of this run is outside of its directory that the next run has to remove."""
        return self.in_pod is not None or self.in_bucket

    def copy(self, choice: Choice, tools: Tools, run_id: str, bucket: str, key: str, *, kms_key_id: str, default_encryption: str) -> Copied:
        """Take a snapshot, stream it to the bucket and remove it from the pod; raises LifecycleError when any of that fails.

        What could not be removed after a failure is for the next run: the journal of this one knows of it.
        """
        self._progress.line(f"snapshot: {choice.pod} writes it to {choice.directory}")
        try:
            snapshot = take_snapshot(self._pods, self._namespace, choice, tools, run_id, self._deadline)
            self.in_bucket = True
            with snapshot_stream(self._pods, self._namespace, snapshot, self._deadline) as chunks:
                uploaded = upload_stream(
                    self._aws,
                    self._in_time(chunks),
                    bucket,
                    key,
                    sha256=snapshot.sha256,
                    size=snapshot.size,
                    kms_key_id=kms_key_id,
                    default_encryption=default_encryption,
                    on_bytes=_Told(self._progress, snapshot.size),
                )
            self.in_bucket = False
        finally:
            self.in_pod = self._remove(choice, run_id)
            self.in_bucket = self.in_bucket and not self._taken_back(bucket, key)
        return Copied(snapshot, uploaded, self.in_pod)

    def _taken_back(self, bucket: str, key: str) -> bool:
        """Return whether what is left of an upload that failed is known: credentials that have ended cannot remove its parts."""
        self.stored = None
        try:
            abort_uploads(self._aws, bucket, key)
            self.stored = stored(self._aws, bucket, key) is not None
        except LifecycleError:
            return False
        return True

    def _in_time(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._deadline.expired:
                raise Interrupted(
                    f"The timeout of {self._deadline.seconds:g} s is over in the middle of the snapshot",
                    object=ObjectRef("Namespace", self._namespace),
                    state="nothing is in the bucket, and no set was made",
                    next="run the same command again with a larger timeout",
                )
            yield chunk

    def _remove(self, choice: Choice, run_id: str) -> Finding | None:
        """Remove the temporary file; a backup that has ended well does not fail for it."""
        try:
            remove_snapshot(self._pods, self._namespace, choice.pod, choice.directory, run_id)
        except LifecycleError as error:
            return _left_in_pod(ObjectRef("Pod", choice.pod, self._namespace), choice.directory, run_id, error)
        return None

    def clear(self, run: DeadRun) -> tuple[list[Finding], bool]:
        """Remove what a killed run has left in a pod and in a bucket, as far as its journal says that it came so far.

        Returns what is left all the same, and whether a later run has to try again: no backup fails for it. A snapshot that was
        stored in full stays and is told: to delete it would need a permission that a backup is better off without.
        """
        noted, found = run.noted, []
        if noted.get("pod"):
            pod, directory = ObjectRef("Pod", str(noted["pod"]), str(noted["namespace"])), str(noted["directory"])
            try:
                remove_snapshot(self._pods, pod.namespace, pod.name, directory, run.run_id)
            except NotFound:
                # The pod is gone, and an emptyDir with it; what is on a volume is found by etcd_reading's look at leftovers.
                pass
            except LifecycleError as error:
                found.append(_left_in_pod(pod, directory, run.run_id, error))
        again = bool(found)
        if noted.get("bucket"):
            bucket, key = str(noted["bucket"]), str(noted["key"])
            try:
                abort_uploads(self._aws, bucket, key)
                if not run.finished and stored(self._aws, bucket, key) is not None:
                    found.append(without_set(bucket, key))
            except LifecycleError as error:
                found.append(_parts_left(bucket, key, error))
                again = True
        return found, again


def _left_in_pod(pod: ObjectRef, directory: str, run_id: str, error: LifecycleError) -> Finding:
    return Finding(
        "warning",
        "snapshot-left-in-pod",
        pod,
        f"the temporary file of run {run_id} in {directory} could not be removed: {error}",
        "it takes room, and it has all secrets of the hosted cluster",
        f"kubectl exec -n {pod.namespace} {pod.name} -c etcd -- rm -f {directory}/meshops-backup-{run_id}.db",
    )


def _parts_left(bucket: str, key: str, error: LifecycleError) -> Finding:
    return Finding(
        "warning",
        "upload-left-in-bucket",
        ObjectRef("Object", f"s3://{bucket}/{key}"),
        f"whether parts of an upload that was not completed are left there could not be found out: {error}",
        "they cost money until somebody removes them",
        f"aws s3api list-multipart-uploads --bucket {bucket} --prefix {key} shows them",
    )


def without_set(bucket: str, key: str, *, certain: bool = True) -> Finding:
    """Tell of a snapshot that no set knows of; not ``certain``: it may be there, and who has run this could not look."""
    return Finding(
        "warning",
        "snapshot-without-set",
        ObjectRef("Object", f"s3://{bucket}/{key}"),
        "a run that ended early has stored this snapshot, and no set knows of it"
        if certain
        else "a run that ended early may have stored this snapshot, which no set knows of: whether it is there could not be found out",
        "it has all secrets of the hosted cluster, it costs, and it is of no use without the objects",
        f"aws s3 rm s3://{bucket}/{key}, or let a lifecycle rule of the bucket expire it",
    )


def _told_line(done: int, size: int) -> str:
    return f"snapshot: {done // _MEBIBYTE} of {size // _MEBIBYTE} MiB are in the bucket"


class _Told:
    """Counts bytes for the progress; called by the SDK's threads."""

    def __init__(self, progress: Progress, size: int) -> None:
        self._progress, self._size, self._done, self._shown = progress, size, 0, 0

    def __call__(self, number: int) -> None:
        self._done += number
        if self._done - self._shown >= self._size // 20 or self._done >= self._size:
            self._shown = self._done
            self._progress.line(_told_line(self._done, self._size))
