#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_info
short_description: Tell which meshes of the OSM family a cluster has, and in what state they are
version_added: 0.1.0
author:
  - meshops contributors (@meshops)
description:
  - Finds every control plane of osm-edge, Open Service Mesh and FSM in a cluster and reports its product, versions, Helm release,
    components, MeshConfig, namespaces, webhooks and CustomResourceDefinitions, counts the pods of its data plane, and says what is wrong.
  - A mesh is found by any one of its parts (a Deployment, the Helm release, a webhook configuration, the MeshConfig), so that an
    interrupted upgrade and the remains of an uninstallation show as well.
  - Changes nothing. Lists are read in pages and reduced while they are read, so the number of requests grows with pages of 500 pods
    and not with namespaces.
options:
  mesh_name:
    description:
      - Report only the mesh with this name (C(osm.meshName), which may differ from the name of its Helm release).
      - The module fails, naming the meshes that exist, when there is no such mesh.
    type: str
  mesh_namespace:
    description:
      - Report only the mesh whose control plane is in this namespace.
    type: str
  data_plane:
    description:
      - Whether to read the pods of the whole cluster, to count the sidecars that are there, stale or missing.
    type: bool
    default: true
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - meshops.lifecycle.connection
  - meshops.lifecycle.attributes
  - meshops.lifecycle.attributes.info
notes:
  - Needs the permission to list Namespaces and Deployments in the whole cluster. Whatever else may not be read is reported as unknown,
    with a finding C(not-readable) that names the missing permission. Secrets are only listed by their metadata, except the newest
    record of the Helm release of a mesh.
  - "A ClusterRole for all of it allows C(list) for C(namespaces), C(pods), C(services), C(secrets), C(deployments.apps),
    C(daemonsets.apps), C(replicasets.apps), C(endpointslices.discovery.k8s.io),
    C(mutatingwebhookconfigurations.admissionregistration.k8s.io), C(validatingwebhookconfigurations.admissionregistration.k8s.io),
    C(customresourcedefinitions.apiextensions.k8s.io), C(meshconfigs.config.openservicemesh.io) and C(meshconfigs.config.flomesh.io),
    and C(get) for C(namespaces), C(secrets), C(configmaps) and C(customresourcedefinitions.apiextensions.k8s.io)."
  - The version label of webhook configurations is compared only to warn about an uninstallation that would leave them behind. The mesh
    is never found by it, because control planes do not update it.
seealso:
  - module: meshops.lifecycle.mesh_config
  - module: meshops.lifecycle.mesh_upgrade
"""

EXAMPLES = r"""
# The tasks below rely on module_defaults for group/meshops.lifecycle.all to carry the connection.

- name: Look at every mesh of the cluster
  meshops.lifecycle.mesh_info:
  register: cluster_meshes

- name: Say which version runs and how many pods want a restart
  ansible.builtin.debug:
    msg: >-
      {{ item.name }}: {{ item.product }} {{ item.version }}, chart {{ item.versions.chart }},
      {{ item.data_plane.stale }} of {{ item.data_plane.injected }} sidecars are stale
  loop: "{{ cluster_meshes.meshes }}"
  loop_control:
    label: "{{ item.name }}"

- name: Look at one mesh without reading the pods of the cluster
  meshops.lifecycle.mesh_info:
    mesh_name: osm
    data_plane: false
  register: mesh

- name: Stop when something about it is in error
  ansible.builtin.assert:
    that: (mesh.meshes[0].findings | selectattr('severity', 'equalto', 'error')) is not any
    fail_msg: "{{ mesh.meshes[0].findings | map(attribute='what') | join('; ') }}"
"""

RETURN = r"""
"""

import time
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule, lifecycle_spec, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report import report


def mesh_info(module: LifecycleModule) -> dict[str, Any]:
    """Observe the cluster and report."""
    started = time.time()
    connection, options = module.connection, module.params
    observed = discover(connection.api, mesh_name=options["mesh_name"], data_plane=options["data_plane"])
    result = report(observed, now=started, mesh_name=options["mesh_name"], namespace=options["mesh_namespace"])
    cluster = {"server": connection.server, "uid": connection.uid}
    return {**result, "cluster": cluster, "duration": round(time.time() - started, 3)}


def main() -> None:
    """Run as an Ansible module."""
    spec = lifecycle_spec(
        mesh_name={"type": "str"},
        mesh_namespace={"type": "str"},
        data_plane={"type": "bool", "default": True},
    )
    run(mesh_info, spec, explicit=False)


if __name__ == "__main__":
    main()
