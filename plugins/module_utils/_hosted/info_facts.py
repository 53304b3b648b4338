# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read about one hosted cluster: on its management cluster, in its etcd pods, in itself, and at AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import EtcdState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_names import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import Management

ETCD, NODES, INSTANCES, DNS = "etcd", "nodes", "instances", "dns"
PARTS = (ETCD, NODES, INSTANCES, DNS)


@dataclass(frozen=True)
class Facts:
    """``etcd``, ``nodes``, ``instances`` and ``records`` are None where nobody asked for them, or where ``unread`` says why not."""

    inventory: Inventory
    management: Management
    etcd: EtcdState | None = None
    nodes: tuple[dict[str, Any], ...] | None = None
    instances: Mapping[str, str] | None = None
    records: tuple[Record, ...] | None = None
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> Mapping[str, bool]:
        """Which of PARTS were read."""
        found = (self.etcd, self.nodes, self.instances, self.records)
        return {part: value is not None for part, value in zip(PARTS, found, strict=True)}
