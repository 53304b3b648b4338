# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/hosted_cluster_backup.yml: hosts are hosted clusters, each finds its management cluster, and one does not stop the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
import yaml
from fleet import Fleet, Run
from fleet import fleet as new_fleet
from hosted.aws import Aws, Fault
from hosted.etcd_image import Image
from hosted.shape import Shape, shape_of_size
from hosted_clusters import ManagementCluster

PLAYBOOK = "meshops.lifecycle.hosted_cluster_backup"
BUCKET = "playbook-backups"
EAST = shape_of_size("east", 2, availability="SingleReplica")
WEST = shape_of_size("west", 2, availability="SingleReplica")
# Objects without anything behind them: no command can be run in its etcd pods.
HOLLOW = shape_of_size("hollow", 1, pools=1, availability="SingleReplica")


@pytest.fixture
def aws(management_cluster: ManagementCluster) -> Aws:
    """Running, with a bucket for backups."""
    management_cluster.bucket(BUCKET)
    return management_cluster.aws


class HostedFleet:
    """An inventory as a user has it: hosted clusters in a group, their management cluster in another, AWS in variables."""

    def __init__(self, fleet: Fleet, directory: Path, management: ManagementCluster, aws: Aws) -> None:
        self._fleet = fleet
        self.directory = directory
        self.inventory = directory / "inventory.yml"
        self._management = management
        self._aws = aws

    def write(self, *shapes: Shape, stray: str = "", **variables: object) -> None:
        """The inventory with these hosts, and a host ``stray`` of that management cluster."""
        hosts = {shape.name: {"hosted_cluster_source": "management"} for shape in shapes}
        if stray:
            hosts["stray"] = {"hosted_cluster_source": stray}
        content = {
            "hosted_clusters": {
                "hosts": hosts,
                "vars": {
                    "hosted_cluster_backup_dest": str(self.directory / "sets"),
                    "hosted_cluster_backup_bucket": BUCKET,
                    "meshops_aws_endpoint_url": self._aws.endpoint,
                    "meshops_aws_ca_bundle": str(self._aws.ca_bundle),
                    "meshops_aws_access_key": self._aws.user.access_key,
                    "meshops_aws_secret_key": self._aws.user.secret,
                    "meshops_aws_region": "us-east-2",
                    **variables,
                },
            },
            "management_clusters": {"hosts": {"management": {"meshops_kubeconfig": str(self._management.cluster.kubeconfig)}}},
        }
        shared = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        self.inventory.write_text(yaml.safe_dump({"all": {"children": content, "vars": shared}}, sort_keys=False), encoding="utf-8")

    def run(self, *arguments: str) -> Run:
        command = ["ansible-playbook", PLAYBOOK, "-i", str(self.inventory), "-e", "hosted_cluster_backup_report_dir=reports", *arguments]
        return self.again(command)

    def again(self, command: list[str]) -> Run:
        run = self._fleet.command(command)
        assert self._aws.user.secret not in run.output
        assert "canary" not in run.output
        return run

    @property
    def sets(self) -> list[str]:
        """The hosted clusters that have a set, once for each; nothing that is half finished is left."""
        found = sorted(path.name for path in (self.directory / "sets").glob("*"))
        assert [path.name for path in (self.directory / "sets").glob(".*")] == []
        return [name.partition("-")[0] for name in found]

    @property
    def report(self) -> str:
        """The newest report for people."""
        return max((self.directory / "reports").glob("backup-*.md")).read_text(encoding="utf-8")


@pytest.fixture
def fleet(tmp_path: Path, management_cluster: ManagementCluster, aws: Aws) -> Iterator[HostedFleet]:
    """Without hosts; no fault is left from another test."""
    aws.clear()
    with new_fleet(tmp_path, PLAYBOOK, "hosted_cluster_backup", {}) as made:
        yield HostedFleet(made, tmp_path, management_cluster, aws)
    aws.clear()


def test_one_does_not_depend_on_another_unless_they_are_to_be_stopped(
    fleet: HostedFleet, management_cluster: ManagementCluster, aws: Aws
) -> None:
    """One is refused by its plan, one has no plan, as its management cluster is not in the inventory, one fails in the middle."""
    both = [management_cluster.hosted(shape, real=Image()) for shape in (EAST, WEST)]
    cluster, namespaces = management_cluster.cluster, [hosted.shape.control_plane_namespace for hosted in both]
    management_cluster.hosted(HOLLOW)
    mark, asked = cluster.mark(), len(aws.requests())

    fleet.write(HOLLOW, EAST, WEST, stray="elsewhere")
    planned = fleet.run("--check", "--diff", "--limit", "east,stray")
    assert (planned.code, planned.outcomes) == (2, {"east": "planned", "stray": "unplanned"})
    assert planned.clusters["east"]["target"] == EAST.annotated
    reason = planned.clusters["stray"]["reason"]
    assert reason.startswith("hosted_cluster_source is elsewhere, which is no host of the inventory: add a host elsewhere")
    assert "check mode: nothing was written" in fleet.report
    # A report that cannot be written hides no outcome, and takes no host out of the run.
    nowhere = fleet.inventory / "reports"
    stopping = fleet.run(
        *("-e", "hosted_cluster_backup_mode=quiesce", "-e", f"hosted_cluster_backup_report_dir={nowhere}"), "--limit", "hollow,east"
    )
    assert (stopping.code, stopping.outcomes) == (2, {})
    assert f"No report was written to {nowhere}: " in stopping.output
    for told in (r" hollow  .*  refused  ", r" east  .*  not reached  ", r"fatal: \[hollow\]: FAILED", r"fatal: \[east\]: FAILED"):
        assert re.search(told, stopping.output), told
    assert [request for request in aws.requests()[asked:] if request["operation"].startswith(("Put", "Create", "Upload"))] == []
    assert fleet.sets == []

    fleet.write(HOLLOW, EAST, WEST, stray="elsewhere", hosted_cluster_backup_throttle=1)
    for operation in ("PutObject", "CreateMultipartUpload"):
        aws.add(Fault("AccessDenied", operation=operation, key="west-", times=-1))
    began = cluster.mark()
    halted = fleet.run()
    assert (halted.code, halted.outcomes) == (
        2,
        {"hollow": "refused", "east": "changed", "west": "failed", "stray": "unplanned"},
    )
    assert fleet.sets == ["east"]
    east = halted.clusters["east"]
    assert Path(east["set"]["path"], "index.json").is_file()
    assert east["snapshot"]["bucket"] == BUCKET
    assert [item["what"] for item in east["left_out"]]
    for told in (f"Set `{east['set']['run_id']}`", f"s3://{BUCKET}/{east['snapshot']['key']}", "Not in the set:"):
        assert told in fleet.report
    # With throttle 1 the second begins when the first has ended, in the plan and when the sets are made.
    turns = [place for place, _events in groupby(event.namespace for event in cluster.audit_since(began) if event.namespace in namespaces)]
    assert len(turns) <= 4, turns

    # What cannot be backed up was taken out of the inventory, and S3 lets everybody in again.
    fleet.write(EAST, WEST)
    aws.clear()
    resumed = fleet.again(halted.command)
    assert (resumed.code, resumed.outcomes) == (0, {"west": "changed"})
    assert fleet.sets == ["east", "west"]
    assert cluster.writes_since(mark) == []
