#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hosted_cluster_info
short_description: Tell which HyperShift hosted clusters there are, in what state they are, and what would stop a move
version_added: 0.4.0
author:
  - meshops contributors (@meshops)
description:
  - With O(name), looks at one hosted cluster as a whole. At its objects on the management cluster, at each member of its etcd, at its
    nodes by its own API, and, when asked to, at its EC2 instances and its names in Route 53.
  - Without O(name), lists all hosted clusters of the management cluster in brief, with a handful of requests however many there are.
  - Says for each whether it can be moved to another management cluster as it is, and what is in the way, with what helps.
  - The health of etcd is told by the list of members that each member has. C(EtcdAvailable) also says C(True) when every pod has become
    a cluster of its own, as restores of HyperShift up to 2026 make them.
  - Changes nothing. In the etcd pods it runs a fixed list of commands that only read.
  - Fails when it may not list the objects that a hosted cluster is made of. Any other part that may not be read, or does not answer, is
    told as unknown and fails nothing, and so is a part of AWS without credentials.
options:
  name:
    description:
      - Name of the HostedCluster to look at as a whole. All in brief without it.
      - The module fails, naming those that exist, when there is no such HostedCluster.
    type: str
  namespace:
    description:
      - Namespace of the HostedCluster. With O(name), V(clusters) when it is left out.
      - Without O(name), only the hosted clusters of this namespace, or those of all namespaces when it is left out.
    type: str
  include:
    description:
      - With O(name), what to look at besides the management cluster. C(can_move.unchecked) of the result has the others.
      - V(etcd) asks each member of etcd, by exec in its pod.
      - V(nodes) lists the nodes of the hosted cluster, with the administrator's kubeconfig that is in a Secret beside the HostedCluster.
      - V(instances) asks EC2 for the state of the instances, which needs credentials of AWS.
      - V(dns) looks for the cluster's names in Route 53, and for whose they are, which needs credentials of AWS.
    type: list
    elements: str
    choices: [etcd, nodes, instances, dns]
    default: [etcd, nodes]
  machines:
    description:
      - With O(name), whether to return a row for each machine. Only those that are not whole have one otherwise.
    type: bool
    default: false
  zone_id:
    description:
      - With V(dns) in O(include), the hosted zone of Route 53 to look into. By default the public zone of the account whose name is the
        longest end of each hostname.
    type: str
extends_documentation_fragment:
  - meshops.lifecycle.source
  - meshops.lifecycle.aws
  - meshops.lifecycle.attributes
  - meshops.lifecycle.attributes.info
notes:
  - The ClusterRole for all of it is in C(docs/rbac/planner-hosted_cluster_info.yaml) of the collection. Of AWS it needs
    C(ec2:DescribeInstances), C(route53:ListHostedZones) and C(route53:ListResourceRecordSets).
  - Secrets are not read, but the administrator's kubeconfig for V(nodes). The address that a cluster was once restored from is returned
    without its query, which is a key to the snapshot.
  - All codes of findings, and what helps, are in C(docs/hosted-clusters.md) of the collection.
seealso:
  - module: meshops.lifecycle.hosted_cluster_backup
"""

EXAMPLES = r"""
# The tasks below rely on AWS credentials in the environment, where they look at instances and names.

- name: List all hosted clusters of a management cluster
  meshops.lifecycle.hosted_cluster_info:
    source:
      kubeconfig: "{{ management_kubeconfig }}"
  register: east

- name: Say of each which version it runs, and whether it is paused
  ansible.builtin.debug:
    msg: >-
      {{ item.namespace }}/{{ item.name }}: {{ item.versions.version }}, {{ item.identity.api_url }}
      {{ '(paused)' if item.paused.paused else '' }}
  loop: "{{ east.hosted_clusters }}"
  loop_control:
    label: "{{ item.name }}"

- name: Look at one of them as a whole
  meshops.lifecycle.hosted_cluster_info:
    source:
      kubeconfig: "{{ management_kubeconfig }}"
    name: prod
    namespace: clusters
  register: looked

- name: Say what is in the way of a move, and what helps
  ansible.builtin.debug:
    msg: "{{ item.code }}: {{ item.what }} ({{ item.remedy }})"
  loop: "{{ looked.hosted_clusters[0].findings | rejectattr('severity', 'equalto', 'info') }}"
  loop_control:
    label: "{{ item.code }}"

- name: Look at its instances and names as well, with a row for each machine
  meshops.lifecycle.hosted_cluster_info:
    source:
      kubeconfig: "{{ management_kubeconfig }}"
    name: prod
    include: [etcd, nodes, instances, dns]
    machines: true
  register: whole

- name: Stop unless etcd is one cluster with all of its members
  ansible.builtin.assert:
    that: whole.hosted_clusters[0].etcd.one_cluster
"""

RETURN = r"""
brief:
  description: Whether all hosted clusters were listed in brief. Everything that only a whole look has is C(null) then.
  returned: success
  type: bool
  sample: false
hosted_clusters:
  description: One entry per hosted cluster, ordered by namespace and name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the HostedCluster.
      type: str
      sample: prod
    namespace:
      description: Its namespace.
      type: str
      sample: clusters
    control_plane_namespace:
      description: Where its control plane is.
      type: str
      sample: clusters-prod
    identity:
      description: What makes it the cluster that it is, and never changes.
      type: dict
      sample:
        infra_id: prod-x7k2p
        cluster_id: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11
        issuer: https://hosted-oidc.s3.us-east-2.amazonaws.com/prod-x7k2p
        api_url: https://api-prod.hosted.example.com:443
        base_domain: hosted.example.com
    versions:
      description:
        - The version that it runs and the one that it is to run, as the HostedCluster tells, the one of its control plane, and the version
          that each API group was read with.
      type: dict
      sample:
        release_image: quay.io/openshift-release-dev/ocp-release:4.16.21-x86_64
        version: 4.16.21
        desired: 4.16.21
        control_plane: 4.16.21
        apis: {hypershift.openshift.io: v1beta1, cluster.x-k8s.io: v1beta1, infrastructure.cluster.x-k8s.io: v1beta2}
    platform:
      description: Where it runs, and who can reach its API.
      type: dict
      sample: {type: AWS, region: us-east-2, endpoint_access: PublicAndPrivate, availability: HighlyAvailable}
    paused:
      description:
        - What C(pausedUntil) of the HostedCluster says (C(value)) and means now (C(paused)), with the time that it names (C(until)).
          A time that has passed, and a value that is neither a boolean nor a time (C(valid) is V(false)), mean that it is not paused.
        - C(cluster_api) is whether Cluster API leaves all machines alone, C(null) when that was not read.
      type: dict
      sample: {value: "true", paused: true, until: null, valid: true, cluster_api: true}
    stopped:
      description: C(null), or the backup that has stopped the cluster, since when, and the numbers of replicas that its control plane had.
      type: dict
      sample: null
    restored_from:
      description: C(null), or the address of the snapshot that it was once restored from, without its query.
      type: str
      sample: null
    neighbours:
      description: Other hosted clusters of its namespace, or with the same control-plane namespace.
      type: list
      elements: str
      sample: [clusters/stage]
    conditions:
      description:
        - The conditions of the HostedCluster, against what they are when all is well. The number of those that are, and by name those that
          are not, that this operator does not report, that were observed before the spec was last changed, and that nothing is expected of.
      type: dict
      sample: {as_expected: 28, not_as_expected: [], not_reported: [], stale: [], others: {}}
    node_pools:
      description:
        - Its node pools. C(desired) is C(null) while an autoscaler decides and that was not read, C(ready) in brief.
        - C(rolling) says what shows that machines are being replaced, and is empty when none are.
      type: list
      elements: dict
      sample:
        - name: prod-a
          desired: 3
          current: 3
          ready: 3
          autoscaling: null
          upgrade_type: Replace
          auto_repair: true
          instance_type: m5.large
          version: 4.16.21
          paused: {value: "", paused: false, until: null, valid: true}
          conditions: {as_expected: 19, not_as_expected: [], not_reported: [], stale: [], others: {}}
          being_deleted: false
          rolling: []
    control_plane:
      description: How many workloads its control plane has, which of them are stopped (0 replicas), and which are not ready.
      type: dict
      sample: {workloads: 15, stopped: [], not_ready: {kube-apiserver: 2/3}}
    machines:
      description:
        - Whether Machine, AWSMachine, instance and Node belong together, one to one. The numbers, and the rows of machines that are not
          whole. C(rows) has all of them with O(machines), and is C(null) otherwise.
        - C(problems) of a row are words such as V(no-aws-machine), V(no-instance), V(no-node), V(node-not-ready), V(instance-stopped),
          V(instance-absent) or V(phase-deleting). C(instance_state) and C(node_ready) are C(null) where they were not read.
      type: dict
      sample:
        total: 6
        whole: 5
        not_whole:
          - machine: prod-a-8w2kd-x7x2m
            aws_machine: prod-a-8w2kd-x7x2m
            node_pool: prod-a
            instance_id: i-0f2c81b7a9d3e4c51
            provider_id: aws:///us-east-2a/i-0f2c81b7a9d3e4c51
            node: ip-10-0-0-4.us-east-2.compute.internal
            phase: Running
            instance_state: running
            node_ready: false
            problems: [node-not-ready]
        nodes_without_machine: []
        rows: null
    etcd:
      description:
        - What each member of etcd says, C(null) when that was not asked. C(one_cluster) is whether they all are the members of one cluster,
          as many as its StatefulSet has replicas; C(condition) is what C(EtcdAvailable) says.
      type: dict
      sample:
        replicas: 3
        one_cluster: true
        condition: "True"
        members:
          - pod: etcd-0
            member_id: 8e9e05c52164694d
            cluster_id: cdf818194e3a8c32
            name: etcd-0
            version: 3.5.21
            leader: true
            healthy: true
            db_size: 104857600
            db_in_use: 73400320
            revision: 123456
            alarms: []
            members_known: 3
            error: ""
    dns:
      description:
        - Its published names, from its spec and from its Services and Routes. C(state), C(owner) and C(target) are what Route 53 has
          (V(absent), V(owned), V(foreign), V(unowned) or V(txt-only)), and C(null) without V(dns) in O(include).
      type: list
      elements: dict
      sample:
        - name: api-prod.hosted.example.com
          service: APIServer
          told_by: HostedCluster clusters/prod
          state: owned
          owner: 7f0c2f3a-4b7e-4f0e-9a35-5e0e5ad1c6f1
          target: a1b2c3.elb.us-east-2.amazonaws.com
    private_link:
      description: Its endpoints of PrivateLink.
      type: list
      elements: dict
      sample:
        - name: private-router
          endpoint_id: vpce-0a1b2c3d4e5f60718
          endpoint_service: com.amazonaws.vpce.us-east-2.vpce-svc-0a1b2c3d4e5f60718
          names: ["api.prod.hypershift.local"]
    autonode:
      description: What shows that nodes are made by Karpenter (AutoNode). Empty when none are.
      type: list
      elements: str
      sample: []
    writers:
      description:
        - Other tools that write its objects, with what shows it. A C(continuous) one takes back what others write, without anybody asking.
      type: list
      elements: dict
      sample:
        - tool: Argo CD
          object: {kind: HostedCluster, namespace: clusters, name: prod}
          continuous: true
          evidence: "annotation argocd.argoproj.io/tracking-id: hosted:hypershift.openshift.io/HostedCluster:clusters/prod"
    field_managers:
      description: Who has written the HostedCluster and its NodePools, as the API server keeps it.
      type: list
      elements: str
      sample: [hypershift, hypershift-operator]
    can_move:
      description:
        - Whether it can be moved to another management cluster as it is. C(verdict) is V(no) when a finding is an error, V(unknown) when
          etcd or nodes were not looked at, else V(yes).
        - The codes of findings that are errors (C(obstacles)) and warnings (C(cautions)), and what was not looked at.
      type: dict
      sample: {verdict: "yes", obstacles: [], cautions: [private-link], unchecked: [instances, dns]}
    findings:
      description: What was noticed, the most severe first, with C(severity), a stable C(code), the object, what, why and remedy.
      type: list
      elements: dict
      sample:
        - severity: error
          code: external-dns-keeps-records
          object: {kind: Deployment, namespace: hypershift, name: external-dns}
          what: it is started with --policy=upsert-only
          why: it never deletes a record, and the next management cluster's external-dns does not touch one that has another owner
          remedy: start it with --policy=sync for the move, or have records and TXT records deleted by hand
management:
  description:
    - What the management cluster has once. HyperShift's operator, external-dns with what it was told, and the buckets of identity
      documents. C(null) for what is not there or may not be read.
    - C(deletes) is whether external-dns ever deletes a record.
  returned: success
  type: dict
  sample:
    operator: {image: "quay.io/acm-d/rhtap-hypershift-operator:4.17", replicas: 2, ready: 2}
    external_dns:
      image: quay.io/edo/external-dns-rhel8:1.2.1
      replicas: 1
      ready: 1
      provider: aws
      owner_id: 7f0c2f3a-4b7e-4f0e-9a35-5e0e5ad1c6f1
      domains: [hosted.example.com]
      policy: ""
      deletes: true
      registry: txt
      txt_prefix: ""
      txt_suffix: -external-dns
      zone_type: public
      sources: [service, openshift-route]
      interval: 1m
      cache_interval: 1h
    oidc_buckets:
      - {name: hosted-oidc, region: us-east-2, told_by: ConfigMap kube-public/oidc-storage-provider-s3-config}
findings:
  description: What was noticed about the management cluster.
  returned: success
  type: list
  elements: dict
  sample: []
summary:
  description: How many hosted clusters there are, and how many findings of each severity.
  returned: success
  type: dict
  sample: {hosted_clusters: 1, errors: 0, warnings: 1, infos: 3}
duration:
  description: Seconds that the module took.
  returned: success
  type: float
  sample: 1.9
cluster:
  description: The management cluster. C(uid) is the UID of its namespace C(kube-system) and may be given as C(source.expected_cluster).
  returned: always
  type: dict
  sample: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import AWS_SPEC
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.info_run import look
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import run, source_spec


def main() -> None:
    """Run as an Ansible module."""
    spec = source_spec(
        **AWS_SPEC,
        name={"type": "str"},
        namespace={"type": "str"},
        include={"type": "list", "elements": "str", "choices": ["etcd", "nodes", "instances", "dns"], "default": ["etcd", "nodes"]},
        machines={"type": "bool", "default": False},
        zone_id={"type": "str"},
    )
    run(look, spec, explicit=True, cluster_option="source")


if __name__ == "__main__":
    main()
