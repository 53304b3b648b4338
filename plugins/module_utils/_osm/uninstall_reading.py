# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading everything that an uninstallation decides by: few paged lists, read concurrently, reduced while they are read."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Observed
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact, Inventory, Subject, UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_attribution import attribute
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_contents import content
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_enrolment import enrolled_namespaces
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_sidecars import read_sidecars
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_subject import find_subject
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_survey import UninstallSurvey
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_templates import read_templates
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.record import Record
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_facts import Scope
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_plan import RefreshPlan


def read_inventory(api: Api, request: UninstallRequest, record: Record | None) -> Inventory:
    """Read the cluster and say what of it is whose; ``record`` is of a run that was not finished.

    Number of requests: those of ``survey`` (whether the family was ever here or not), 9 more lists, one for each definition of the family,
    3 by name, those of the removal of sidecars, and with ``delete_namespace`` one for each kind that the namespace may hold. Raises
    KubeError, and Refused when it is not clear which mesh is meant.
    """
    memory = record.merge_base if record is not None else {}
    reading = UninstallSurvey(api)
    name = request.mesh_name or request.confirm or str(memory.get("name") or "")
    found = reading.read(name or None)
    subject = find_subject(found, reading.traces(), request, memory)
    observed = _with_mesh_of(found, subject)
    traces = reading.complete(observed, subject, request)
    scope, sidecars, templates = _data_plane(api, observed, subject, request)
    enrolled = enrolled_namespaces(observed, subject) if subject is not None else ()
    artefacts = attribute(observed, traces, subject, enrolled, templates)
    facts = observed.namespaces.get(subject.namespace) if subject is not None else None
    return Inventory(
        observed=observed,
        request=request,
        subject=subject,
        artefacts=artefacts,
        enrolled=enrolled,
        scope=scope,
        sidecars=sidecars,
        content=content(traces.held, artefacts, subject, request) if subject is not None else (),
        namespace_exists=facts is not None,
        namespace_terminating=facts is not None and facts.terminating,
        unread={**observed.unknown, **reading.unread},
    )


def _data_plane(
    api: Api, observed: Observed, subject: Subject | None, request: UninstallRequest
) -> tuple[Scope, RefreshPlan | None, tuple[Artefact, ...]]:
    if subject is None:
        return Scope(), None, ()
    scope, plan = read_sidecars(api, observed, subject, request)
    return scope, plan, read_templates(api, observed, subject, scope)


def _with_mesh_of(observed: Observed, subject: Subject | None) -> Observed:
    """Return the observation with the subject's own mesh in it: what tells no name of its own has got the one that was meant."""
    mesh = subject.mesh if subject is not None else None
    if mesh is None or any(mesh is each for each in observed.meshes):
        return observed
    key = (mesh.namespace, mesh.product.name_prefix)
    meshes = (mesh if (each.namespace, each.product.name_prefix) == key else each for each in observed.meshes)
    return replace(observed, meshes=tuple(meshes))
