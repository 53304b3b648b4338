#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sidecar_refresh
short_description: Bring the sidecars of a cluster to what injection would give now, at a civil pace
version_added: 0.2.0
author:
  - meshops contributors (@meshops)
description:
  - Finds every pod whose sidecar is not the one that a new pod would get now (OSM family or Istio), or that should have one and has none,
    or has one and should not, and has its owner replace it. One call works on a whole cluster.
  - A pod that is right is left alone. Running it again when it has ended patches nothing; running it again when it was interrupted does
    only the rest.
  - Owners that roll (Deployment, StatefulSet, DaemonSet) get an annotation in their pod template; owners that do not (a ReplicaSet or
    ReplicationController of its own, update strategy C(OnDelete)) have their pods evicted one by one, so that disruption budgets hold.
  - It stops by itself when something breaks. READY alone is never the proof, every new pod is looked at.
options:
  mesh:
    description:
      - Whose sidecars. V(auto) takes the one that is there, and is refused where a cluster has both.
    type: str
    choices: [auto, osm, istio]
    default: auto
  mesh_name:
    description:
      - Name of the mesh of the OSM family. May be left out when the cluster has exactly one.
    type: str
  mesh_namespace:
    description:
      - Namespace of the control plane. Only needed when two meshes have the same name.
    type: str
  state:
    description:
      - V(current) replaces pods whose sidecar is stale, missing or unexpected.
      - V(absent) replaces pods that still have a sidecar although no new pod would get one, which is what is left when a namespace has been
        taken out of a mesh. Pods that would be injected again are left and told.
      - V(restarted) replaces every pod with a sidecar once. Give O(token) to say what the one time is.
    type: str
    choices: [current, absent, restarted]
    default: current
  namespaces:
    description:
      - Only these namespaces. By default all that are in the mesh.
    type: list
    elements: str
    default: []
  namespace_selector:
    description:
      - Only namespaces with these labels, as C(kubectl get namespaces -l) takes them.
    type: str
  exclude_namespaces:
    description:
      - Not these namespaces; C(*) stands for any characters.
    type: list
    elements: str
    default: []
  selector:
    description:
      - Only pods with these labels, as C(kubectl get pods -l) takes them.
    type: str
  pods_per_minute:
    description:
      - Pace. A workload takes all its pods from a bucket that fills at this rate when it begins, so a large one makes the next one wait.
        A rollout that has begun is never paused, and no strategy is edited.
      - V(0) is no limit. The written procedures reckon with 100 pods a minute.
    type: int
    default: 100
  max_parallel_workloads:
    description:
      - How many workloads are replaced at the same time.
    type: int
    default: 10
  batch_size:
    description:
      - Begin this many workloads, and no other before all of them are proven. V(0) is no batches.
    type: int
    default: 0
  max_failures:
    description:
      - After this many failed workloads no other is begun. Those that are running are waited for.
    type: int
    default: 1
  wait_timeout:
    description:
      - Seconds that one workload may take.
    type: int
    default: 600
  stall_timeout:
    description:
      - Seconds without any progress after which a workload counts as failed, with the reason (an image that cannot be pulled, a crash loop,
        no room, a denied pod).
    type: int
    default: 120
  bare_pods:
    description:
      - Pods without an owner are gone for good when they are deleted. V(report) only names them. V(recreate) saves each, evicts it, and
        creates it again without what injection had added; those that hold data or cannot be told from their manifest are named.
    type: str
    choices: [report, recreate]
    default: report
  jobs:
    description:
      - Pods of Jobs are never replaced, only named.
    type: str
    choices: [report]
    default: report
  ordered:
    description:
      - What goes first, in this order. A name of a namespace, or a label of namespaces or pod templates as V(key=value). The rest
        follows by name.
    type: list
    elements: str
    default: []
  until:
    description:
      - Nothing new is begun after this time; what runs is waited for. A time of day (V(04:00), on the clock of the controller, the nearest
        one) or a whole time (V(2026-12-01T04:00:00+01:00)).
    type: str
  token:
    description:
      - Only with O(state=restarted), a name for this restart (a ticket, a date). Workloads that were replaced under the same name before
        are left alone, so that an interrupted restart is finished by running it again.
      - Pods that are evicted carry no name. Those of a restart that has ended are restarted again under the same name.
    type: str
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
  - "The written procedures restart with C(kubectl rollout restart) or C(kubectl delete pod --all) and look at READY. The first restarts
    what is right already and restarts all of it again when it is repeated; the second loses pods without an owner, ignores disruption
    budgets and takes all pods of a namespace down at once; and READY is 2/2 with the old sidecar too."
  - "The annotation in the pod template is C(meshops.lifecycle/sidecar). Its value stands for the sidecar's image and for all configuration
    that only reaches new pods. A GitOps tool that removes annotations which it does not know undoes the refresh; make it ignore this one."
  - "Disruption budgets bind evictions only. A rolling update keeps to its own strategy, as with kubectl."
seealso:
  - module: meshops.lifecycle.mesh_info
  - module: meshops.lifecycle.mesh_namespace
"""

EXAMPLES = r"""
# The tasks below rely on module_defaults for group/meshops.lifecycle.all to carry the connection.

- name: See which sidecars are stale and what would be done about them, writing nothing
  meshops.lifecycle.sidecar_refresh:
  check_mode: true
  register: refresh

- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ refresh.plan_table.splitlines() }}"

- name: Refresh the whole cluster, 60 pods a minute, clients first, until four in the morning
  meshops.lifecycle.sidecar_refresh:
    pods_per_minute: 60
    max_parallel_workloads: 5
    ordered: [bookbuyer, bookthief]
    until: "04:00"

- name: Restart all sidecars of one namespace once for a ticket
  meshops.lifecycle.sidecar_refresh:
    state: restarted
    namespaces: [bookstore]
    token: CHG-4711

- name: Take a namespace out of the mesh
  meshops.lifecycle.mesh_namespace:
    namespaces: [bookwarehouse]
    state: absent

- name: Take the sidecars out of it too
  meshops.lifecycle.sidecar_refresh:
    state: absent
    namespaces: [bookwarehouse]
"""

RETURN = r"""
changed:
  description: Whether pods were replaced, or would be in check mode.
  returned: always
  type: bool
summary:
  description: The refresh in a few numbers. C(pods_per_minute) is the pace from the first begin to the end,
    as the last line of progress tells it, C(estimate_seconds) what the wanted pace comes to.
  returned: when the cluster was read
  type: dict
  sample:
    mesh: osm-system/osm
    state: current
    namespaces: 4
    pods: 312
    workloads: 41
    current_pods: 12
    refreshed_workloads: 39
    refreshed_pods: 298
    leftover_pods: 2
    estimate_seconds: 187
    pods_per_minute: 104
workloads:
  description: One entry for each workload that is not fine.
  returned: when the cluster was read
  type: list
  elements: dict
  sample:
    - object: {kind: Deployment, namespace: shop, name: cart}
      outcome: failed
      code: stalled
      message: "no progress for 120 s: container cart crashes"
      pods: 3
      next: kubectl -n shop logs deployment/cart --previous
leftovers:
  description: Pods that the refresh does not replace, grouped by the reason. C(more) counts objects that are not named.
  returned: when the cluster was read
  type: list
  elements: dict
  sample:
    - code: bare-pod
      reason: no controller would create it again
      remedy: create it again from its manifest, or use bare_pods=recreate
      pods: 1
      objects: [Pod shop/debug]
      more: 0
plan:
  description: What was planned. C(id) is the same for the same intent, and may be given as O(expected_plan_id).
  returned: when there is a plan
  type: dict
  sample:
    id: 5f2d6b1c90ab43e7
    procedure: sidecar_refresh
    target: osm-system/osm
    risk: disruptive
    phases:
      - name: refresh
        provisional: false
        steps:
          - id: rollout:Deployment/shop/cart
            action: rollout
            object: {kind: Deployment, namespace: shop, name: cart}
            why: "3 pods: runs flomesh/pipy:0.70.0-46, new pods get flomesh/pipy:0.90.3-38"
            risk: disruptive
            reversible: true
            simulated: ""
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
    - {id: "rollout:Deployment/shop/cart", phase: refresh, outcome: done, duration: 14.2, message: "3 pods"}
findings:
  description: What the reader should know, each with severity, code, object, what, why and remedy.
  returned: when there is a plan
  type: list
  elements: dict
duration:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 183.4
cluster:
  description: Which cluster this was. C(uid) is the UID of its namespace C(kube-system) and may be given as O(expected_cluster).
  returned: always
  type: dict
  sample: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.candidates import istio_candidates
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.refresh_rules import istio_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule, lifecycle_spec, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.run_procedure import procedure_result, run_procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.candidates import osm_candidates
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.refresh_rules import osm_rules
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.plan import Refusal
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.mesh_candidates import family_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import SidecarRules
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_options import refresh_options
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_procedure import SidecarRefresh
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh_result import refresh_result


def refresh_sidecars(module: LifecycleModule) -> dict[str, Any]:
    """Find the mesh, run the refresh, return the result; a refresh that is broken off tells as much."""
    started, params = time.monotonic(), module.params
    api, deadline, options = module.connection.api, Deadline(params["timeout"]), refresh_options(params)
    refresh = SidecarRefresh(api, _rules(api, params), options, deadline, module.progress)
    # One mesh is refreshed by one run at a time, whichever namespaces it is about.
    name = refresh.target.rpartition("/")[2]
    try:
        report = run_procedure(module, refresh.procedure(), refresh.namespace, name, deadline)
    except LifecycleError as error:
        error.details.update(refresh_result(refresh, options))
        raise
    return {**procedure_result(module, report, started), **refresh_result(refresh, options)}


def _rules(api: Api, params: dict[str, Any]) -> Callable[[], SidecarRules]:
    """Return what reads the rules of the mesh that is meant; raises Refused when that is none, or more than one."""
    wanted = "osm" if params["mesh"] == "auto" and params["mesh_name"] else params["mesh"]
    if wanted == "auto":
        found = family_of([*osm_candidates(api), *istio_candidates(api)])
        if isinstance(found, Refusal):
            raise refused("sidecar_refresh", [found])
        wanted = found
    return (lambda: istio_rules(api)) if wanted == "istio" else (lambda: _osm(api, params))


def _osm(api: Api, params: dict[str, Any]) -> SidecarRules:
    observed = discover(api, mesh_name=params["mesh_name"], data_plane=False)
    return osm_rules(api, select_mesh(observed, params["mesh_name"], params["mesh_namespace"]), observed)


def main() -> None:
    """Run the module."""
    spec = lifecycle_spec(
        mesh={"type": "str", "choices": ["auto", "osm", "istio"], "default": "auto"},
        mesh_name={"type": "str"},
        mesh_namespace={"type": "str"},
        state={"type": "str", "choices": ["current", "absent", "restarted"], "default": "current"},
        namespaces={"type": "list", "elements": "str", "default": []},
        namespace_selector={"type": "str"},
        exclude_namespaces={"type": "list", "elements": "str", "default": []},
        selector={"type": "str"},
        pods_per_minute={"type": "int", "default": 100},
        max_parallel_workloads={"type": "int", "default": 10},
        batch_size={"type": "int", "default": 0},
        max_failures={"type": "int", "default": 1},
        wait_timeout={"type": "int", "default": 600},
        stall_timeout={"type": "int", "default": 120},
        bare_pods={"type": "str", "choices": ["report", "recreate"], "default": "report"},
        jobs={"type": "str", "choices": ["report"], "default": "report"},
        ordered={"type": "list", "elements": "str", "default": []},
        until={"type": "str"},
        token={"type": "str", "no_log": False},
        expected_plan_id={"type": "str"},
        timeout={"type": "int", "default": 3600},
        max_parallel_requests={"type": "int", "default": 16},
    )
    run(refresh_sidecars, spec, explicit=True)


if __name__ == "__main__":
    main()
