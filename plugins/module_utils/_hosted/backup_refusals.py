# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a backup must not begin, all reasons at once. Pure."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.bucket import bucket_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_state import BackupState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import etcd_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import mapping, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_refusals import inventory_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import issuer_bucket
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_refusals import quiesce_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal


def backup_refusals(state: BackupState) -> list[Refusal]:
    """Return them: the cluster's, its etcd's, the bucket's, the directory's, and where the cluster is to be stopped those of that."""
    inventory = state.inventory
    found = [*inventory_refusals(inventory), *state.missing]
    # Without the StatefulSet nothing can be said of its members; that it is missing is among the refusals already.
    if inventory.etcd is not None:
        found += etcd_refusals(inventory.target, replicas_of(inventory.etcd), state.etcd)
    region = str(mapping(inventory.spec, "platform", "aws").get("region") or "")
    documents = (*state.management.oidc_bucket_names, issuer_bucket(str(inventory.spec.get("issuerURL") or "")))
    found += bucket_refusals(state.bucket, region, documents)
    found += state.destination
    if state.request.quiesce:
        found += quiesce_refusals(inventory)
    return found
