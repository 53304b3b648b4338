# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mesh_config against a real API server: every edit of the written procedures, twice, in check mode, and what it refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from failures import assert_told, unchanged
from mesh_clusters import Mesh, MeshCluster
from run_module import finish_module, run_module, start_module
from write_gate import WriteGate

Result = dict[str, Any]
NEW_MESH = Mesh("1.3.9")
LEASE = "meshops-mesh-config-osm"
IPTABLES = "iptables rules once, when the pod starts"


class Config:
    """The MeshConfig of one mesh, as a user with kubectl and with mesh_config sees it."""

    def __init__(self, mesh: MeshCluster) -> None:
        self.mesh = mesh
        self.cluster = mesh.cluster

    def edit(self, *, check: bool = False, diff: bool = False, **options: Any) -> Result:
        """Run the module."""
        return run_module("mesh_config", self.mesh.options(**options), check=check, diff=diff)

    def patch(self, spec: Result) -> None:
        """Edit as the written procedures do."""
        self.mesh.patch_mesh_config(spec)

    def put(self, spec: Result) -> None:
        """Replace the whole spec."""
        operations = json.dumps([{"op": "replace", "path": "/spec", "value": spec}])
        self.cluster.kubectl("patch", "meshconfig", "osm-mesh-config", "-n", "osm-system", "--type=json", "-p", operations)

    def hold_lease(self, holder: str, seconds: int) -> None:
        """Take the Lease as another run does."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": now}
        about = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE, "namespace": "osm-system"}}
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps({**about, "spec": spec}))

    @property
    def spec(self) -> Result:
        """The live spec."""
        return self.mesh.mesh_config


@pytest.fixture(scope="module")
def new_mesh(mesh_cluster: MeshCluster) -> MeshCluster:
    """A mesh of the version that has every field."""
    mesh_cluster.reset(NEW_MESH)
    return mesh_cluster


@pytest.fixture
def config(new_mesh: MeshCluster) -> Iterator[Config]:
    """A MeshConfig that is put back after the test."""
    found = Config(new_mesh)
    before = found.spec
    yield found
    if found.spec != before:
        found.put(before)


def at(spec: Any, path: str) -> Any:
    """What ``spec`` holds at ``a.b.c``."""
    for key in path.split("."):
        spec = spec[key]
    return spec


def paths(entries: list[Result]) -> list[str]:
    """The paths of changes or restart reasons."""
    return [entry["path"] for entry in entries]


# Edits


# What is there before, the edit, and what it asks to restart for. The first three are the commands of the written procedures; the fourth
# is what --enable-egress=true of the upgrade was for, the fifth the log level that the upgrade's notes speak of.
PROCEDURES: dict[str, tuple[Result, Result, list[str]]] = {
    "pipy-image": ({}, {"sidecar": {"sidecarImage": "flomesh/pipy:latest"}}, ["sidecar.sidecarImage"]),
    "api-server-address": ({}, {"traffic": {"outboundIPRangeExclusionList": ["10.0.0.1/32"]}}, ["traffic.outboundIPRangeExclusionList"]),
    "egress-policy": ({"featureFlags": {"enableEgressPolicy": False}}, {"featureFlags": {"enableEgressPolicy": True}}, []),
    "egress": ({"traffic": {"enableEgress": False}}, {"traffic": {"enableEgress": True}}, []),
    "log-level": ({}, {"sidecar": {"logLevel": "info"}}, ["sidecar.logLevel"]),
}


@pytest.mark.parametrize("edit", list(PROCEDURES))
def test_the_edits_of_the_written_procedures(config: Config, edit: str) -> None:
    """The same outcome as with kubectl patch; pods to restart are named; a second run reads only."""
    given, spec, restart = PROCEDURES[edit]
    config.patch(given)
    before = config.spec
    config.patch(spec)
    by_hand = config.spec
    assert by_hand != before
    config.put(before)

    result = config.edit(spec=spec)
    assert result["changed"] is True, result.get("msg")
    assert config.spec == by_hand
    assert paths(result["restart_required"]) == restart
    assert all(reason["reason"] for reason in result["restart_required"])
    assert result["summary"] == {
        "mesh": "osm",
        "namespace": "osm-system",
        "product": "osm-edge",
        "changes": 1,
        "restart_required": bool(restart),
    }
    with unchanged(config.cluster):
        again = config.edit(spec=spec)
    assert (again["changed"], again["changes"], again["steps"], again["restart_required"]) == (False, [], [], [])


def test_writes_are_one_patch_between_lease_and_record(config: Config) -> None:
    mark = config.cluster.mark()
    assert config.edit(spec={"sidecar": {"logLevel": "debug"}})["changed"] is True
    writes = [(event.verb, event.resource, event.code) for event in config.cluster.writes_since(mark)]
    assert writes == [
        ("create", "leases", 201),
        ("patch", "configmaps", 201),
        ("patch", "meshconfigs", 200),
        ("delete", "configmaps", 200),
        ("delete", "leases", 200),
    ]


def test_check_mode_writes_nothing_and_plans_the_same(config: Config) -> None:
    spec = {"traffic": {"enableEgress": False}, "sidecar": {"logLevel": "warn"}}
    before = config.spec
    with unchanged(config.cluster):
        planned = config.edit(spec=spec, check=True, diff=True)
    assert config.spec == before
    assert planned["changed"] is True
    assert [step["outcome"] for step in planned["steps"]] == ["would_do"]
    assert sorted(planned["changes"], key=lambda change: change["path"]) == [
        {"path": "sidecar.logLevel", "before": "error", "after": "warn"},
        {"path": "traffic.enableEgress", "before": True, "after": False},
    ]
    applied = config.edit(spec=spec, diff=True)
    assert applied["plan"]["id"] == planned["plan"]["id"]
    assert applied["diff"] == planned["diff"]
    assert [step["outcome"] for step in applied["steps"]] == ["done"]


def test_check_mode_asks_the_server(config: Config) -> None:
    mark = config.cluster.mark()
    config.edit(spec={"traffic": {"enableEgress": False}}, check=True)
    asked = [(event.verb, event.resource) for event in config.cluster.audit_since(mark) if event.dry_run]
    assert asked == [("patch", "meshconfigs")]


def test_the_diff_is_the_change(config: Config) -> None:
    (diff,) = config.edit(spec={"traffic": {"enableEgress": False}}, diff=True)["diff"]
    assert diff["before_header"] == "MeshConfig osm-system/osm-mesh-config (before)"
    lines = [(old, new) for old, new in zip(diff["before"].splitlines(), diff["after"].splitlines(), strict=True) if old != new]
    assert lines == [("    enableEgress: true", "    enableEgress: false")]


def test_elements_are_added_and_removed_one_by_one(config: Config) -> None:
    """A merge patch would replace the lists."""
    config.patch({"traffic": {"outboundIPRangeExclusionList": ["10.0.0.1/32", "10.0.0.2/32"], "outboundPortExclusionList": [3306, 5432]}})
    add = {"traffic": {"outboundIPRangeExclusionList": ["10.0.0.3/32", "10.0.0.1/32"]}}
    remove = {"traffic": {"outboundPortExclusionList": [3306, 9999]}}
    result = config.edit(add=add, remove=remove)
    assert result["changed"] is True
    assert config.spec["traffic"]["outboundIPRangeExclusionList"] == ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"]
    assert config.spec["traffic"]["outboundPortExclusionList"] == [5432]
    assert {IPTABLES in reason["reason"] for reason in result["restart_required"]} == {True}
    with unchanged(config.cluster):
        assert config.edit(add=add, remove=remove)["changed"] is False


def test_removing_what_is_not_there_creates_nothing(config: Config) -> None:
    with unchanged(config.cluster):
        result = config.edit(remove={"traffic": {"networkInterfaceExclusionList": ["eth7"]}})
    assert result["changed"] is False


def test_a_driver_is_edited_by_its_name(config: Config) -> None:
    drivers = config.spec["sidecar"]["sidecarDrivers"]
    edit = {"sidecar": {"sidecarDrivers": [{"sidecarName": "pipy", "sidecarImage": "registry.example.com/pipy:1"}]}}
    result = config.edit(spec=edit)
    pipy, *others = config.spec["sidecar"]["sidecarDrivers"]
    assert pipy == {**drivers[0], "sidecarImage": "registry.example.com/pipy:1"}
    assert others == drivers[1:]
    assert paths(result["changes"]) == ["sidecar.sidecarDrivers[pipy].sidecarImage"]
    assert paths(result["restart_required"]) == ["sidecar.sidecarDrivers[pipy].sidecarImage"]


def test_a_driver_that_no_pod_uses_needs_no_restart(config: Config) -> None:
    edit = {"sidecar": {"sidecarDrivers": [{"sidecarName": "envoy", "sidecarImage": "registry.example.com/envoy:1"}]}}
    result = config.edit(spec=edit)
    assert (result["changed"], result["restart_required"]) == (True, [])


def test_plugins_are_edited_and_removed_by_their_name(config: Config) -> None:
    chain = "inbound-http"
    plugins = config.spec["pluginChains"][chain]
    name = plugins[0]["plugin"]
    added = config.edit(spec={"pluginChains": {chain: [{"plugin": "modules/mine", "priority": 110}, {"plugin": name, "priority": 7}]}})
    assert added["changed"] is True
    assert config.spec["pluginChains"][chain] == [{**plugins[0], "priority": 7}, *plugins[1:], {"plugin": "modules/mine", "priority": 110}]
    config.edit(
        spec={"pluginChains": {chain: [{"plugin": name, "priority": plugins[0]["priority"]}]}},
        remove={"pluginChains": {chain: ["modules/mine"]}},
    )
    assert config.spec["pluginChains"][chain] == plugins


# Somebody else


def test_a_concurrent_edit_of_another_field_is_kept(config: Config) -> None:
    """Between plan and write somebody edits another field: the patch answers 409, the step is planned again, both edits hold."""
    with WriteGate(config.cluster) as gate:
        held = gate.hold(lambda write: write.resource == "meshconfigs")
        options = {"kubeconfig": str(gate.kubeconfig), "spec": {"traffic": {"enableEgress": False}}}
        process = start_module("mesh_config", options)
        held.wait()
        config.patch({"sidecar": {"logLevel": "debug"}})
        mark = config.cluster.mark()
        held.release()
        result = finish_module(process)
    assert result["changed"] is True, result.get("msg")
    codes = [event.code for event in config.cluster.writes_since(mark) if event.resource == "meshconfigs"]
    assert codes == [409, 200]
    assert at(config.spec, "traffic.enableEgress") is False
    assert at(config.spec, "sidecar.logLevel") == "debug"


def test_a_concurrent_edit_of_the_same_field_is_not_overwritten_blindly(config: Config) -> None:
    """Somebody did the same meanwhile: nothing is left to do."""
    with WriteGate(config.cluster) as gate:
        held = gate.hold(lambda write: write.resource == "meshconfigs")
        process = start_module("mesh_config", {"kubeconfig": str(gate.kubeconfig), "spec": {"sidecar": {"logLevel": "debug"}}})
        held.wait()
        config.patch({"sidecar": {"logLevel": "debug"}})
        mark = config.cluster.mark()
        held.release()
        result = finish_module(process)
    assert [step["outcome"] for step in result["steps"]] == ["unchanged"], result.get("msg")
    assert [event.code for event in config.cluster.writes_since(mark) if event.resource == "meshconfigs"] == [409]


def test_two_runs_at_once_lose_nothing(config: Config) -> None:
    """Both hold, or one is refused and names the holder; then its edit is not there."""
    edits = {"traffic.enableEgress": False, "sidecar.logLevel": "debug"}
    options = [config.mesh.options(spec={path.partition(".")[0]: {path.partition(".")[2]: value}}) for path, value in edits.items()]
    processes = [start_module("mesh_config", each) for each in options]
    results = [finish_module(process) for process in processes]
    for (path, value), result in zip(edits.items(), results, strict=True):
        if result.get("failed"):
            assert_told(result, "Another run is working on this target", "held by", LEASE, cluster=config.cluster)
            assert at(config.spec, path) != value
        else:
            assert at(config.spec, path) == value
    assert [result for result in results if not result.get("failed")] != []


def test_a_live_lease_of_somebody_else(config: Config) -> None:
    """Its holder renews it while it is watched."""
    config.hold_lease("other-host/1/abcdef", 30)
    mark = config.cluster.mark()
    try:
        process = start_module("mesh_config", config.mesh.options(spec={"sidecar": {"logLevel": "debug"}}))
        while not any(event.verb == "get" and event.resource == "leases" for event in config.cluster.audit_since(mark)):
            time.sleep(0.1)
        config.hold_lease("other-host/1/abcdef", 30)
        result = finish_module(process)
    finally:
        config.cluster.kubectl("delete", "lease", LEASE, "-n", "osm-system")
    assert_told(result, "Another run is working", "other-host/1/abcdef", "expires 30 s after", "run the same", cluster=config.cluster)
    assert config.cluster.writes_since(mark, user_agent="meshops") == []


def test_a_dead_lease_is_taken_over(config: Config) -> None:
    config.hold_lease("other-host/1/abcdef", 2)
    result = config.edit(spec={"sidecar": {"logLevel": "debug"}})
    assert result["changed"] is True, result.get("msg")
    assert config.cluster.kubectl("get", "leases,configmaps", "-n", "osm-system", "-o", "name").count("meshops-") == 0


# An approved plan


def test_the_approved_plan_is_applied(config: Config) -> None:
    spec = {"sidecar": {"logLevel": "debug"}}
    planned = config.edit(spec=spec, check=True)
    assert config.edit(spec=spec, expected_plan_id=planned["plan"]["id"])["changed"] is True
    assert config.edit(spec=spec, expected_plan_id=planned["plan"]["id"])["changed"] is False


def test_another_plan_than_the_approved_one(config: Config) -> None:
    planned = config.edit(spec={"sidecar": {"logLevel": "debug"}}, check=True)["plan"]["id"]
    with unchanged(config.cluster):
        result = config.edit(spec={"sidecar": {"logLevel": "trace"}}, expected_plan_id=planned)
    assert_told(result, f"approved {planned}", f"expected_plan_id={result['plan']['id']}", cluster=config.cluster)


# Bad input


BAD: dict[str, tuple[Result, tuple[str, ...]]] = {
    "unknown-map": ({"spec": {"trafic": {"enableEgress": True}}}, ("trafic: unknown field", "did you mean traffic?")),
    "unknown-field": ({"spec": {"traffic": {"enableEgres": True}}}, ("traffic.enableEgres", "did you mean enableEgress?")),
    "enum": ({"spec": {"sidecar": {"logLevel": "loud"}}}, ("sidecar.logLevel", "use one of trace, debug, info")),
    "off": ({"spec": {"sidecar": {"logLevel": False}}}, ("sidecar.logLevel", "boolean false in YAML", 'write logLevel: "off"')),
    "off-as-text": ({"spec": {"sidecar": {"logLevel": "off"}}}, ("sidecar.logLevel", "correct the enum of the definition")),
    "text-for-boolean": ({"spec": {"traffic": {"enableEgress": "true"}}}, ("traffic.enableEgress", "write true or false without quotes")),
    "text-for-number": (
        {"spec": {"traffic": {"outboundPortExclusionList": ["3306"]}}},
        ("outboundPortExclusionList[0]", "write the number 3306 without quotes"),
    ),
    "no-list": ({"spec": {"traffic": {"outboundPortExclusionList": 3306}}}, ("write it as a list: [3306]",)),
    "range": ({"spec": {"traffic": {"outboundIPRangeExclusionList": ["10.0.0.300/32"]}}}, ("RangeExclusionList[0]", "IPv4 range")),
    "no-prefix": ({"add": {"traffic": {"outboundIPRangeExclusionList": ["10.0.0.1"]}}}, ("prefix length", "write 10.0.0.1/32")),
    "ipv6": ({"add": {"traffic": {"outboundIPRangeExclusionList": ["fd00::/8"]}}}, ("IPv4 only",)),
    "port": ({"add": {"traffic": {"outboundPortExclusionList": [70000]}}}, ("a port is a number from 1 to 65535",)),
    "null": ({"spec": {"traffic": {"enableEgress": None}}}, ("traffic.enableEgress has no value", "leave the key out")),
    "driver-without-name": ({"spec": {"sidecar": {"sidecarDrivers": [{"sidecarImage": "x"}]}}}, ("has no sidecarName",)),
    "driver-twice": (
        {"spec": {"sidecar": {"sidecarDrivers": [{"sidecarName": "pipy"}, {"sidecarName": "Pipy"}]}}},
        ("pipy is given twice",),
    ),
    "add-to-no-list": ({"add": {"sidecar": {"logLevel": "info"}}}, ("add: sidecar.logLevel must be a list",)),
    "add-to-a-field": ({"add": {"sidecar": {"logLevel": ["info"]}}}, ("sidecar.logLevel is not a list",)),
    "add-and-remove": (
        {"add": {"traffic": {"outboundPortExclusionList": [1]}}, "remove": {"traffic": {"outboundPortExclusionList": [1]}}},
        ("add and remove both name 1",),
    ),
    "spec-and-add": (
        {"spec": {"traffic": {"outboundPortExclusionList": [1]}}, "add": {"traffic": {"outboundPortExclusionList": [2]}}},
        ("spec and add both name traffic.outboundPortExclusionList",),
    ),
    "no-mesh": ({"mesh_name": "osn", "spec": {}}, ("no mesh named osn", "did you mean osm?")),
    "expected-cluster": ({"expected_cluster": "0b1f6d5e-6f0c-4c5e-9a51-1f3f0b3e8a11"}, ("not the expected cluster",)),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_values_are_refused_before_any_write(config: Config, case: str) -> None:
    options, words = BAD[case]
    with unchanged(config.cluster):
        result = config.edit(**options)
    assert_told(result, *words, "nothing was", cluster=config.cluster)


@pytest.mark.parametrize("case", ["unknown-field", "range", "null"])
def test_check_mode_refuses_them_too(config: Config, case: str) -> None:
    options, words = BAD[case]
    assert_told(config.edit(check=True, **options), *words, cluster=config.cluster)


def test_several_bad_values_are_told_at_once(config: Config) -> None:
    spec = {"traffic": {"enableEgres": True, "outboundPortExclusionList": [0]}, "sidecar": {"logLevel": "loud"}}
    with unchanged(config.cluster):
        result = config.edit(spec=spec)
    assert_told(result, "traffic.enableEgres", "outboundPortExclusionList[0]", "sidecar.logLevel")
    assert len(result["refusals"]) == 3


def test_no_cluster_is_named(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "CONTEXT", "HOST", "API_KEY"):
        monkeypatch.delenv(f"K8S_AUTH_{name}", raising=False)
    with unchanged(config.cluster):
        result = run_module("mesh_config", {"spec": {"sidecar": {"logLevel": "debug"}}}, env={"KUBECONFIG": str(config.cluster.kubeconfig)})
    assert_told(result, "No cluster is named")


def test_a_value_that_the_control_plane_replaces_silently_is_a_finding(config: Config) -> None:
    """The API server takes it, nobody reports it: not refused, but told."""
    result = config.edit(spec={"certificate": {"serviceCertValidityDuration": "7d"}}, check=True)
    assert [finding["code"] for finding in result["findings"]] == ["value-not-usable"]


def test_no_mesh_config(config: Config) -> None:
    """The stand-in brings it back only when bootstrap starts again."""
    saved = config.cluster.kubectl("get", "meshconfig", "osm-mesh-config", "-n", "osm-system", "-o", "json")
    config.cluster.kubectl("delete", "meshconfig", "osm-mesh-config", "-n", "osm-system")
    try:
        with unchanged(config.cluster):
            result = config.edit(spec={"sidecar": {"logLevel": "debug"}})
    finally:
        found = json.loads(saved)
        found["metadata"] = {key: found["metadata"][key] for key in ("name", "namespace")}
        config.cluster.kubectl("create", "-f", "-", stdin=json.dumps(found))
    assert_told(result, "MeshConfig osm-system/osm-mesh-config cannot be edited", "does not exist", "osm-bootstrap", cluster=config.cluster)
