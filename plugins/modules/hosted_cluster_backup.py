#!/usr/bin/python
# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: hosted_cluster_backup
short_description: Back up one HyperShift hosted cluster on AWS as a verified, restorable set
version_added: 0.4.0
author:
  - meshops contributors (@meshops)
description:
  - Makes a backup set of one hosted cluster. It has the objects that make up the cluster on its management cluster with the Secrets and
    ConfigMaps that they refer to, one snapshot of its etcd in an S3 bucket, and an index with checksums of everything and a statement of
    what is not in it.
  - The whole is one call. It looks at the cluster, its etcd and the bucket, shows a plan, refuses what cannot be backed up safely,
    makes the set, and reads it again to prove that it is whole.
  - In mode V(online) nothing is written to any cluster. In mode V(quiesce) the hosted cluster is stopped first, and stays stopped, as the
    first step of a move to another management cluster.
  - The snapshot goes from the etcd pod to the bucket as a stream. It is never on the controller, and no disk is filled without having
    been asked how much room it has.
  - A set that is not finished never looks like one. What a killed run has left is cleared by the next run into the same O(dest).
options:
  name:
    description:
      - Name of the HostedCluster. Required unless O(verify_set=true).
    type: str
  namespace:
    description:
      - Namespace of the HostedCluster.
    type: str
    default: clusters
  mode:
    description:
      - V(online) backs up without an interruption, for instance every night. Nothing is changed, not even for a moment.
      - V(quiesce) pauses the HostedCluster, its NodePools and its Cluster, and stops the API servers and the controllers that could act on
        its machines, so that nothing changes after the snapshot. The workers and what runs on them go on. It B(leaves) the cluster stopped,
        for a restore on another management cluster. RV(resume_commands) brings it back.
    type: str
    choices: [online, quiesce]
    default: online
  dest:
    description:
      - Directory on the controller in which sets are kept. It is made, for its owner only, when it is not there, and refused when others
        may read it. Each run makes a directory of its own in it, named after the cluster, the time and a random part, and never touches
        another.
      - Required unless O(verify_set=true).
    type: path
  bucket:
    description:
      - The S3 bucket for the snapshot of etcd. Use one for this purpose only, which nobody but the operators may read, because the
        snapshot has all secrets of the hosted cluster in clear.
      - A bucket that is public, that HyperShift publishes identity documents in, or that is in another region than the hosted cluster is
        refused.
      - Required unless O(verify_set=true).
    type: str
  prefix:
    description:
      - What the keys in the bucket begin with, without a slash at its end. A restore gives the address of the snapshot to HyperShift, which
        takes at most 1024 characters, so a short prefix is a good one.
    type: str
    default: ""
  kms_key_id:
    description:
      - Id or ARN of the KMS key that S3 encrypts with. By default S3 uses the key of the bucket, or its own.
    type: str
  encryption:
    description:
      - Encrypts the files of the set that have objects, so that it may be kept elsewhere. The index stays readable.
    type: dict
    suboptions:
      key_file:
        description:
          - A file with a key of 32 bytes, as they are, in hexadecimal or in base64, which only its owner may read.
            C(openssl rand -hex 32) makes one.
          - Without this key the set is lost. It is not in the set.
        type: path
        required: true
  upload_set:
    description:
      - Store the finished set in the bucket as well, beside its snapshot, so that it survives the controller. Needs O(encryption).
    type: bool
    default: false
  verify_set:
    description:
      - Verify an existing set, O(set), instead of making one. Needs no cluster.
      - O(mode=quiesce), O(upload_set=true) and O(expected_plan_id) are about making one. The module refuses them with it, and the role
        leaves them out.
    type: bool
    default: false
  set:
    description:
      - The set to verify. A directory, or C(s3://BUCKET/PREFIX/RUN-ID) for one that was uploaded.
      - Refused without O(verify_set=true), because a backup makes a new set.
    type: str
  snapshot_check:
    description:
      - How O(verify_set=true) looks at the snapshot. V(metadata) compares its size and its checksum as S3 knows them,
        V(content) reads all of it. V(none) does not look, so that a set on disk is verified without AWS; a finding says so.
      - Without O(verify_set=true) others than the default are refused by the module, and left out by the role.
    type: str
    choices: [metadata, content, none]
    default: metadata
  management_cluster_name:
    description:
      - In mode V(quiesce), what the ConfigMap C(default/mgmt-parent-cluster) in the hosted cluster says about where it came from. By
        default the UID of the management cluster.
    type: str
  stop_timeout:
    description:
      - In mode V(quiesce), the seconds that the pods of the stopped components have to go. Nothing is copied before they are gone.
    type: int
    default: 300
  timeout:
    description:
      - Seconds for the whole call. Nothing is begun after that, and a transfer that is under way then is broken off.
    type: int
    default: 3600
extends_documentation_fragment:
  - meshops.lifecycle.source
  - meshops.lifecycle.aws
  - meshops.lifecycle.procedure
  - meshops.lifecycle.attributes
attributes:
  check_mode:
    support: full
    details:
      - Reads everything that a backup reads, and returns the plan, the refusals and the index that it would write. In the etcd pods it
        runs commands that only read.
  diff_mode:
    support: full
    details:
      - Of the objects that mode V(quiesce) changes.
  idempotent:
    support: none
    details:
      - Each run makes a new set. Stopping a hosted cluster that is stopped changes nothing.
notes:
  - "The written procedure uploads with a signature that S3 has not accepted for new buckets since 2020, into the bucket of identity
    documents that all the world can read. It takes a snapshot of every member, of which a restore uses one, and records no replica counts.
    Here it is one snapshot of one healthy member, uploaded by the SDK, with checksums from the pod to S3."
  - "What a restore makes new is not in the set. RV(left_out) says what, and why."
seealso:
  - module: meshops.lifecycle.hosted_cluster_info
"""

EXAMPLES = r"""
# The tasks below rely on AWS credentials in the environment.

- name: See what would be backed up, and what stands in the way
  meshops.lifecycle.hosted_cluster_backup:
    source: &management
      kubeconfig: "{{ management_kubeconfig }}"
    name: prod
    dest: "{{ backup_directory }}"
    bucket: hosted-backups
    region: us-east-2
  check_mode: true
  register: backup

- name: Show the plan, and what a set does not have
  ansible.builtin.debug:
    msg: "{{ backup.plan_table.splitlines() + (backup.left_out | map(attribute='what')) }}"

- name: Back up every night, with a copy beside the snapshot that survives this machine
  meshops.lifecycle.hosted_cluster_backup:
    source: *management
    name: prod
    dest: "{{ backup_directory }}"
    bucket: hosted-backups
    prefix: nightly
    region: us-east-2
    encryption:
      key_file: "{{ backup_key_file }}"
    upload_set: true
  register: backup

- name: Verify that set, from disk, reading all of the snapshot
  meshops.lifecycle.hosted_cluster_backup:
    verify_set: true
    set: "{{ backup.set.path }}"
    snapshot_check: content
    region: us-east-2
    encryption:
      key_file: "{{ backup_key_file }}"

- name: Verify what is in the bucket
  meshops.lifecycle.hosted_cluster_backup:
    verify_set: true
    set: "{{ backup.set.uploaded_to }}"
    region: us-east-2
    encryption:
      key_file: "{{ backup_key_file }}"

- name: Stop the cluster for a move, and back it up as it is then
  meshops.lifecycle.hosted_cluster_backup:
    source: *management
    name: prod
    mode: quiesce
    dest: "{{ backup_directory }}"
    bucket: hosted-backups
    prefix: move
    region: us-east-2
    management_cluster_name: mgmt-1
  register: stopped

- name: Show how to bring it back
  ansible.builtin.debug:
    msg: "{{ stopped.resume_commands }}"
"""

RETURN = r"""
changed:
  description: Whether a set was made, or would be in check mode. Verifying changes nothing.
  returned: always
  type: bool
set:
  description:
    - The set that was made or verified. C(path) is empty when it is not on disk, C(uploaded_to) when it is not in a bucket.
  returned: when there is a set
  type: dict
  sample:
    run_id: prod-20261121T231500Z-1f3a9c
    path: /var/backups/hosted/prod-20261121T231500Z-1f3a9c
    index: /var/backups/hosted/prod-20261121T231500Z-1f3a9c/index.json
    files: 96
    bytes: 412733
    uploaded_to: s3://hosted-backups/nightly/prod-20261121T231500Z-1f3a9c
snapshot:
  description: The snapshot of etcd in the bucket.
  returned: when there is a set
  type: dict
  sample:
    bucket: hosted-backups
    key: nightly/prod-20261121T231500Z-1f3a9c/etcd.db
    version_id: "4Nd9vF"
    size: 104861728
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    revision: 812334
    total_keys: 20412
index:
  description: The index of the set, or in check mode the index that it would have. There are no secrets in it.
  returned: when the cluster was read or a set was verified
  type: dict
  sample:
    format: meshops.lifecycle/backup-set
    format_version: 1
    run_id: prod-20261121T231500Z-1f3a9c
    mode: online
left_out:
  description: What is not in the set, and why.
  returned: when the cluster was read
  type: list
  elements: dict
  sample:
    - what: the data of persistent volumes
      why: "it is in EBS volumes of the workers' account, which stay where they are"
      number: 0
presigned_url_length:
  description:
    - How long the address of the snapshot would be that a restore gives to HyperShift, signed with the credentials of this call. More
      than 1024 characters are too many. 0 when it is not known.
  returned: when the cluster was read
  type: int
  sample: 412
resume_commands:
  description: In mode V(quiesce), the commands that bring the cluster back to exactly what it was.
  returned: when the hosted cluster is stopped
  type: list
  elements: str
  sample:
    - kubectl scale deployment kube-apiserver -n clusters-prod --replicas=3
verified:
  description:
    - Whether the set was read again and is whole. A set that is not fails the module.
    - A backup that failed when its set had been made has RV(set) and this, too.
  returned: when a set was made or verified
  type: bool
plan:
  description: What was planned. C(id) is the same for the same intent, and may be given as O(expected_plan_id).
  returned: when there is a plan
  type: dict
  sample:
    id: 90c1be2f67dd0a14
    procedure: hosted_cluster_backup
    target: clusters/prod
    risk: low
    phases:
      - name: snapshot
        provisional: false
        steps:
          - id: snapshot:StatefulSet/clusters-prod/etcd
            action: snapshot
            object: {kind: StatefulSet, namespace: clusters-prod, name: etcd}
            why: one snapshot of etcd-1, streamed to s3://hosted-backups/nightly
            risk: low
            reversible: true
            simulated: nothing is copied in check mode
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
    - {id: "snapshot:StatefulSet/clusters-prod/etcd", phase: snapshot, outcome: done, duration: 4.1, message: 100 MiB}
findings:
  description: What the reader should know, each with severity, code, object, what, why and remedy.
  returned: always
  type: list
  elements: dict
duration:
  description: Seconds that the module took.
  returned: always
  type: float
  sample: 9.7
cluster:
  description: The management cluster. C(uid) is the UID of its namespace C(kube-system) and may be given as C(source.expected_cluster).
  returned: always
  type: dict
  sample: {server: "https://127.0.0.1:6443", uid: 0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11}
"""

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._aws.session import AWS_SPEC
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_options import require_one_purpose
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.backup_run import back_up
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_check import check_set
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import LifecycleModule, run, source_spec


def back_up_or_verify(module: LifecycleModule) -> dict[str, Any]:
    """Make a set, or look at one that is there."""
    require_one_purpose(module.params)
    return check_set(module) if module.params["verify_set"] else back_up(module)


def main() -> None:
    """Run the module."""
    spec = source_spec(
        **AWS_SPEC,
        name={"type": "str"},
        namespace={"type": "str", "default": "clusters"},
        mode={"type": "str", "choices": ["online", "quiesce"], "default": "online"},
        dest={"type": "path"},
        bucket={"type": "str"},
        prefix={"type": "str", "default": ""},
        kms_key_id={"type": "str"},
        encryption={"type": "dict", "no_log": False, "options": {"key_file": {"type": "path", "required": True, "no_log": False}}},
        upload_set={"type": "bool", "default": False},
        verify_set={"type": "bool", "default": False},
        set={"type": "str"},
        snapshot_check={"type": "str", "choices": ["metadata", "content", "none"], "default": "metadata"},
        management_cluster_name={"type": "str"},
        stop_timeout={"type": "int", "default": 300},
        expected_plan_id={"type": "str"},
        timeout={"type": "int", "default": 3600},
    )
    run(
        back_up_or_verify,
        spec,
        explicit=True,
        cluster_option="source",
        required_if=[("verify_set", False, ("source", "name", "dest", "bucket")), ("verify_set", True, ("set",))],
    )


if __name__ == "__main__":
    main()
