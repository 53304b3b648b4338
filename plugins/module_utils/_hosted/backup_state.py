# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that a backup decides on, as it was read."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.bucket import BucketState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_request import BackupRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.collecting import Collected
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import QuiesceState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_journal import DeadRun
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_objects import NewFile
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal


@dataclass(frozen=True)
class BackupState:
    """``files`` are those of the ``collected`` objects, made once: that takes longer than collecting them.

    ``missing`` refuses what the cluster refers to and has not got, ``destination`` a directory that is not fit for a set of this size.

    ``url_length`` is that of the address that a restore would use (0: not known). ``dead`` are runs of this hosted cluster into the
    same directory that were killed. ``quiesce`` is what stopping the cluster depends on, None in an online backup.
    """

    request: BackupRequest
    inventory: Inventory
    management: Management
    etcd: EtcdState
    bucket: BucketState
    collected: Collected
    files: tuple[NewFile, ...] = ()
    missing: tuple[Refusal, ...] = ()
    destination: tuple[Refusal, ...] = ()
    url_length: int = 0
    dead: tuple[DeadRun, ...] = ()
    quiesce: QuiesceState | None = None
