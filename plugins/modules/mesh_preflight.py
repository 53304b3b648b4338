#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_preflight
short_description: Check whether applications fulfil the requirements of a mesh of the OSM family
version_added: 0.2.0
author:
  - meshops contributors (@meshops)
description:
  - Judges the workloads, Services and namespaces that are to be enrolled, before anything is changed. Each finding says what was seen, on
    which object, why it matters, and what to do.
  - Workloads are judged by their pod templates (Deployments, StatefulSets, DaemonSets, CronJobs, Jobs, and pods that none of these owns),
    as if their namespaces were enrolled already.
  - What is judged depends on the mesh as it is, its version and its MeshConfig. For instance, policies are only missed while permissive
    mode is off, and the init container only matters while there is one.
  - Changes nothing. Up to four namespaces are listed one by one, more are picked out of lists of the whole cluster, so that the number of
    requests does not grow with the number of namespaces.
options:
  namespaces:
    description:
      - Names of the namespaces to check. The module fails when one does not exist, naming those with similar names.
      - Without O(namespaces) and O(selector), all namespaces that are enrolled in the mesh and not ignored by it are checked.
    type: list
    elements: str
    default: []
  selector:
    description:
      - Label selector of namespaces to check, besides those in O(namespaces).
    type: str
    default: ""
  mesh_name:
    description:
      - Name of the mesh. May be left out when the cluster has exactly one mesh.
    type: str
  mesh_namespace:
    description:
      - Namespace of the control plane. Only needed when two meshes have the same name.
    type: str
  state:
    description:
      - V(present) judges the namespaces as if they were enrolled, with injection enabled, whether they are or not.
    type: str
    choices: [present]
    default: present
  policies:
    description:
      - Manifests (TrafficTarget, TrafficSplit, IngressBackend, Egress) that will be applied before the namespaces are enrolled. They are
        judged as if they were there, in place of what has the same kind, name and namespace. Other kinds are passed over.
    type: list
    elements: dict
    default: []
  fail_on:
    description:
      - The least severity that makes the module fail. The result of a failed module has everything that a successful one has.
    type: str
    choices:
      error: Fail when something will not work.
      warning: Fail as well when something may not work.
      never: Never fail because of what was found.
    default: error
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - meshops.lifecycle.connection
  - meshops.lifecycle.attributes
  - meshops.lifecycle.attributes.info
notes:
  - The ClusterRoles are in C(docs/rbac/planner-mesh_preflight.yaml) and C(docs/rbac/planner-mesh_info.yaml). What may not be read is told
    by a finding C(not-checked) that names the missing permission; only Namespaces and Deployments must be readable.
  - CustomResourceDefinitions that do not exist (SMI, policies of the mesh, Gateway API, OpenShift) are taken for empty lists.
  - Who calls a Service is not written anywhere in a cluster. What is known of callers (sources of TrafficTargets, Ingresses, routes,
    Services that are open to the outside, webhooks) is judged; RV(order) is derived from TrafficTargets only.
  - The ports that are reserved are those that the sidecar really uses, more than the documentation of the products names.
seealso:
  - module: meshops.lifecycle.mesh_namespace
  - module: meshops.lifecycle.mesh_config
  - module: meshops.lifecycle.mesh_info
"""

EXAMPLES = r"""
# The tasks below rely on module_defaults for group/meshops.lifecycle.all to carry the connection.

- name: Check the bookstore before it is enrolled
  meshops.lifecycle.mesh_preflight:
    namespaces: [bookbuyer, bookstore, bookwarehouse]
  register: preflight

- name: Show what was found
  ansible.builtin.debug:
    msg: "{{ preflight.findings | map(attribute='what') }}"

- name: Look at everything that is in the mesh, whatever is found
  meshops.lifecycle.mesh_preflight:
    mesh_name: osm
    fail_on: never

- name: Judge with a policy that will be applied before
  meshops.lifecycle.mesh_preflight:
    namespaces: [bookstore]
    policies:
      - apiVersion: access.smi-spec.io/v1alpha3
        kind: TrafficTarget
        metadata: {name: bookbuyer-to-bookstore, namespace: bookstore}
        spec:
          destination: {kind: ServiceAccount, name: bookstore, namespace: bookstore}
          sources:
            - {kind: ServiceAccount, name: bookbuyer, namespace: bookbuyer}
          rules:
            - {kind: HTTPRouteGroup, name: bookstore-routes, matches: [buy-books]}
"""

RETURN = r"""
findings:
  description:
    - What was found, the most severe first, in a stable order. The codes are explained in C(docs/preflight.md).
    - Also returned when the module fails because of O(fail_on), as is everything below.
  returned: when the namespaces were looked at
  type: list
  elements: dict
  contains:
    severity:
      description: V(error) for what will not work, V(warning) for what may not, V(info) for what is good to know.
      type: str
      sample: warning
    code:
      description: What kind of finding it is, in a stable word.
      type: str
      sample: protocol-misread
    object:
      description: Kind, namespace and name of the object that it is about.
      type: dict
      sample: {kind: Service, namespace: bookwarehouse, name: mysql}
    what:
      description: What was seen.
      type: str
      sample: "says nothing that the mesh understands about ports that do not look like HTTP: mysql (3306): MySQL"
    why:
      description: Why it matters.
      type: str
      sample: "the mesh takes them for HTTP, and other connections hang or are closed; of a name, only a prefix with a hyphen counts"
    remedy:
      description: What to do.
      type: str
      sample: >-
        kubectl patch service mysql -n bookwarehouse --type=json
        -p '[{"op":"add","path":"/spec/ports/0/appProtocol","value":"tcp-server-first"}]' (and in its manifest)
summary:
  description:
    - The mesh (C(permissive) is whether every sidecar may call every other), and how much was looked at and found.
      C(injected_workloads) are those whose new pods get a sidecar.
  returned: when the namespaces were looked at
  type: dict
  sample:
    mesh: osm
    mesh_namespace: osm-system
    product: osm-edge
    version: 1.3.9
    permissive: true
    namespaces: 3
    workloads: 6
    injected_workloads: 6
    errors: 0
    warnings: 1
    infos: 2
api_server:
  description: Where the Kubernetes API is, and who probably needs it.
  returned: when the namespaces were looked at
  type: dict
  contains:
    service_ips:
      description: Addresses of the Service C(kubernetes), as address ranges that an exclusion list or an Egress takes.
      type: list
      elements: str
      sample: [10.96.0.1/32]
    endpoint_ips:
      description: Addresses behind that Service, where they differ from those of the Service.
      type: list
      elements: str
      sample: [192.0.2.10/32]
    port:
      description: Port of the Service.
      type: int
      sample: 443
    workloads:
      description:
        - Workloads whose service account is bound to a role. C(allowed_by) is what lets their pods reach the API once they have a sidecar,
          empty when nothing does.
      type: list
      elements: dict
      sample:
        - {kind: Deployment, namespace: shop, name: operator, service_account: operator, allowed_by: traffic.enableEgress}
order:
  description: The checked namespaces in the order in which they should be enrolled, clients before the servers that they call.
  returned: when the namespaces were looked at
  type: list
  elements: str
  sample: [bookbuyer, bookstore, bookwarehouse]
denied_without_policies:
  description:
    - Service accounts that no TrafficTarget names while permissive mode is off. C(direction) is V(inbound) when every call to them would be
      denied, V(outbound) when every call from them would.
  returned: when the namespaces were looked at
  type: list
  elements: dict
  sample:
    - namespace: bookstore
      service_account: bookstore
      direction: inbound
      workloads: [Deployment/bookstore-v1]
      services: [bookstore]
duration:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.72
cluster:
  description: Which cluster this was. C(uid) is the UID of its namespace C(kube-system) and may be given as O(expected_cluster).
  returned: always
  type: dict
  sample: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

import time
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule, lifecycle_spec, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight import Request, fail_if_needed, preflight


def mesh_preflight(module: LifecycleModule) -> dict[str, Any]:
    """Read, judge, and fail when what was found is severe enough."""
    started, connection, params = time.monotonic(), module.connection, module.params
    request = Request(params["namespaces"], params["selector"], params["mesh_name"], params["mesh_namespace"], params["policies"])
    found = preflight(connection.api, request)
    cluster = {"server": connection.server, "uid": connection.uid}
    result = {**found, "cluster": cluster, "duration": round(time.monotonic() - started, 3)}
    fail_if_needed(result, params["fail_on"])
    return result


def main() -> None:
    """Run as an Ansible module."""
    spec = lifecycle_spec(
        namespaces={"type": "list", "elements": "str", "default": []},
        selector={"type": "str", "default": ""},
        mesh_name={"type": "str"},
        mesh_namespace={"type": "str"},
        state={"type": "str", "choices": ["present"], "default": "present"},
        policies={"type": "list", "elements": "dict", "default": []},
        fail_on={"type": "str", "choices": ["error", "warning", "never"], "default": "error"},
    )
    run(mesh_preflight, spec, explicit=False)


if __name__ == "__main__":
    main()
