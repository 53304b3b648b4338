#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_upgrade
short_description: Upgrade one service mesh of the OSM family on one cluster
version_added: 0.1.0
author:
  - meshops contributors (@meshops)
description:
  - Upgrades the control plane of a mesh (osm-edge, Open Service Mesh, FSM) through its Helm release, completes the persisted
    MeshConfig, and proves the outcome.
  - The whole upgrade is one call. It reads the cluster, renders the target chart, shows a plan, applies it in phases, and verifies.
  - An upgrade that was killed is finished by running the same task again.
options:
  mesh_name:
    description:
      - Name of the mesh (C(osm.meshName)), which may differ from the name of its Helm release.
      - May be left out when the cluster has exactly one mesh.
    type: str
  mesh_namespace:
    description:
      - Namespace of the control plane. Only needed when two meshes have the same name.
    type: str
  chart_ref:
    description:
      - The chart to upgrade to. A chart's name in O(chart_repo), the path of a directory or C(.tgz) archive on the host that runs the
        module, an C(oci://) reference, or C(alias/chart) of a repository that C(helm) knows there.
      - The default is the published chart of the product that the mesh belongs to.
    type: str
  chart_repo:
    description:
      - URL of the chart repository. The default is the repository of the product that the mesh belongs to.
      - Not used when O(chart_ref) is a path, an C(oci://) reference or C(alias/chart).
    type: str
  chart_version:
    description:
      - Version of the chart, for instance V(1.3.9). Required unless O(chart_ref) is a directory or an archive, whose version is then used.
      - An upgrade goes from one minor version to the next at most. V(1.3.9) for a mesh at 1.1 is refused, naming the version to stop at.
    type: str
  values:
    description:
      - Chart values for this and later upgrades, merged over those of O(values_files).
      - Not for secrets, because they are shown in the plan and the diff (keys that are named like a secret are masked). Put those into
        a file and name it in O(values_files).
      - Values that only reach the preset of the MeshConfig (for instance C(osm.enableEgress)) have no effect on an existing mesh; they
        are translated to a change of the MeshConfig, which the plan shows.
    type: dict
    default: {}
  values_files:
    description:
      - Paths of YAML files with chart values on the host that runs the module. Later ones win.
    type: list
    elements: path
    default: []
  values_policy:
    description:
      - What becomes of the values that earlier releases were given.
      - In every case C(osm.meshName) and the other values that the installer sets are pinned, because the chart's defaults would rename
        the mesh.
    type: str
    choices:
      reset_then_reuse: The new chart's defaults, then the values users gave to the current release, then those of this task.
      reset: The new chart's defaults, then the values of this task.
      reuse: Everything of the current release including its defaults, then the values of this task.
    default: reset_then_reuse
  mesh_config:
    description:
      - Partial C(spec) of the MeshConfig that is to hold after the upgrade. It wins over its completion and over
        O(values).
      - This is how a default that the new chart changed is taken over on an existing mesh, for instance C(traffic.enableEgress).
    type: dict
    default: {}
  mesh_config_policy:
    description:
      - What becomes of the MeshConfig, which Helm does not manage.
    type: str
    choices:
      merge: >-
        Fields that the new version has and the MeshConfig lacks are added from the chart's preset, and a sidecar image that is still the
        default of another release becomes the new default. Nothing that anybody set is changed.
      preserve: >-
        Only what O(mesh_config) and O(values) ask for is written, for clusters whose MeshConfig comes from elsewhere. Refused when the new
        version cannot work without a field that is missing.
    default: merge
  allow_downgrade:
    description:
      - Whether O(chart_version) may be older than what is installed, by one minor version at most.
      - What the older version does not know is lost, and the plan tells it. A downgrade after an upgrade that failed puts the MeshConfig
        back to what it was, except what others changed since.
    type: bool
    default: false
  rollback_on_failure:
    description:
      - Whether an upgrade that fails after its first write is taken back to the revision of the release before it, its MeshConfig
        included, and proven. The task fails all the same and tells both, under C(rollback).
      - The way back has as much time as O(timeout) again.
    type: bool
    default: false
  binary_path:
    description:
      - Path of the C(helm) binary (3.14 or newer, or 4). By default it is looked up in C(PATH).
    type: path
  timeout:
    description:
      - Seconds for the whole upgrade, waiting included. A run that is stopped by it is continued by running it again.
      - A Helm operation of somebody else that is younger than this is waited for and then refused; an older one is taken for dead.
    type: int
    default: 600
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - meshops.lifecycle.connection
  - meshops.lifecycle.procedure
  - meshops.lifecycle.attributes
  - meshops.lifecycle.attributes.changes
notes:
  - "The written procedure names the chart C(osm) of C(https://openservicemesh.github.io/osm). That is the upstream product: its chart would
    replace osm-edge, because the object names are the same. This module refuses it and names the right repository."
  - "Going to 1.3 changes the immutable selector of C(osm-controller). The module deletes that Deployment and keeps its pods (orphan
    propagation), so that they serve until the new ones are ready, and removes the orphaned ReplicaSet afterwards."
  - "The MeshConfig is not part of the Helm release. Fields that the new version needs (C(traffic.interceptionMode), C(pluginChains))
    are added as soon as the new CRD accepts them; without them new pods would get a sidecar that intercepts nothing."
  - "Sidecars keep running in their old version. The result says which workloads are stale."
seealso:
  - module: meshops.lifecycle.mesh_info
  - module: meshops.lifecycle.mesh_config
"""

EXAMPLES = r"""
# The tasks below rely on the play having set the connection once for all modules:
#   module_defaults:
#     group/meshops.lifecycle.all:
#       kubeconfig: ~/.kube/east.yml
#       context: east

- name: Show what an upgrade would do, without writing anything
  meshops.lifecycle.mesh_upgrade:
    chart_version: 1.3.9
  check_mode: true
  register: plan

- name: Upgrade the mesh exactly as shown
  meshops.lifecycle.mesh_upgrade:
    chart_version: 1.3.9
    expected_plan_id: "{{ plan.plan.id }}"

- name: Upgrade from a mirror, with images from a private registry and egress closed
  meshops.lifecycle.mesh_upgrade:
    mesh_name: osm
    chart_repo: https://charts.example.com/mesh
    chart_version: 1.3.9
    values:
      osm:
        image:
          registry: registry.example.com/flomesh
    mesh_config:
      traffic:
        enableEgress: false

- name: Go back one minor version on purpose
  meshops.lifecycle.mesh_upgrade:
    chart_version: 1.2.3
    allow_downgrade: true

- name: Upgrade, and return to the version before if anything fails
  meshops.lifecycle.mesh_upgrade:
    chart_version: 1.3.9
    rollback_on_failure: true
    timeout: 900

- name: Change nothing in the MeshConfig but what is given here, because the rest of it is kept in a repository
  meshops.lifecycle.mesh_upgrade:
    chart_version: 1.3.9
    mesh_config_policy: preserve
    mesh_config:
      observability:
        osmLogLevel: warn
"""

RETURN = r"""
changed:
  description: Whether anything was written, or would be in check mode.
  returned: always
  type: bool
plan:
  description:
    - What was planned. C(id) is the same for the same intent, and may be given as O(expected_plan_id).
    - Phases that depend on the ones before them are C(provisional) and are planned again on entry.
  returned: when there is a plan
  type: dict
  sample:
    id: 1f9c8a4be7d03c55
    procedure: mesh_upgrade
    target: osm-system/osm
    risk: disruptive
    phases:
      - name: control_plane
        provisional: false
        steps:
          - id: helm_upgrade:Release/osm-system/osm
            action: helm_upgrade
            object: {kind: Release, namespace: osm-system, name: osm}
            why: osm-edge 1.2.3 → 1.3.9
            risk: disruptive
            reversible: true
            simulated: Helm renders and validates the chart on the controller; its writes are not sent to the server in check mode
plan_table:
  description: The plan as a table for people.
  returned: when there is a plan
  type: str
steps:
  description: What became of each step (C(done), C(unchanged), C(failed), C(not_run), C(would_do)), with its duration in seconds.
  returned: when there is a plan
  type: list
  elements: dict
  sample:
    - id: helm_upgrade:Release/osm-system/osm
      phase: control_plane
      outcome: done
      duration: 2.417
      message: revision 2
summary:
  description: The upgrade in a few words, one key each.
  returned: success
  type: dict
  sample:
    mesh: osm
    namespace: osm-system
    product: osm-edge
    before: 1.2.3
    after: 1.3.9
    resumed: false
    stale_pods: 12
refresh:
  description:
    - Workloads whose pods run another sidecar than they would get now, the most urgent first, with the reason and the number of pods.
    - Pods that were created before the MeshConfig was complete come first, because traffic passes by their sidecar.
  returned: success
  type: list
  elements: dict
  sample:
    - namespace: bookstore
      workload: Deployment/bookstore
      pods: 2
      reason: runs flomesh/pipy:0.70.0-46, new pods get flomesh/pipy:0.90.3-38
findings:
  description: What the reader should know, each with severity, code, object, what, why and remedy.
  returned: when there is a plan
  type: list
  elements: dict
  sample:
    - severity: warning
      code: changed-default-not-applied
      object: {kind: MeshConfig, namespace: osm-system, name: osm-mesh-config}
      what: the chart's default of traffic.enableEgress changed from false to true, the MeshConfig keeps false
      why: a changed default never moves the value of a running mesh
      remedy: "to take it over, run with mesh_config: {traffic: {enableEgress: true}}"
diagnosis:
  description: Why a control plane did not come up, the cause first, each with object, cause, message and remedy.
  returned: failure, when something was waited for in vain
  type: list
  elements: dict
  sample:
    - object: {kind: Pod, namespace: osm-system, name: osm-bootstrap-6c79f}
      cause: image-pull
      message: the image flomesh/osm-edge-bootstrap:1.3.9-missing cannot be pulled
      remedy: correct osm.image.registry and osm.image.tag
not_looked_at:
  description: What a diagnosis could not read, with the reason.
  returned: failure, when something was waited for in vain
  type: list
  elements: str
  sample: ["logs: not allowed to get pods/log in namespace osm-system"]
rollback:
  description:
    - The way back of an upgrade that failed. C(revision) and C(version) tell where it led to, C(proven) whether the mesh is there.
    - C(plan), C(steps) and C(findings) are those of the way back.
  returned: failure, with O(rollback_on_failure=true), when something had been written
  type: dict
  sample:
    proven: true
    revision: 1
    version: 1.2.3
    steps:
      - id: helm_rollback:Release/osm-system/osm
        phase: control_plane
        outcome: done
        duration: 1.02
        message: accepted by the API server
duration:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 21.4
cluster:
  description: Which cluster this was. C(uid) is the UID of its namespace C(kube-system) and may be given as O(expected_cluster).
  returned: always
  type: dict
  sample: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

import time
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.helm import Helm
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule, lifecycle_spec, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import Release
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.run_procedure import procedure_result, run_procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_room import RoomDiscovery
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import Mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.pending_release import wait_while_pending
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade import NAME, MeshUpgrade
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_goal import ChartGoal, RevisionGoal
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_request import UpgradeRequest, fetch_chart, read_values
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_result import upgrade_result
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_rollback import (
    can_roll_back,
    no_way_back,
    not_rolled_back,
    record_of_failure,
    revision_before,
    rolled_back,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.upgrade_state import UpgradeState
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, PlanOutdated
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.run import Report

_PLAN_AGAIN_SECONDS = 1.0


def upgrade_mesh(module: LifecycleModule) -> dict[str, Any]:
    """Find the mesh, fetch the chart, run the upgrade, look at the data plane, return the result."""
    started, params, deadline = time.monotonic(), module.params, Deadline(module.params["timeout"])
    connection = module.connection
    request = UpgradeRequest(
        chart_ref=params["chart_ref"] or "",
        chart_repo=params["chart_repo"] or "",
        chart_version=params["chart_version"] or "",
        values=read_values(params["values_files"], params["values"]),
        given_inline=params["values"],
        values_policy=params["values_policy"],
        mesh_config=params["mesh_config"],
        mesh_config_policy=params["mesh_config_policy"],
        allow_downgrade=params["allow_downgrade"],
        rollback_on_failure=params["rollback_on_failure"],
    )
    module.protect(request.values)
    discovery = RoomDiscovery(connection.api)
    observed = discovery.read(params["mesh_name"])
    mesh = select_mesh(observed, params["mesh_name"], params["mesh_namespace"])
    module.protect(mesh.release.values if mesh.release else {})
    if not module.check_mode:
        mesh = wait_while_pending(connection.api, mesh, deadline, module.progress.line)
    helm = Helm(params["binary_path"] or "helm", kubeconfig_path=connection.kubeconfig_path, directory=module.tmpdir, mask=module.secrets)
    chart = fetch_chart(helm, mesh.product, request, deadline)
    goal = ChartGoal(connection.api, helm, chart, request, deadline, kube_version=connection.version, procedure=NAME)
    upgrade = MeshUpgrade(connection.api, helm, mesh, observed, goal, deadline, room=discovery.read_room, progress=module.progress.line)
    report = _run(module, helm, mesh, upgrade, deadline)
    if report.changed and not module.check_mode:
        observed = discover(connection.api, mesh_name=mesh.name)
    outcome = upgrade_result(mesh, report, observed)
    return {**procedure_result(module, report, started), **outcome}


def _run(module: LifecycleModule, helm: Helm, mesh: Mesh, upgrade: MeshUpgrade, deadline: Deadline) -> Report[UpgradeState]:
    """Run the upgrade, and when it fails go back if that is wanted."""
    try:
        return run_procedure(module, upgrade.procedure(), mesh.namespace, mesh.name, deadline)
    except LifecycleError as error:
        if module.check_mode or not module.params["rollback_on_failure"] or not can_roll_back(error):
            raise
        outcome = _go_back(module, helm, mesh, error)
        if outcome is error:
            raise
        raise outcome from error


def _go_back(module: LifecycleModule, helm: Helm, mesh: Mesh, error: LifecycleError) -> LifecycleError:
    """Go back to the revision before the upgrade, within a timeout of its own; return the error that tells both."""
    api, started, deadline = module.connection.api, time.monotonic(), Deadline(module.params["timeout"])
    release = None
    try:
        record = record_of_failure(api, mesh, NAME)
        if record is None:
            return error
        module.progress.line(f"the upgrade failed ({error.msg}): rolling back")
        release = revision_before(api, mesh, record)
        if release is None:
            return no_way_back(error)
        report = _run_back(module, helm, mesh, release, deadline)
    except LifecycleError as second:
        return not_rolled_back(error, second, release)
    return rolled_back(error, release, procedure_result(module, report, started))


def _run_back(module: LifecycleModule, helm: Helm, mesh: Mesh, release: Release, deadline: Deadline) -> Report[UpgradeState]:
    """Run the way back to ``release``; nobody was shown its plan, so it is planned again while a bootstrap still writes definitions."""
    api, progress = module.connection.api, module.progress.line
    while True:
        observed = discover(api, mesh_name=mesh.name, data_plane=False)
        now = select_mesh(observed, mesh.name, mesh.namespace)
        back = MeshUpgrade(api, helm, now, observed, RevisionGoal(api, release), deadline, progress=progress, redactor=module.redactor)
        try:
            return run_procedure(module, back.procedure(), mesh.namespace, mesh.name, deadline, approved=False)
        except PlanOutdated:
            if not deadline.sleep(_PLAN_AGAIN_SECONDS):
                raise
            progress("the cluster is still changing: planning the way back again")


def main() -> None:
    """Run the module."""
    spec = lifecycle_spec(
        mesh_name={"type": "str"},
        mesh_namespace={"type": "str"},
        chart_ref={"type": "str"},
        chart_repo={"type": "str"},
        chart_version={"type": "str"},
        values={"type": "dict", "default": {}},
        values_files={"type": "list", "elements": "path", "default": []},
        values_policy={"type": "str", "choices": ["reset_then_reuse", "reset", "reuse"], "default": "reset_then_reuse"},
        mesh_config={"type": "dict", "default": {}},
        mesh_config_policy={"type": "str", "choices": ["merge", "preserve"], "default": "merge"},
        allow_downgrade={"type": "bool", "default": False},
        rollback_on_failure={"type": "bool", "default": False},
        binary_path={"type": "path"},
        expected_plan_id={"type": "str"},
        timeout={"type": "int", "default": 600},
    )
    run(upgrade_mesh, spec, explicit=True)


if __name__ == "__main__":
    main()
