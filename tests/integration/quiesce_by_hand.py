# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stop a hosted cluster without a backup or a module around it, in this process or (to be killed) in one of its own.

There is no Lease and no record of a plan: what is on the HostedCluster alone must be enough to go on from.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hosted_api import open_hosted_api
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.nothing_kept import NoLease, NoRecord
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_apply import Quiesce
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_findings import quiesce_findings, stopped_findings
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_marker import MarkerReader
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_plan import QuiesceState
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_refusals import quiesce_refusals
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.access import missing_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Controls, Report, run

NAME = "east"


@dataclass(frozen=True)
class _Caller:
    params: Mapping[str, Any]
    tmpdir: str
    name: str = "quiesce_by_hand"


def stop(
    kubeconfig: str, namespace: str, name: str, *, run_id: str = "run-1", check: bool = False, stop_timeout: float = 60.0
) -> Report[QuiesceState]:
    """Stop the hosted cluster and return the report, or raise LifecycleError; the management cluster is called ``NAME``."""
    target = Target(namespace, name)
    with tempfile.TemporaryDirectory() as directory:
        api = connect(_Caller({"kubeconfig": kubeconfig, "request_timeout": 20}, directory), explicit=True).api
        first = read_inventory(api, target)

        def open_api() -> Api:
            return open_hosted_api(api, first.hosted_cluster, target, directory, name="quiesce_by_hand").api

        marker = MarkerReader(open_api)

        def observe(_record: object) -> QuiesceState:
            inventory = read_inventory(api, target)
            return QuiesceState(inventory, marker.read(inventory), run_id, "2026-11-21T23:15:00Z", NAME)

        deadline = Deadline(200)
        quiesce = Quiesce(api, first, marker, deadline=deadline, stop_timeout=stop_timeout, progress=Progress())
        procedure = Procedure(
            name="quiesce",
            target=target.annotated,
            observe=observe,
            phases=quiesce.phases(_same),
            verify=lambda state: () if check else stopped_findings(state.inventory),
            refuse=lambda state: quiesce_refusals(state.inventory),
            findings=quiesce_findings,
            settle=partial(quiesce.wait_until_stopped, _no_guard),
        )
        missing = partial(missing_permissions, api)
        return run(procedure, Controls(check, "by-hand", deadline, NoLease(), NoRecord(), missing))


def _same(state: QuiesceState) -> QuiesceState:
    return state


def _no_guard() -> None:
    """Nobody else may come in between here."""


def start(kubeconfig: str, namespace: str, name: str, **options: Any) -> subprocess.Popen[str]:
    """Start the same in a process of its own."""
    arguments = {"kubeconfig": kubeconfig, "namespace": namespace, "name": name, **options}
    return subprocess.Popen([sys.executable, __file__, json.dumps(arguments)], text=True, stderr=subprocess.PIPE)


if __name__ == "__main__":
    stop(**json.loads(sys.argv[1]))
