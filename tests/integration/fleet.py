# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet as a user has it: an inventory, runs of a playbook on it, and what they report."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options

# Refuses the Lease that every run takes before its first write, and only then: a plan takes none.
FREEZE = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: freeze}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [coordination.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [leases]}]
  validations: [{expression: "object.metadata.namespace != 'osm-system'", message: change freeze until Monday}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: freeze}
spec: {policyName: freeze, validationActions: [Deny]}
"""
LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: probe, namespace: osm-system}
"""


class Run(NamedTuple):
    """A finished run: ``clusters`` is what its report says, by host (empty when it wrote none)."""

    code: int
    output: str
    clusters: dict[str, dict[str, Any]]

    @property
    def outcomes(self) -> dict[str, str]:
        return {name: cluster["outcome"] for name, cluster in self.clusters.items()}

    @property
    def command(self) -> list[str]:
        """The command that it says to go on with."""
        (line,) = re.findall(r"To go on: (ansible-playbook .*)", self.output)
        return shlex.split(line)


class Fleet:
    """An inventory in a directory of its own, and runs of a playbook on it; ``role`` is how the names of its variables begin.

    ``shared`` are variables of all hosts.
    """

    def __init__(self, directory: Path, playbook: str, role: str, environment: Mapping[str, str], **shared: object) -> None:
        self._directory = directory
        self._playbook = playbook
        self._role = role
        self._environment = {**environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self._hosts: dict[str, dict[str, Any]] = {}
        self._shared = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", **shared}

    def add(self, host: str, kubeconfig: Path, **variables: object) -> None:
        self._hosts[host] = {"meshops_kubeconfig": str(kubeconfig), **variables}

    def run(self, *arguments: str, playbook: str = "") -> Run:
        inventory = self._directory / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": self._hosts, "vars": self._shared}}, sort_keys=False), encoding="utf-8")
        return self.command(
            ["ansible-playbook", playbook or self._playbook, "-i", str(inventory), "-e", f"{self._role}_report_dir=reports", *arguments]
        )

    def command(self, command: list[str]) -> Run:
        reports = self._directory / "reports"
        known = set(reports.glob("*.json"))
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._directory,
            env={**os.environ, **self._environment},
        )
        print(done.stdout)
        written = [json.loads(path.read_text(encoding="utf-8")) for path in set(reports.glob("*.json")) - known]
        return Run(done.returncode, done.stdout, {cluster["cluster"]: cluster for report in written for cluster in report["clusters"]})


@contextmanager
def fleet(directory: Path, playbook: str, role: str, environment: Mapping[str, str], **shared: object) -> Iterator[Fleet]:
    """A fleet without hosts."""
    # ansible-core 2.21 puts a socket into its temporary directory, whose path may not be longer than about 100 characters.
    with tempfile.TemporaryDirectory(prefix="fleet", dir="/tmp") as short:
        yield Fleet(directory, playbook, role, {**environment, "TMPDIR": short}, **shared)


@contextmanager
def another_cluster(home: Path, options: Options) -> Iterator[Cluster]:
    """A cluster besides the one that tests share."""
    cluster = Cluster("second", home)
    try:
        cluster.up(options)
        yield cluster
    finally:
        cluster.down()


def freeze(cluster: Cluster) -> None:
    """Make every procedure on ``cluster`` fail after its plan."""
    cluster.kubectl("apply", "-f", "-", stdin=FREEZE)
    deadline = time.monotonic() + 30
    while not frozen(cluster):
        assert time.monotonic() < deadline, "the policy has no effect"
        time.sleep(0.2)


def frozen(cluster: Cluster) -> bool:
    """Whether a procedure would fail."""
    try:
        cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=LEASE)
    except SandboxError as error:
        return "change freeze" in str(error)
    return False


def thaw(cluster: Cluster) -> None:
    """Undo ``freeze``."""
    cluster.kubectl("delete", "validatingadmissionpolicybinding", "freeze")
