# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosted clusters of one management cluster, backed up in one run of the playbook."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from backup_bed import BUCKET, Say, management
from hosted.aws import REGION, Aws
from hosted.bed import Bed
from hosted.etcd_image import Image
from hosted.shape import Shape, shape_of_size
from measuring import Candidate, Measurement, side_by_side
from sandboxlib.cluster import Cluster

HERE = Path(__file__).resolve().parent


class Backups(NamedTuple):
    """``found`` are a playbook that does nothing and that of the backups; the rest is what one run asks for each of the clusters."""

    found: list[Measurement]
    requests: float
    execs: float
    requests_of_aws: float


def backups(home: Path, runs: int, say: Say, number: int) -> Backups:
    """Measure the playbook on hosted clusters with a real etcd each; their API servers, which a backup does not ask, are stopped."""
    with management(home, "bench-backups", say) as (bed, aws):
        shapes = [shape_of_size(f"team-{index:02}", 3, availability="SingleReplica") for index in range(1, number + 1)]
        say(f"starting {number} hosted clusters, one after the other")
        for shape in shapes:
            _add(bed, shape)
        hosts, sets = home / "inventory.json", home / "sets-of-many"
        hosts.write_text(json.dumps(_inventory(bed.cluster, aws, shapes, sets)), encoding="utf-8")
        playbook = ["ansible-playbook", "meshops.lifecycle.hosted_cluster_backup", "-i", str(hosts)]
        reports = ["-e", f"hosted_cluster_backup_report_dir={home / 'reports'}"]
        candidates = [
            Candidate(
                "ansible.builtin.ping",
                ["ansible-playbook", str(HERE / "ping.yml"), "-i", str(hosts), "--limit", "hosted_clusters"],
                expect="failed=0 ",
            ),
            Candidate(f"backup playbook, {number} sets", [*playbook, *reports], expect="failed=0 "),
        ]
        environment = {**os.environ, **bed.cluster.environment(), **aws.environment()}
        mark, asked = bed.cluster.mark(), len(aws.requests())
        say(f"measuring {len(candidates)} playbooks, {runs} times each")
        found = side_by_side(candidates, runs, environment)
        ours = [event for event in bed.cluster.audit_since(mark) if event.user_agent.startswith("meshops.lifecycle/")]
        made = [path for path in sets.iterdir() if not path.name.startswith(".")]
        # Each candidate has run once more, to warm up.
        done = number * (runs + 1)
        if len(made) != done:
            raise RuntimeError(f"there are {len(made)} sets, not {done}")
        execs = sum(event.resource == "pods/exec" for event in ours)
        return Backups(found, len(ours) / done, execs / done, (len(aws.requests()) - asked) / done)


def _add(bed: Bed, shape: Shape) -> None:
    hosted = bed.add(shape, real=Image())
    hosted.wait_for_pods()
    hosted.real.stop("kube-apiserver")


def _inventory(cluster: Cluster, aws: Aws, shapes: Sequence[Shape], dest: Path) -> dict[str, Any]:
    """Return an inventory whose hosts are the hosted clusters and their management cluster (JSON, which is YAML)."""
    settings = {
        "hosted_cluster_source": "management",
        "hosted_cluster_backup_dest": str(dest),
        "hosted_cluster_backup_bucket": BUCKET,
        "meshops_aws_region": REGION,
        "meshops_aws_endpoint_url": aws.endpoint,
        "meshops_aws_ca_bundle": str(aws.ca_bundle),
    }
    groups = {
        "hosted_clusters": {"hosts": {shape.name: {} for shape in shapes}, "vars": settings},
        "management_clusters": {"hosts": {"management": {"meshops_kubeconfig": str(cluster.kubeconfig)}}},
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    return {"all": {"children": groups, "vars": local}}
