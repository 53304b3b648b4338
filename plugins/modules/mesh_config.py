#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_config
short_description: Edit the MeshConfig of a mesh of the OSM family
version_added: 0.1.0
author:
  - meshops contributors (@meshops)
description:
  - Brings the MeshConfig of one mesh into a declared state. What is not named stays as it is.
  - Values are checked against the schema of the cluster's own CustomResourceDefinition before anything is written, and the API server
    validates the change strictly, so that a misspelt field is an error and not silently dropped.
options:
  mesh_name:
    description:
      - Name of the mesh. May be left out when the cluster has exactly one mesh.
    type: str
  mesh_namespace:
    description:
      - Namespace of the control plane. Only needed when two meshes have the same name.
    type: str
  spec:
    description:
      - Partial C(spec). Maps are merged; a list is replaced whole, except C(sidecar.sidecarDrivers), whose elements are merged by
        C(sidecarName), and the lists of C(pluginChains), whose elements are merged by C(plugin).
      - Quote V("off") for C(sidecar.logLevel). Unquoted it is the boolean V(false) in YAML, which is refused.
    type: dict
    default: {}
  add:
    description:
      - Elements to add to lists, in the shape of C(spec). An element that is there already is left alone.
    type: dict
    default: {}
  remove:
    description:
      - Elements to remove from lists, in the shape of C(spec). Elements of named lists are given by their name.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds for the whole call.
    type: int
    default: 120
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - meshops.lifecycle.connection
  - meshops.lifecycle.procedure
  - meshops.lifecycle.attributes
  - meshops.lifecycle.attributes.changes
notes:
  - "This replaces the C(kubectl patch meshconfig --type=merge) of the written procedures. A merge patch replaces lists whole: an
    exclusion list or C(sidecarDrivers) patched that way loses its other elements."
  - "Some fields only reach pods that are created after the change. RV(restart_required) says so."
seealso:
  - module: meshops.lifecycle.mesh_info
  - module: meshops.lifecycle.mesh_upgrade
"""

EXAMPLES = r"""
# The tasks below rely on module_defaults for group/meshops.lifecycle.all to carry the connection.

- name: Open egress and make sidecars log warnings only
  meshops.lifecycle.mesh_config:
    spec:
      traffic:
        enableEgress: true
      sidecar:
        logLevel: warn

- name: Let pods reach the API server and a database directly
  meshops.lifecycle.mesh_config:
    mesh_name: osm
    add:
      traffic:
        outboundIPRangeExclusionList: [10.96.0.1/32]
        outboundPortExclusionList: [3306]
  register: exclusions

- name: Say whether pods must be restarted for it
  ansible.builtin.debug:
    msg: "{{ exclusions.restart_required }}"

- name: Pin the Pipy image of new sidecars, keeping the other drivers
  meshops.lifecycle.mesh_config:
    spec:
      sidecar:
        sidecarDrivers:
          - sidecarName: pipy
            sidecarImage: flomesh/pipy:0.90.3-38

- name: Intercept port 3306 again
  meshops.lifecycle.mesh_config:
    remove:
      traffic:
        outboundPortExclusionList: [3306]
"""

RETURN = r"""
changed:
  description: Whether the MeshConfig was changed, or would be in check mode.
  returned: always
  type: bool
changes:
  description: Each field that changes.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: traffic.enableEgress, before: false, after: true}
restart_required:
  description: Which of the changes only reach new pods, and why. Empty when all of them apply to running pods.
  returned: success
  type: list
  elements: dict
  sample:
    - path: traffic.outboundPortExclusionList
      reason: the init container writes it into the pod's iptables rules when the pod starts
plan:
  description: What was planned. C(id) is the same for the same intent, and may be given as O(expected_plan_id).
  returned: when there is a plan
  type: dict
  sample:
    id: 0d5c1c8f2e9b7a64
    procedure: mesh_config
    target: osm-system/osm
    risk: low
    phases:
      - name: mesh_config
        provisional: false
        steps:
          - id: patch:MeshConfig/osm-system/osm-mesh-config
            action: patch
            object: {kind: MeshConfig, namespace: osm-system, name: osm-mesh-config}
            why: traffic.enableEgress false → true
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
    - {id: "patch:MeshConfig/osm-system/osm-mesh-config", phase: mesh_config, outcome: done, duration: 0.011, message: ""}
summary:
  description: The edit in a few words, one key each.
  returned: success
  type: dict
  sample: {mesh: osm, namespace: osm-system, product: osm-edge, changes: 1, restart_required: false}
findings:
  description: What the reader should know, each with severity, code, object, what, why and remedy.
  returned: when there is a plan
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
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.config_procedure import ConfigRequest, config_procedure
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.config_result import config_result
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline


def edit_mesh_config(module: LifecycleModule) -> dict[str, Any]:
    """Find the mesh, run the edit, return the result."""
    started, params = time.monotonic(), module.params
    api, deadline = module.connection.api, Deadline(params["timeout"])
    mesh = select_mesh(discover(api, mesh_name=params["mesh_name"], data_plane=False), params["mesh_name"], params["mesh_namespace"])
    request = ConfigRequest(params["spec"], params["add"], params["remove"])
    report = run_procedure(module, config_procedure(api, mesh, request), mesh.namespace, mesh.name, deadline)
    return {**procedure_result(module, report, started), **config_result(mesh, report)}


def main() -> None:
    """Run the module."""
    spec = lifecycle_spec(
        mesh_name={"type": "str"},
        mesh_namespace={"type": "str"},
        spec={"type": "dict", "default": {}},
        add={"type": "dict", "default": {}},
        remove={"type": "dict", "default": {}},
        expected_plan_id={"type": "str"},
        timeout={"type": "int", "default": 120},
    )
    run(edit_mesh_config, spec, explicit=True)


if __name__ == "__main__":
    main()
