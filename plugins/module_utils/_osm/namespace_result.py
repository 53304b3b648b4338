# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What M(meshops.lifecycle.mesh_namespace) tells its caller."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_plan import CREATE, PATCH, after_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_pods import pods_to_restart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_state import Enrolment, NamespacesState, not_yet
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Report
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.step import Step


def namespace_result(mesh: Mesh, report: Report[NamespacesState]) -> dict[str, Any]:
    """Return one row per namespace, and the whole in a few words."""
    state, product = report.observed, mesh.product
    done = {outcome.id for outcome in report.outcomes if outcome.outcome in ("done", "would_do")}
    written = {step.object.name for step in report.plan.steps if step.id in done}
    about = {step.object.name: step for step in report.plan.steps if step.action in (CREATE, PATCH)}
    after = {name: after_of(state, name) for name in state.targets}
    restart = None
    if state.pods is not None:
        restart = pods_to_restart(state.pods, {name: item.facts() for name, item in after.items()}, mesh)
    rows = []
    for name in state.targets:
        step, now = about.get(name), state.namespaces.get(name, not_yet(name))
        rows.append(
            {
                "name": name,
                "changed": name in written,
                "created": step is not None and step.action == CREATE and name in written,
                "before": (_before(step, product) if step is not None else now.enrolment(product))._asdict(),
                "after": after[name].enrolment(product)._asdict(),
                "pods_to_restart": None if restart is None else restart[name],
            }
        )
    return {
        "namespaces": rows,
        "summary": {
            "mesh": mesh.name,
            "namespace": mesh.namespace,
            "product": product.id,
            "state": state.request.state,
            "namespaces": len(rows),
            "changed": len(written),
            "pods_to_restart": None if restart is None else restart.total(),
        },
    }


def _before(step: Step, product: Product) -> Enrolment:
    metadata = (step.before or {}).get("metadata") or {}
    return not_yet("")._replace(labels=metadata.get("labels") or {}, annotations=metadata.get("annotations") or {}).enrolment(product)
