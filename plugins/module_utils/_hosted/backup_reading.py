# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that a backup decides on is read here, side by side where it can be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.bucket import read_bucket
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.presign import url_length
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import Aws
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_request import BackupRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.collecting import Collected, collected
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.contents_reading import read_contents
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_reading import read_etcd
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import read_management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_destination import destination_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import dead_runs
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import files_of, needed_bytes
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import PodExec

_EXEC_SECONDS = 30.0
# HyperShift asks for the snapshot with a link that is valid for at most so long (SigV4).
_WEEK = 7 * 24 * 3600


class BackupReader:
    """``run_id`` is this run's, for the length of its key."""

    def __init__(self, connection: Connection, aws: Aws, request: BackupRequest, run_id: str) -> None:
        self._connection, self._aws, self._request, self._run_id = connection, aws, request, run_id
        self.pods = PodExec(connection)

    def read(self) -> BackupState:
        """Read everything. Raises LifecycleError for what cannot be read at all; what is wrong with it is in the refusals."""
        request = self._request
        # The bucket is somebody else's API: it is asked while the cluster is.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="aws") as beside:
            bucket = beside.submit(read_bucket, self._aws, request.bucket)
            inventory = self.read_inventory()
            management = read_management(self._connection.api)
            etcd = self.read_etcd(inventory)
            state = self._with_contents(BackupState(request, inventory, management, etcd, bucket.result(), Collected((), (), (), (), ())))
        length = url_length(self._aws, request.bucket, request.key(self._run_id), _WEEK) if state.bucket.region else 0
        # In a directory that is refused nothing is looked for.
        runs = dead_runs(request.dest) if not state.destination else []
        # A hosted cluster of that name may be on another management cluster, too; what its run has left is there.
        here = self._connection.uid
        own = tuple(run for run in runs if run.is_of(request.target) and run.noted.get("cluster", here) == here)
        return replace(state, url_length=length, dead=own)

    def read_etcd(self, inventory: Inventory) -> EtcdState:
        """Ask the members again."""
        return read_etcd(self.pods, inventory, timeout=_EXEC_SECONDS)

    def read_inventory(self) -> Inventory:
        """Read the objects again, without what they refer to."""
        return read_inventory(self._connection.api, self._request.target)

    def read_again(self, state: BackupState) -> BackupState:
        """Read the objects again; etcd, bucket and settings are as they were."""
        return self._with_contents(replace(state, inventory=self.read_inventory()))

    def _with_contents(self, state: BackupState) -> BackupState:
        contents = read_contents(self._connection.api, state.inventory)
        whole = collected(state.inventory, contents)
        files = files_of(whole.items)
        destination = destination_refusals(self._request.dest, needed_bytes(files), len(files))
        return replace(state, collected=whole, files=files, missing=tuple(contents.refusals), destination=tuple(destination))
