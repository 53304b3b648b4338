#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_uninstall
short_description: Take one service mesh of the OSM family out of one cluster, and prove that nothing of it is left
version_added: 0.3.0
author:
  - meshops contributors (@meshops)
description:
  - Takes the applications out of a mesh (osm-edge, Open Service Mesh, FSM) at a civil pace, then removes its control plane, and proves the
    outcome with a list of every artefact that a mesh has, documented or not.
  - The whole is one call. It reads the cluster, shows a plan of everything that goes and of everything that stays and why, does it in
    phases, and looks again. An uninstallation that was killed is finished by running the same task again.
  - It also clears what broken uninstallations of others (C(osm uninstall mesh), C(helm uninstall)) have left.
  - Only the named mesh is touched. What other meshes of the cluster use stays until the last of them goes.
options:
  mesh_name:
    description:
      - Name of the mesh. Required when the cluster has several. Without it, O(confirm) says which mesh is meant, else the only one is.
    type: str
  mesh_namespace:
    description:
      - Namespace of the control plane. Only needed when two meshes have the same name, and to delete the namespace of a mesh of which
        nothing else is left.
    type: str
    aliases: [control_plane_namespace]
  confirm:
    description:
      - The name of the mesh once more. Required outside check mode when there is a mesh to uninstall.
    type: str
  phases:
    description:
      - Which parts to do, in the order in which they are listed here. A mesh can be taken out in several runs, for instance its sidecars on
        one evening and its control plane on another.
      - V(control_plane) is refused while there are sidecars or enrolled namespaces of the mesh, unless V(sidecars) is done as well.
    type: list
    elements: str
    choices: [sidecars, control_plane, cluster_wide, namespace]
    default: [sidecars, control_plane, cluster_wide, namespace]
  remove_sidecars:
    description:
      - Take the namespaces out of the mesh and replace their pods, so that they lose their sidecars.
      - V(false) uninstalls the control plane of a mesh that has no sidecars any more; it is refused as long as there are any.
    type: bool
    default: true
  delete_namespace:
    description:
      - Whether the namespace of the control plane is deleted as well.
      - V(true) is refused when it holds anything that is not of this mesh, naming it; V(force) deletes that too.
      - Namespaces of the cluster itself (C(default), C(kube-*), C(openshift-*)) are never deleted.
    type: str
    choices: ["false", "true", "force"]
    default: "false"
  delete_cluster_wide_resources:
    description:
      - What may be shared with others, or has no living owner, and goes only when it is named here. Everything else that belongs to
        the mesh (webhooks, MeshConfig, certificates, hooks) goes always.
      - V(osm_crds) are the CustomResourceDefinitions of the product, V(smi_crds) those of the Service Mesh Interface. Those that another
        mesh of the cluster uses stay.
      - V(orphans) are webhooks, hooks and bootstrap Secrets of meshes that are gone.
      - V(all) is all of them.
    type: list
    elements: str
    choices: [osm_crds, smi_crds, orphans, all]
    default: []
  delete_custom_resources:
    description:
      - Delete the objects of the definitions that are deleted, too. Without it a definition that still has objects is kept, and they are
        counted.
    type: bool
    default: false
  user_resources:
    description:
      - Objects that were made for this mesh by its users, for instance a Vault for its certificates, and are to be deleted with it, after
        the control plane.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description:
          - For instance V(apps/v1).
        type: str
        required: true
      kind:
        description:
          - For instance V(Deployment).
        type: str
        required: true
      name:
        description:
          - Name of the object.
        type: str
        required: true
      namespace:
        description:
          - Its namespace, for kinds that have one.
        type: str
  managed:
    description:
      - The control plane is managed by somebody else (C(osm) of such an environment says C(install.kind=managed)). Then only sidecars and
        cluster-wide resources are removed.
    type: bool
    default: false
  edit_pod_templates:
    description:
      - Take annotations that switch injection on out of pod templates. Without it they are reported.
    type: bool
    default: false
  pods_per_minute:
    description:
      - Pace of the restarts; see M(meshops.lifecycle.sidecar_refresh). V(0) is no limit.
    type: int
    default: 100
  max_parallel_workloads:
    description:
      - How many workloads lose their sidecars at the same time.
    type: int
    default: 10
  batch_size:
    description:
      - Begin this many workloads, and no other before all of them are proven. V(0) is no batches.
    type: int
    default: 0
  max_failures:
    description:
      - After this many failed workloads no other is begun, and the control plane stays.
    type: int
    default: 1
  wait_timeout:
    description:
      - Seconds that one workload may take.
    type: int
    default: 600
  stall_timeout:
    description:
      - Seconds without any progress after which a workload counts as failed, with the reason. Every other wait ends after it too (pods of
        the control plane that do not go, an object that a finalizer holds, a namespace that does not end).
    type: int
    default: 120
  bare_pods:
    description:
      - Pods without an owner are gone for good when they are deleted. V(report) only names them; they keep the control plane from being
        removed. V(recreate) saves each, evicts it, and creates it again without its sidecar.
    type: str
    choices: [report, recreate]
    default: report
  ordered:
    description:
      - What loses its sidecars first, in this order. A name of a namespace, or a label of namespaces or pod templates as V(key=value).
        Servers before clients, since a client that loses its sidecar first is cut off from servers that still have theirs.
    type: list
    elements: str
    default: []
  until:
    description:
      - No workload is begun after this time (V(04:00), or V(2026-12-01T04:00:00+01:00)); what runs is waited for.
    type: str
  binary_path:
    description:
      - Path of the C(helm) binary (3.14 or newer, or 4). By default it is looked up in C(PATH). Only needed for a mesh with a Helm release.
    type: path
  timeout:
    description:
      - Seconds for the whole call. Nothing is begun after that.
    type: int
    default: 3600
  max_parallel_requests:
    description:
      - Number of requests that are sent to the API server at the same time.
    type: int
    default: 16
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - meshops.lifecycle.connection
  - meshops.lifecycle.procedure
  - meshops.lifecycle.attributes
  - meshops.lifecycle.attributes.changes
notes:
  - "C(osm uninstall mesh) and C(helm uninstall) touch neither sidecars nor the labels of namespaces, leave the webhooks of a mesh that was
    ever upgraded (with failurePolicy Fail, so that no pod can be created any more), and wait for their clean-up hook without limit. Here
    the hook is not run, its six actions are steps of the plan."
  - "The hook replaces every definition by the file of its image, which changes those that other meshes share. Here only
    C(spec.conversion) is set back, and only where it leads to this mesh."
  - "C(osm uninstall mesh -a) deletes ten names, one of them misspelt; osm-edge 1.3 has nineteen definitions."
  - "Its Lease and its record are in the namespace C(default), because the namespace of the mesh may be gone."
seealso:
  - module: meshops.lifecycle.mesh_info
  - module: meshops.lifecycle.mesh_namespace
  - module: meshops.lifecycle.sidecar_refresh
"""

EXAMPLES = r"""
# The tasks below rely on module_defaults for group/meshops.lifecycle.all to carry the connection.

- name: See what would go and what would stay, writing nothing
  meshops.lifecycle.mesh_uninstall:
    mesh_name: osm
    delete_namespace: true
    delete_cluster_wide_resources: [all]
  check_mode: true
  register: uninstall

- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ uninstall.plan_table.splitlines() }}"

- name: Take the applications out of the mesh in the evening, servers first
  meshops.lifecycle.mesh_uninstall:
    mesh_name: osm
    confirm: osm
    phases: [sidecars]
    ordered: [bookstore, bookbuyer]
    pods_per_minute: 60

- name: Remove all the rest of it
  meshops.lifecycle.mesh_uninstall:
    mesh_name: osm
    confirm: osm
    delete_namespace: true
    delete_cluster_wide_resources: [osm_crds, smi_crds]
    delete_custom_resources: true
"""

RETURN = r"""
changed:
  description: Whether anything was written, or would be in check mode.
  returned: always
  type: bool
summary:
  description: The uninstallation in a few numbers.
  returned: when the cluster was read
  type: dict
  sample:
    mesh: osm-system/osm
    product: osm-edge
    version: 1.3.9
    gone: 31
    kept: 4
    failed: 0
    namespaces: 4
    workloads: 41
    pods: 298
artefacts:
  description:
    - Everything of the mesh, and of the family, that was found, with what became of it and why. C(outcome) is V(gone), V(kept),
      V(failed), or in check mode V(to_remove).
  returned: when the cluster was read
  type: list
  elements: dict
  sample:
    - what: mutating-webhook
      object: {kind: MutatingWebhookConfiguration, namespace: "", name: osm-webhook-osm}
      outcome: gone
      why: it leads to the injector of this mesh
      found_by: its Service is osm-system/osm-injector
      documented: true
workloads:
  description: One entry for each workload that did not lose its sidecars as it should.
  returned: when the cluster was read
  type: list
  elements: dict
leftovers:
  description: Pods that keep their sidecars, grouped by the reason.
  returned: when the cluster was read
  type: list
  elements: dict
plan:
  description: What was planned. C(id) is the same for the same intent, and may be given as O(expected_plan_id).
  returned: when there is a plan
  type: dict
  sample:
    id: 90c1be2f67dd0a14
    procedure: mesh_uninstall
    target: osm-system/osm
    risk: destructive
    phases:
      - name: release
        provisional: true
        steps:
          - id: uninstall:HelmRelease/osm-system/osm
            action: uninstall
            object: {kind: HelmRelease, namespace: osm-system, name: osm}
            why: it is the release of this mesh
            risk: destructive
            reversible: false
            simulated: helm has no dry run on the server for it
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
    - {id: "delete:Secret/osm-system/osm-ca-bundle", phase: artefacts, outcome: done, duration: 0.02, message: ""}
findings:
  description: What the reader should know, each with severity, code, object, what, why and remedy.
  returned: when there is a plan
  type: list
  elements: dict
duration:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 214.7
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
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.run_procedure import procedure_result, run_procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_procedure import PLACE, MeshUninstall
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_request import uninstall_request
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError


def uninstall_mesh(module: LifecycleModule) -> dict[str, Any]:
    """Find the mesh or what is left of it, run the uninstallation, return the result; one that is broken off tells as much."""
    started, params, connection = time.monotonic(), module.params, module.connection
    deadline, request = Deadline(params["timeout"]), uninstall_request(params, connection.api)
    helm = Helm(params["binary_path"] or "helm", kubeconfig_path=connection.kubeconfig_path, directory=module.tmpdir, mask=module.secrets)
    uninstall = MeshUninstall(connection.api, helm, request, deadline, module.progress, check=module.check_mode)
    try:
        report = run_procedure(module, uninstall.procedure(), PLACE, uninstall.name, deadline)
    except LifecycleError as error:
        error.details.update(uninstall.result_of_failure(error))
        raise
    return {**procedure_result(module, report, started), **uninstall.result()}


def main() -> None:
    """Run the module."""
    parts = ["sidecars", "control_plane", "cluster_wide", "namespace"]
    user_resource = {
        "api_version": {"type": "str", "required": True},
        "kind": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str"},
    }
    spec = lifecycle_spec(
        mesh_name={"type": "str"},
        mesh_namespace={"type": "str", "aliases": ["control_plane_namespace"]},
        confirm={"type": "str"},
        phases={"type": "list", "elements": "str", "choices": parts, "default": parts},
        remove_sidecars={"type": "bool", "default": True},
        delete_namespace={"type": "str", "choices": ["false", "true", "force"], "default": "false"},
        delete_cluster_wide_resources={
            "type": "list",
            "elements": "str",
            "choices": ["osm_crds", "smi_crds", "orphans", "all"],
            "default": [],
        },
        delete_custom_resources={"type": "bool", "default": False},
        user_resources={"type": "list", "elements": "dict", "default": [], "options": user_resource},
        managed={"type": "bool", "default": False},
        edit_pod_templates={"type": "bool", "default": False},
        pods_per_minute={"type": "int", "default": 100},
        max_parallel_workloads={"type": "int", "default": 10},
        batch_size={"type": "int", "default": 0},
        max_failures={"type": "int", "default": 1},
        wait_timeout={"type": "int", "default": 600},
        stall_timeout={"type": "int", "default": 120},
        bare_pods={"type": "str", "choices": ["report", "recreate"], "default": "report"},
        ordered={"type": "list", "elements": "str", "default": []},
        until={"type": "str"},
        binary_path={"type": "path"},
        expected_plan_id={"type": "str"},
        timeout={"type": "int", "default": 3600},
        max_parallel_requests={"type": "int", "default": 16},
    )
    run(uninstall_mesh, spec, explicit=True)


if __name__ == "__main__":
    main()
