#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_namespace
short_description: Enrol namespaces in a mesh of the OSM family, take them out, or have them ignored
version_added: 0.2.0
author:
  - meshops contributors (@meshops)
description:
  - Brings any number of namespaces into a declared state, concurrently, in one call.
  - What is declared is enforced also where C(osm namespace) and C(osm metrics) return early. An enrolled namespace gets the declared
    injection, an ignored one is taken in again, and what was left behind is cleaned up.
  - Labels and annotations of a namespace only reach pods that are created afterwards. RV(namespaces) counts, for each of them, the
    running ones that have to be replaced, which M(meshops.lifecycle.sidecar_refresh) does.
  - Every reason not to begin is told at once, before the first write.
options:
  namespaces:
    description:
      - Names of namespaces.
      - The namespaces named here and those that match O(selector) are meant. One of the two must name something.
    type: list
    elements: str
    default: []
  selector:
    description:
      - Label selector of namespaces, as for C(kubectl -l).
      - One that matches no namespace is a finding, not a failure, so that a second run of V(absent) with the mesh's own label succeeds.
    type: str
  state:
    description:
      - V(present) enrols the namespaces. A namespace that is ignored is not ignored any more then.
      - V(absent) removes the mesh's labels and annotations from them, also those that an earlier removal has left, and from their pods
        the annotations for Prometheus when they are exactly the mesh's. A namespace of another mesh is refused.
      - V(ignored) keeps the injector away from them whatever else they say; enrolment and annotations stay as they are.
    type: str
    choices: [present, absent, ignored]
    default: present
  injection:
    description:
      - Whether new pods of an enrolled namespace get a sidecar unless they say otherwise themselves.
      - V(enabled) unless it is given. Only with O(state=present).
    type: str
    choices: [enabled, disabled]
  metrics:
    description:
      - Whether Prometheus finds the sidecars of the namespaces. It is an annotation of the namespace, and three of each running pod that
        has a sidecar; only pods that differ are patched.
      - V(disabled) removes the annotations of a pod only when they are exactly those that the mesh writes.
      - Left as it is unless it is given; V(enabled) only with O(state=present).
    type: str
    choices: [enabled, disabled]
  mesh_name:
    description:
      - Name of the mesh. May be left out when the cluster has exactly one mesh.
    type: str
  mesh_namespace:
    description:
      - Namespace of the control plane. Only needed when two meshes have the same name.
    type: str
  create:
    description:
      - Create namespaces in O(namespaces) that do not exist.
    type: bool
    default: false
  allow_move:
    description:
      - Move namespaces that are enrolled in another mesh, also from one product of the family to another.
    type: bool
    default: false
  max_parallel_requests:
    default: 16
  timeout:
    description:
      - Seconds for the whole call.
    type: int
    default: 300
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - meshops.lifecycle.connection
  - meshops.lifecycle.procedure
  - meshops.lifecycle.attributes
  - meshops.lifecycle.attributes.changes
notes:
  - "C(osm namespace add) moves a namespace of another mesh without a word; this module refuses unless O(allow_move=true)."
  - "C(osm namespace add) refuses a namespace that is ignored with the value V(true), and takes one that is ignored with another value,
    although the webhook ignores both. Here, the declared state wins: O(state=present) removes the label."
  - "C(osm namespace remove) does nothing when the label of the mesh is gone already; O(state=absent) removes what is left."
  - Namespaces with a control plane, C(kube-*) and C(openshift-*) are refused; of these, C(kube-*) and C(openshift-*) may be taken out
    with O(state=absent), because a webhook there keeps the cluster's own pods from starting.
seealso:
  - module: meshops.lifecycle.mesh_info
  - module: meshops.lifecycle.mesh_config
"""

EXAMPLES = r"""
# The tasks below rely on module_defaults for group/meshops.lifecycle.all to carry the connection.

- name: Take a namespace out of the mesh
  meshops.lifecycle.mesh_namespace:
    namespaces: [bookthief]
    state: absent

- name: Enrol all of the bookstore; what is enrolled already stays as it is
  meshops.lifecycle.mesh_namespace:
    namespaces: [bookstore, bookbuyer, bookthief, bookwarehouse]
  register: enrolled

- name: Say which pods still have to be replaced
  ansible.builtin.debug:
    msg: "{{ enrolled.namespaces | items2dict(key_name='name', value_name='pods_to_restart') }}"

- name: Let Prometheus find the sidecars of all namespaces of the mesh that are not ignored
  meshops.lifecycle.mesh_namespace:
    mesh_name: osm
    selector: openservicemesh.io/monitored-by=osm,!openservicemesh.io/ignore
    metrics: enabled

- name: Enrol a new namespace whose pods ask for sidecars one by one
  meshops.lifecycle.mesh_namespace:
    namespaces: [reports]
    injection: disabled
    create: true

- name: Keep the injector away from it
  meshops.lifecycle.mesh_namespace:
    namespaces: [reports]
    state: ignored

- name: Remove all that the mesh left on it
  meshops.lifecycle.mesh_namespace:
    namespaces: [reports]
    state: absent
"""

RETURN = r"""
changed:
  description: Whether anything was changed, or would be in check mode.
  returned: always
  type: bool
namespaces:
  description:
    - One entry per namespace that was named or selected.
    - C(before) and C(after) have its mesh, the values of its annotations for injection and metrics (empty without one), and whether it
      is ignored. In check mode C(after) is what it would be.
    - C(pods_to_restart) counts running pods that would be made with a sidecar and have none, or the other way round, or have that of
      another mesh. It is null when pods may not be read.
  returned: success
  type: list
  elements: dict
  sample:
    - name: bookstore
      changed: true
      created: false
      before: {mesh: "", injection: "", metrics: "", ignored: false}
      after: {mesh: osm, injection: enabled, metrics: "", ignored: false}
      pods_to_restart: 2
plan:
  description: What was planned. C(id) is the same for the same intent, and may be given as O(expected_plan_id).
  returned: when there is a plan
  type: dict
  sample:
    id: 0d5c1c8f2e9b7a64
    procedure: mesh_namespace
    target: osm-system/osm
    risk: low
    phases:
      - name: namespaces
        provisional: false
        steps:
          - id: patch:Namespace/bookstore
            action: patch
            object: {kind: Namespace, namespace: "", name: bookstore}
            why: monitored-by (none) → osm; sidecar-injection (none) → enabled
            risk: low
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
    - {id: "patch:Namespace/bookstore", phase: namespaces, outcome: done, duration: 0.011, message: ""}
summary:
  description: The whole in a few words, one key each.
  returned: success
  type: dict
  sample: {mesh: osm, namespace: osm-system, product: osm-edge, state: present, namespaces: 4, changed: 4, pods_to_restart: 9}
findings:
  description: What the reader should know, each with severity, code, object, what, why and remedy.
  returned: when there is a plan
  type: list
  elements: dict
refusals:
  description: Every reason not to begin, each with code, object, what, why, state and next.
  returned: when the plan is refused
  type: list
  elements: dict
duration:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.41
cluster:
  description: Which cluster this was. C(uid) is the UID of its namespace C(kube-system) and may be given as O(expected_cluster).
  returned: always
  type: dict
  sample: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

import time
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule, lifecycle_spec, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.run_procedure import procedure_result, run_procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_procedure import namespace_procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_request import NamespaceRequest, refuse_contradictions
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.namespace_result import namespace_result
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline


def enrol(module: LifecycleModule) -> dict[str, Any]:
    """Find the mesh, bring the namespaces into the wanted state, return the result."""
    started, params = time.monotonic(), module.params
    request = NamespaceRequest(
        state=params["state"],
        names=tuple(dict.fromkeys(params["namespaces"] or ())),
        selector=(params["selector"] or "").strip(),
        injection=params["injection"],
        metrics=params["metrics"],
        create=params["create"],
        allow_move=params["allow_move"],
    )
    refuse_contradictions(request)
    api, deadline = module.connection.api, Deadline(params["timeout"])
    observed = discover(api, mesh_name=params["mesh_name"], data_plane=False)
    mesh = select_mesh(observed, params["mesh_name"], params["mesh_namespace"])
    procedure = namespace_procedure(api, observed, mesh, request)
    report = run_procedure(module, procedure, mesh.namespace, mesh.name, deadline)
    return {**procedure_result(module, report, started), **namespace_result(mesh, report)}


def main() -> None:
    """Run the module."""
    spec = lifecycle_spec(
        namespaces={"type": "list", "elements": "str", "default": []},
        selector={"type": "str"},
        state={"type": "str", "choices": ["present", "absent", "ignored"], "default": "present"},
        injection={"type": "str", "choices": ["enabled", "disabled"]},
        metrics={"type": "str", "choices": ["enabled", "disabled"]},
        mesh_name={"type": "str"},
        mesh_namespace={"type": "str"},
        create={"type": "bool", "default": False},
        allow_move={"type": "bool", "default": False},
        expected_plan_id={"type": "str"},
        max_parallel_requests={"type": "int", "default": 16},
        timeout={"type": "int", "default": 300},
    )
    run(enrol, spec, explicit=True)


if __name__ == "__main__":
    main()
