# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reader of a backup's plan or result should know. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.bucket import bucket_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.presign import url_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import etcd_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import OPERATOR_NAMESPACE, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_findings import quiesce_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def backup_findings(state: BackupState) -> list[Finding]:
    """Return what is worth knowing before a backup."""
    inventory = state.inventory
    found = [*state.collected.findings]
    if inventory.etcd is not None:
        found += etcd_findings(inventory.target, replicas_of(inventory.etcd), state.etcd)
    found += [_unread(what, why) for what, why in sorted(state.management.unreadable.items())]
    found += bucket_findings(state.bucket)
    found += url_findings(state.url_length, ObjectRef("Bucket", state.request.bucket))
    if state.quiesce is not None:
        found += quiesce_findings(state.quiesce)
    if not state.request.key_file:
        found.append(_in_clear(state.request.dest))
    return found


def left_stopped(target: Target, commands: Sequence[str]) -> Finding:
    """Say that the cluster stays stopped, and how it is brought back."""
    return Finding(
        "warning",
        "left-stopped",
        target.ref,
        f"{target.ref} is stopped and stays so: its API does not answer, and nothing looks after its machines; its workers go on",
        "what is restored elsewhere from this set is only true as long as nothing changes here",
        f"restore it on the other management cluster; or bring it back with: {'; '.join(commands)}",
    )


def _unread(what: str, why: str) -> Finding:
    return Finding(
        "warning",
        "not-readable",
        ObjectRef("Namespace", OPERATOR_NAMESPACE),
        f"{what} could not be read: {why}",
        "the operator and its ConfigMap name the bucket of identity documents, which all the world may read and no snapshot may be in; "
        "external-dns names the owner of the DNS records, which the index then does not have",
        "grant the permission (the module's documentation has the ClusterRole)",
    )


def _in_clear(dest: str) -> Finding:
    return Finding(
        "warning",
        "set-not-encrypted",
        ObjectRef("Directory", dest),
        "the set has Secrets in clear",
        "they are private to the user of this machine, and to whoever gets hold of its disk or of its backups",
        "give encryption.key_file",
    )
