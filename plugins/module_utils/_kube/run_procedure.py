# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a procedure for a module: its Lease and record in the cluster, its permissions asked, its report as a result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.access import missing_permissions
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.coordination import (
    KubeLeaseStore,
    KubeRecordStore,
    coordination_permissions,
    holder_identity,
    object_name,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.lease import LeaseStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.procedure import Procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import RecordStore
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Controls, Report, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.table import plan_table

Observed = TypeVar("Observed")
# Fields that the server owns: they say nothing about what a step does.
_SERVER_OWNED = frozenset({"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"})


def run_procedure(
    module: LifecycleModule,
    procedure: Procedure[Observed],
    namespace: str,
    name: str,
    deadline: Deadline,
    *,
    approved: bool = True,
    kept: tuple[LeaseStore, RecordStore] | None = None,
) -> Report[Observed]:
    """Run ``procedure`` with its Lease and record in ``namespace``; ``name`` tells targets of one namespace apart.

    ``approved`` says that the option ``expected_plan_id``, if given, is about this procedure. ``kept`` is where Lease and record are
    when they are not in the cluster.
    """
    connection = module.connection
    coordination = object_name(procedure.name, name)
    lease, record = kept or (
        KubeLeaseStore(connection.api, namespace, coordination),
        KubeRecordStore(connection.api, namespace, coordination),
    )
    report = run(
        procedure,
        Controls(
            check=module.check_mode,
            holder=holder_identity(),
            deadline=deadline,
            lease=lease,
            record=record,
            missing=partial(missing_permissions, connection.api),
            own_permissions=() if kept else coordination_permissions(namespace),
            expected_plan_id=(module.params["expected_plan_id"] or "") if approved else "",
            parallel=module.params["max_parallel_requests"],
            progress=module.progress,
        ),
    )
    module.state_otherwise = f"{procedure.name} of {procedure.target} itself has ended well; only telling about it failed"
    return report


def procedure_result(module: LifecycleModule, report: Report[Any], started: float) -> dict[str, Any]:
    """Return the keys that the result of every mutating module has; ``started`` is the module's ``time.monotonic()``."""
    result: dict[str, Any] = {
        "changed": report.changed,
        "plan": report.plan.as_dict(),
        "plan_table": plan_table(report.plan),
        "steps": [outcome.as_dict() for outcome in report.outcomes],
        "findings": [finding.as_dict() for finding in report.findings],
        "duration": round(time.monotonic() - started, 3),
        "cluster": {"server": module.connection.server, "uid": module.connection.uid},
    }
    if module.diff_mode:
        result["diff"] = diffs(report, module.redactor)
    redacted = module.redactor.data(result)
    return dict(redacted) if isinstance(redacted, Mapping) else result


def diffs(report: Report[Any], redactor: Redactor) -> list[dict[str, str]]:
    """Return before and after of each object that a step touches, as YAML, without secrets and server-owned fields."""
    return [
        {
            "before_header": f"{step.object} (before)",
            "after_header": f"{step.object} (after)",
            "before": _yaml(step.before, redactor),
            "after": _yaml(step.after, redactor),
        }
        for step in report.plan.steps
        if step.before is not None or step.after is not None
    ]


def _yaml(value: Any, redactor: Redactor) -> str:
    import yaml

    return "" if value is None else str(yaml.safe_dump(redactor.data(_shown(value)), default_flow_style=False, sort_keys=True))


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown(item) for key, item in value.items() if key not in _SERVER_OWNED}
    return [_shown(item) for item in value] if isinstance(value, (list, tuple)) else value
