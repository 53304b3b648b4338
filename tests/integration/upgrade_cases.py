# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades as the tests of faults and kills need them: every write that one makes, and what is wanted in the end.

``MESHOPS_ALL_FAULTS=1`` in the environment chooses every case of those tests, instead of a fixed selection.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from faults.request import Request
from mesh_clusters import Mesh, MeshCluster, Result, eventually
from release_secrets import read_release
from sandboxlib.rollouts import unready

ALL = os.environ.get("MESHOPS_ALL_FAULTS", "0") not in ("", "0")
NAMESPACE = "osm-system"
OURS = "meshops-mesh-upgrade-osm"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{OURS}"
RECORD = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{OURS}"
# What a user set before the upgrade, and between the run that went wrong and the next one.
BEFORE: Result = {"traffic": {"enablePermissiveTrafficPolicyMode": False}}
BETWEEN: Result = {"sidecar": {"logLevel": "debug"}, "traffic": {"outboundIPRangeExclusionList": ["10.9.0.0/16"]}}
_PIPY = {"1.2.3": "flomesh/pipy:0.70.0-46", "1.3.9": "flomesh/pipy:0.90.3-38"}
Case = TypeVar("Case")


@dataclass(frozen=True)
class Write:
    """One write of an upgrade. ``name`` is a pattern; what helm creates has no name that could be read."""

    method: str
    resource: str
    name: str = "*"
    helm: bool = False

    def matches(self, request: Request) -> bool:
        """Whether this request is it."""
        same = (request.method, request.resource, request.helm) == (self.method, self.resource, self.helm)
        return same and request.writes and fnmatchcase(request.name, self.name)

    def __str__(self) -> str:
        name = "" if self.name in ("", "*") else f" {self.name}"
        return f"{'helm ' if self.helm else ''}{self.method} {self.resource}{name}"


def _by_helm(*writes: tuple[str, str, str]) -> tuple[Write, ...]:
    return tuple(Write(*write, helm=True) for write in writes)


TAKE_LEASE = Write("POST", "leases", OURS)
WRITE_RECORD = Write("PATCH", "configmaps", OURS)
ORPHAN = Write("DELETE", "deployments", "osm-controller")
PATCH_MESH_CONFIG = Write("PATCH", "meshconfigs", "osm-mesh-config")
DROP_RECORD = Write("DELETE", "configmaps", OURS)
DROP_LEASE = Write("DELETE", "leases", OURS)
_MIGRATE = (
    Write("PUT", "customresourcedefinitions", "trafficsplits.split.smi-spec.io"),
    Write("PATCH", "customresourcedefinitions", "trafficsplits.split.smi-spec.io"),
)
# These are made at the same time.
LABEL = (
    Write("PATCH", "validatingwebhookconfigurations", "osm-validator-mesh-osm"),
    Write("PATCH", "mutatingwebhookconfigurations", "osm-webhook-osm"),
)
REMOVE = Write("DELETE", "replicasets", "osm-controller-*")
_CLEAN_UP = (REMOVE, *LABEL)
_HELM = _by_helm(
    ("POST", "secrets", ""),
    ("PATCH", "serviceaccounts", "osm"),
    ("PATCH", "configmaps", "preset-mesh-config"),
    ("PATCH", "clusterroles", "osm"),
    ("PATCH", "clusterrolebindings", "osm"),
    ("PATCH", "services", "osm-bootstrap"),
    ("PATCH", "services", "osm-controller"),
    ("PATCH", "services", "osm-injector"),
    ("PATCH", "services", "osm-validator"),
    ("PATCH", "deployments", "osm-bootstrap"),
    ("POST", "deployments", "osm-controller"),
    ("PATCH", "deployments", "osm-injector"),
    ("PUT", "secrets", "sh.helm.release.v1.osm.v1"),
    ("PUT", "secrets", "sh.helm.release.v1.osm.v2"),
)


@dataclass(frozen=True)
class Direction:
    """From which version to which, with which options of the module, and the writes of it: the module's own and helm's."""

    old: str
    new: str
    writes: tuple[Write, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.old} to {self.new}"

    @property
    def start(self) -> Mesh:
        """The mesh that it begins with."""
        return Mesh(version=self.old)

    @property
    def own(self) -> tuple[Write, ...]:
        """The module's own writes."""
        return tuple(write for write in self.writes if not write.helm)

    @property
    def turns(self) -> list[tuple[Write, ...]]:
        """The module's own writes, those together that are made at the same time."""
        together = tuple(write for write in self.own if write in _CLEAN_UP)
        return [together if write == together[0] else (write,) for write in self.own if write not in together[1:]]

    @property
    def helm(self) -> tuple[Write, ...]:
        """Helm's writes, in its order."""
        return tuple(write for write in self.writes if write.helm)

    def reset(self, mesh: MeshCluster) -> None:
        """Begin anew: the old mesh, in which a user has changed something."""
        mesh.reset(self.start)
        if self.new < self.old:
            # It would put its definitions back over those that the way down has made ready for the older version.
            eventually(lambda: _bootstrap_rests(mesh), "the restarted bootstrap did not install its definitions")
        mesh.patch_mesh_config(BEFORE)

    def options_on(self, mesh: MeshCluster, **more: Any) -> dict[str, Any]:
        """The options of the module for this upgrade."""
        return {"chart_ref": str(mesh.chart(self.new)), **self.options, **more}


UP = Direction("1.2.3", "1.3.9", (TAKE_LEASE, WRITE_RECORD, ORPHAN, *_HELM, PATCH_MESH_CONFIG, *_CLEAN_UP, DROP_RECORD, DROP_LEASE))
# The older Deployment's selector fits the orphaned ReplicaSet, which is adopted and needs no deletion.
DOWN = Direction(
    "1.3.9",
    "1.2.3",
    (TAKE_LEASE, WRITE_RECORD, *_MIGRATE, ORPHAN, *_HELM, PATCH_MESH_CONFIG, *LABEL, DROP_RECORD, DROP_LEASE),
    {"allow_downgrade": True},
)
DIRECTIONS = (UP, DOWN) if ALL else (UP,)


def chosen(cases: Sequence[Case], every: int) -> Sequence[Case]:
    """All of the cases, or else every so many-th of them, the first and the last included."""
    return cases if ALL or not cases else [*cases[:-1:every], cases[-1]]


def proven(mesh: MeshCluster, direction: Direction, result: Result, *edits: Mapping[str, Any], lease_may_stay: bool = False) -> None:
    """The run ended well, everything is as after an upgrade that nobody disturbed with the user's ``edits`` in it; again does nothing."""
    assert not result.get("failed"), result
    assert result["summary"]["after"] == direction.new
    deployed = mesh.get(f"/api/v1/namespaces/{NAMESPACE}/secrets?labelSelector=owner%3Dhelm%2Cstatus%3Ddeployed")["items"]
    assert [secret["metadata"]["labels"]["name"] for secret in deployed] == ["osm"]
    release = read_release(mesh, NAMESPACE, deployed[0]["metadata"]["name"])
    assert (release["chart"]["metadata"]["version"], release["info"]["status"]) == (direction.new, "deployed")
    assert unready(mesh.cluster.api, NAMESPACE) == []
    replica_sets = mesh.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets")["items"]
    running = [item["metadata"]["labels"]["app"] for item in replica_sets if item["spec"]["replicas"]]
    assert sorted(running) == ["osm-bootstrap", "osm-controller", "osm-injector"]
    assert [item["metadata"]["name"] for item in replica_sets if not item["metadata"].get("ownerReferences")] == []
    for deployment in mesh.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")["items"]:
        assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == direction.new
    _has_settings(mesh, direction, *edits)
    for plural, name in (("mutating", "osm-webhook-osm"), ("validating", "osm-validator-mesh-osm")):
        webhook = mesh.get(f"/apis/admissionregistration.k8s.io/v1/{plural}webhookconfigurations/{name}")
        assert webhook["metadata"]["labels"]["app.kubernetes.io/version"] == direction.new
    assert not mesh.cluster.api.exists(RECORD)
    assert lease_may_stay or not mesh.cluster.api.exists(LEASE)
    mark = mesh.cluster.mark()
    again = mesh.upgrade(**direction.options_on(mesh))
    assert (again.get("failed"), again["changed"], again["steps"]) == (None, False, []), again
    assert list(map(str, mesh.cluster.writes_since(mark))) == []


def _has_settings(mesh: MeshCluster, direction: Direction, *edits: Mapping[str, Any]) -> None:
    spec = mesh.mesh_config
    assert [driver["sidecarImage"] for driver in spec["sidecar"]["sidecarDrivers"]][:1] == [_PIPY[direction.new]]
    if direction.new == "1.3.9":
        assert spec["traffic"]["interceptionMode"] == "iptables"
        assert set(spec["pluginChains"]) == {"inbound-tcp", "inbound-http", "outbound-tcp", "outbound-http"}
    for edit in edits:
        for part, settings in edit.items():
            assert {key: spec[part].get(key) for key in settings} == settings


def _bootstrap_rests(mesh: MeshCluster) -> bool:
    """Whether the bootstrap that was started last has done its work, by the log of the stand-in."""
    log = (mesh.cluster.directory / "logs" / "standin-osm.log").read_text(encoding="utf-8")
    started = max((end.end() for end in re.finditer(r"\(osm-bootstrap \S+\): started", log)), default=len(log))
    return "definitions installed" in log[started:]


def do_not_wait_for_the_dead(mesh: MeshCluster) -> None:
    """Let the Lease that a run has left be one that expires after a second of being watched: another test waits for a real one."""
    if mesh.cluster.api.exists(LEASE):
        patch = json.dumps({"spec": {"leaseDurationSeconds": 1}})
        mesh.cluster.kubectl("patch", "lease", OURS, "-n", NAMESPACE, "--type=merge", "-p", patch)
