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
  - Products beside each other are told apart, with the CustomResourceDefinitions that they share and the names that they quarrel about.
  - Why a component is not ready is read from the status of its pods, their Events and the last lines of their logs, and told with what
    helps. Events and logs are read only while a component is not ready.
  - Changes nothing. Lists are read in pages and reduced while they are read, so the number of requests grows with pages of 500 pods
    and not with namespaces. A cluster without any trace of the family costs about a dozen requests.
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
      - Whether to read the pods of the whole cluster, to count the sidecars that are there, stale or missing, and the Secrets of
        sidecars (their metadata), to count those that nothing uses.
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
    C(customresourcedefinitions.apiextensions.k8s.io), C(meshconfigs.config.openservicemesh.io), C(meshconfigs.config.flomesh.io),
    C(nodes), C(events), C(jobs.batch), C(serviceaccounts), C(clusterroles.rbac.authorization.k8s.io) and
    C(clusterrolebindings.rbac.authorization.k8s.io), and C(get) for C(namespaces), C(secrets), C(configmaps), C(services),
    C(pods/log), C(deployments.apps) and C(customresourcedefinitions.apiextensions.k8s.io). Without the list of all Secrets only the
    numbers of bootstrap Secrets are unknown, without the list of Nodes only the capacity."
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

- name: Say how far each component is, and what helps one that is not ready
  ansible.builtin.debug:
    msg: "{{ [item.message] + (item.diagnosis | map(attribute='remedy')) }}"
  loop: "{{ mesh.meshes[0].components }}"
  loop_control:
    label: "{{ item.name }}"

- name: Stop when something about it is in error
  ansible.builtin.assert:
    that: (mesh.meshes[0].findings | selectattr('severity', 'equalto', 'error')) is not any
    fail_msg: "{{ mesh.meshes[0].findings | map(attribute='what') | join('; ') }}"
"""

RETURN = r"""
meshes:
  description: One entry per control plane, ordered by namespace.
  returned: success
  type: list
  elements: dict
  contains:
    product:
      description: Which product it is (V(osm-edge), V(osm) or V(fsm)), told by its images, its chart and its MeshConfig.
      type: str
      sample: osm-edge
    name:
      description: Name of the mesh, as namespaces carry it in their label C(openservicemesh.io/monitored-by).
      type: str
      sample: osm
    namespace:
      description: Namespace of the control plane.
      type: str
      sample: osm-system
    version:
      description: Version that the controller runs, or, while there is none, another component.
      type: str
      sample: 1.2.3
    versions:
      description: Versions in detail. Each component's own, and those of chart and application in the newest Helm record.
      type: dict
      sample:
        control_plane: {osm-bootstrap: 1.2.3, osm-controller: 1.2.3, osm-injector: 1.2.3}
        chart: 1.2.3
        app: 1.2.3
    release:
      description:
        - The Helm release that the Deployments are annotated with, as its newest record tells. C(null) when there is no trace of one.
        - RV(meshes[].release.status) is empty and RV(meshes[].release.revision) is C(null) when the record is missing or may not be read.
      type: dict
      contains:
        name:
          description: Name of the release, which may differ from the mesh's.
          type: str
          sample: osm
        namespace:
          description: Namespace of its records, which may differ from the mesh's.
          type: str
          sample: osm-system
        revision:
          description: Newest revision.
          type: int
          sample: 1
        status:
          description: Status of the newest revision in Helm's words.
          type: str
          sample: deployed
        chart:
          description: Name of the chart.
          type: str
          sample: osm-edge
        updated:
          description: When the newest revision was deployed, in RFC 3339.
          type: str
          sample: "2026-01-02T03:04:05.391201489Z"
    rolled_out:
      description: Whether every component is there and rolled out.
      type: bool
      sample: true
    components:
      description:
        - Deployments and DaemonSets of the control plane, with their pod counts and the words of C(kubectl rollout status), followed by
          what keeps their pods from being ready.
        - C(version) is what the image says (its version label, when the image has a digest or a tag that is no version), C(chart_version)
          the C(appVersion) of the chart that wrote its command line. A component whose two versions do not belong together has the finding
          C(component-image-mismatch).
        - C(diagnosis) has one entry for each thing that holds a component back that is not rolled out, with a cause in a stable word (such
          as V(insufficient-cpu), V(image-pull), V(cli-mismatch), V(waits-for-bootstrap)), its object, and what helps.
      type: list
      elements: dict
      sample:
        - name: osm-controller
          kind: Deployment
          version: 1.2.3
          chart_version: 1.2.3
          images: ["flomesh/pipy-repo:0.70.0-46", "flomesh/osm-edge-controller:1.2.3"]
          desired: 1
          updated: 1
          ready: 0
          available: 0
          rolled_out: false
          message: >-
            Waiting for deployment "osm-controller" rollout to finish: 0 of 1 updated replicas are available...;
            Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.
          diagnosis:
            - object: {kind: Pod, namespace: osm-system, name: osm-controller-6d4f7c5b9-x2x7k}
              cause: insufficient-cpu
              message: "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."
              remedy: add a node or free CPU, or lower the value osm.osmController.resource.requests
    mesh_config:
      description:
        - What the MeshConfig says, C(null) when there is none. RV(meshes[].mesh_config.sidecar_image) and
          RV(meshes[].mesh_config.init_image) are what new pods get.
        - RV(meshes[].mesh_config.gaps) are the keys of the installed version's own preset that it lacks.
      type: dict
      contains:
        name:
          description: Name of the object.
          type: str
          sample: osm-mesh-config
        sidecar_class:
          description: Kind of sidecar.
          type: str
          sample: pipy
        sidecar_image:
          description: Sidecar image of new pods, from the MeshConfig or the injector's environment.
          type: str
          sample: flomesh/pipy:0.70.0-46
        init_image:
          description: Image of the init container of new pods.
          type: str
          sample: flomesh/osm-edge-sidecar-init:1.2.3
        sidecar_log_level:
          description: Log level of sidecars.
          type: str
          sample: error
        interception_mode:
          description: How traffic is led through the sidecar. Empty where the version knows no modes, or the key is missing.
          type: str
          sample: iptables
        permissive_mode:
          description: Whether all traffic inside the mesh is allowed without policies.
          type: bool
          sample: true
        egress:
          description: Whether traffic to outside the mesh is allowed without policies.
          type: bool
          sample: true
        log_level:
          description: Log level of the control plane.
          type: str
          sample: info
        preset_known:
          description: Whether the preset could be read, which gaps are told by.
          type: bool
          sample: true
        gaps:
          description: Paths that the preset has and the MeshConfig lacks.
          type: list
          elements: str
          sample: [traffic.interceptionMode, pluginChains]
    namespaces:
      description:
        - Enrolled namespaces. C(injection) and C(metrics) are the values of their annotations, C(ignored) tells that the label
          C(openservicemesh.io/ignore) is there.
        - C(pods), C(injected), C(stale) and C(missing) are counts, left out when O(data_plane=false).
      type: list
      elements: dict
      sample:
        - {name: bookstore, injection: enabled, metrics: "", ignored: false, pods: 4, injected: 4, stale: 0, missing: 0}
    data_plane:
      description:
        - Counts of pods, without those that have ended or are being deleted. C(null) when O(data_plane=false) or pods may not be read.
      type: dict
      contains:
        pods:
          description: Pods in enrolled namespaces.
          type: int
          sample: 15
        injected:
          description: Pods that have a sidecar of this mesh.
          type: int
          sample: 14
        current:
          description: Pods whose sidecar is the one that they would get now.
          type: int
          sample: 12
        expected_but_missing:
          description: Pods without a sidecar that would get one now.
          type: int
          sample: 0
        stale:
          description: Pods with another sidecar than they would get now.
          type: int
          sample: 2
        stale_reasons:
          description: The number of stale pods per reason.
          type: dict
          sample: {"runs flomesh/pipy:0.70.0-46, new pods get flomesh/pipy:0.90.3-38": 2}
        without_interception:
          description: Pods whose traffic goes past their sidecar, because they lack the init container.
          type: int
          sample: 0
        unexpected:
          description: Pods with a sidecar that would get none now.
          type: int
          sample: 0
    webhooks:
      description:
        - Webhook configurations that lead to this control plane. C(alive) tells whether their Service has a ready endpoint, and is C(null)
          when that may not be read. C(version) is their version label, which control planes never update.
      type: list
      elements: dict
      sample:
        - name: osm-webhook-osm
          kind: MutatingWebhookConfiguration
          service: osm-system/osm-injector:9090
          alive: true
          ca_bundle: true
          version: 1.2.3
          failure_policy: Fail
    crds:
      description: CustomResourceDefinitions of the product, with the versions that they serve. They carry no mesh's name.
      type: list
      elements: dict
      sample:
        - {name: meshconfigs.config.openservicemesh.io, versions: [v1alpha2, v1alpha1], storage: v1alpha2, conversion: None}
    reconciler:
      description:
        - Whether the reconciler of the mesh is on (C(osm.enableReconciler)), in which Deployments it runs, and the number of definitions
          and webhook configurations that it looks after. It takes back what others change in them.
      type: dict
      sample: {enabled: false, components: [], crds: 0, webhooks: 0}
    capacity:
      description:
        - What the nodes have left, and what replacing all pods of the control plane as they are would need at once (C(surge)), which is
          what an upgrade does. CPU is in cores, memory in bytes; C(fits) tells whether every new pod finds a node, played through pod by
          pod.
        - C(null) when O(data_plane=false). Only C(checked) (V(false)) and C(reason) are there when nodes may not be listed.
      type: dict
      sample:
        checked: true
        nodes: 3
        usable_nodes: 3
        free: {cpu: 4.2, memory: 12884901888}
        largest_free_node: {name: node-1, cpu: 1.9, memory: 5368709120}
        pending_pods: 0
        surge: {cpu: 1.1, memory: 536870912, pods: 3, fits: true}
    ca_secret:
      description: Whether the Secret with the mesh's root certificate exists; C(null) when that may not be read.
      type: bool
      sample: true
    findings:
      description: What is wrong with this mesh, or worth knowing, the most severe first.
      type: list
      elements: dict
      contains:
        severity:
          description: V(error), V(warning) or V(info).
          type: str
          sample: error
        code:
          description: What kind of finding it is, in a stable word.
          type: str
          sample: interception-mode-missing
        object:
          description: Kind, namespace and name of the object that it is about.
          type: dict
          sample: {kind: MeshConfig, namespace: osm-system, name: osm-mesh-config}
        what:
          description: What was seen.
          type: str
          sample: traffic.interceptionMode is missing
        why:
          description: Why it matters.
          type: str
          sample: "new pods get a sidecar without osm-init: their traffic bypasses the mesh"
        remedy:
          description: What to do.
          type: str
          sample: complete the MeshConfig by running the upgrade to the same version again, or mesh_config
shared_crds:
  description:
    - CustomResourceDefinitions that more than one mesh uses, such as those of SMI. Each bootstrap overwrites them with its own when it
      starts, and removing them takes away the other mesh's objects.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the definition.
      type: str
      sample: traffictargets.access.smi-spec.io
    versions:
      description: Versions that it serves.
      type: list
      elements: str
      sample: [v1alpha3]
    used_by:
      description: The meshes that use it, with product, name and namespace.
      type: list
      elements: dict
      sample:
        - {product: fsm, name: fsm, namespace: fsm-system}
        - {product: osm-edge, name: osm, namespace: osm-system}
leftovers:
  description:
    - What earlier versions, hooks and meshes that are gone left in the cluster. What is wrong with it is in RV(findings), and with the mesh
      when it is there.
  returned: success
  type: dict
  contains:
    bootstrap_secrets:
      description: Number of the sidecars' bootstrap Secrets, C(null) when O(data_plane=false) or when they or the pods may not be read.
      type: int
      sample: 14
    orphaned_bootstrap_secrets:
      description: Number of those that no pod mounts and no pod owns, C(null) likewise.
      type: int
      sample: 0
    hooks:
      description:
        - Objects of the charts' hooks (C(<release>-cleanup), C(<release>-preinstall)) that Helm did not remove. C(state) is that of a Job,
          V(failed), V(running) or V(done), and empty for others.
      type: list
      elements: dict
      sample:
        - {kind: Job, name: osm-cleanup, namespace: osm-system, state: failed}
findings:
  description:
    - Findings that are about the cluster and not about one mesh, in the same form. Namespaces labelled for a mesh that does not exist,
      meshes side by side and what they quarrel about, webhooks, definitions and hooks that belong to no mesh any more, what could not be
      read.
  returned: success
  type: list
  elements: dict
  sample:
    - severity: warning
      code: namespace-of-absent-mesh
      object: {kind: Namespace, namespace: "", name: old-shop}
      what: "labelled openservicemesh.io/monitored-by=blue, but there is no mesh blue: old-shop"
      why: the mesh was removed, or renamed by an upgrade, and its namespaces kept the label
      remedy: "label them for the mesh that is there, or: kubectl label namespace old-shop openservicemesh.io/monitored-by-"
summary:
  description: Number of reported meshes, and of all findings by severity.
  returned: success
  type: dict
  sample: {meshes: 1, errors: 0, warnings: 1, infos: 0}
duration:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 0.61
cluster:
  description: Which cluster this was. C(uid) is the UID of its namespace C(kube-system) and may be given as O(expected_cluster).
  returned: always
  type: dict
  sample: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

import time
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule, lifecycle_spec, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_survey import survey
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report import report


def mesh_info(module: LifecycleModule) -> dict[str, Any]:
    """Observe the cluster and report."""
    started = time.time()
    connection, options = module.connection, module.params
    observed, room = survey(connection.api, mesh_name=options["mesh_name"], data_plane=options["data_plane"])
    result = report(observed, now=started, mesh_name=options["mesh_name"], namespace=options["mesh_namespace"], room=room)
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
