# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox itself: what the other tests rely on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sandboxlib.cluster
from sandboxlib import binaries, components, go_toolchain, loopback, paths, processes, run_directory, state
from sandboxlib.audit import Event
from sandboxlib.binary_sets import SETS, BinarySet
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options

API_ONLY = Options(api_only=True)
FreshCluster = Callable[[Options], Cluster]


def sandbox(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(paths.SANDBOX / "sandbox"), *arguments], capture_output=True, text=True, check=False)


def pids(cluster: Cluster) -> dict[str, int]:
    recorded: dict[str, int] = json.loads((cluster.directory / "cluster.json").read_text())["pids"]
    return recorded


def answers(address: str) -> bool:
    host, port = address.removeprefix("https://").rsplit(":", 1)
    with socket.socket() as connection:
        return connection.connect_ex((host, int(port))) == 0


def processes_that_name(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_text(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if str(directory) in command:
            found.append(command)
    return found


def written(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(event.verb, event.resource, event.name) for event in events]


# Up and down


def test_down_leaves_nothing(fresh_cluster: FreshCluster) -> None:
    cluster = fresh_cluster(Options())
    addresses = [cluster.server, cluster.layout.network.etcd_client]
    started = [cluster.process(name) for name in (*components.API, *components.CONTROLLERS)]
    assert all(process.alive for process in started)
    assert all(answers(address) for address in addresses)
    assert processes_that_name(cluster.directory)

    assert cluster.down()

    assert not any(process.alive for process in started)
    assert not any(answers(address) for address in addresses)
    assert not processes_that_name(cluster.directory)
    assert not cluster.directory.exists()
    assert not cluster.down()


def test_up_again_changes_nothing_and_other_options_are_refused(fresh_cluster: FreshCluster) -> None:
    cluster = fresh_cluster(API_ONLY)
    before = pids(cluster)
    again = sandbox("up", cluster.name, "--api-only")
    assert (again.returncode, again.stdout.split(":")[0]) == (0, f"{cluster.name} is up already, with these options")

    refused = sandbox("up", cluster.name, "--api-only", "--nodes", "5")
    assert refused.returncode == 1
    assert "up with other options (nodes 3 instead of 5)" in refused.stderr
    assert pids(cluster) == before
    assert not cluster.dead_components()


def test_two_clusters_side_by_side(fresh_cluster: FreshCluster) -> None:
    first, second = fresh_cluster(API_ONLY), fresh_cluster(API_ONLY)
    assert first.server != second.server
    assert first.service_range != second.service_range
    first.kubectl("create", "namespace", "only-here")
    assert "only-here" not in second.kubectl("get", "namespaces")
    uids = {cluster.api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] for cluster in (first, second)}
    assert len(uids) == 2

    first.down()
    assert second.api.ready


def test_a_network_that_was_lost_to_another_cluster(
    api_cluster: Cluster, fresh_cluster: FreshCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = api_cluster.layout.network
    assert not taken.free
    offered = iter([taken, loopback.free_network()])
    monkeypatch.setattr(sandboxlib.cluster, "free_network", lambda: next(offered))
    cluster = fresh_cluster(API_ONLY)
    assert next(offered, None) is None
    assert cluster.service_range != api_cluster.service_range
    cluster.kubectl("create", "namespace", "only-here")
    assert "only-here" not in api_cluster.kubectl("get", "namespaces")


def test_a_start_that_was_killed_is_cleaned(sandbox_home: Path) -> None:
    command = [str(paths.SANDBOX / "sandbox"), "up", "killed", "--api-only"]
    cluster = Cluster("killed", sandbox_home)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as starting:
        while "kube-apiserver" not in state.processes(cluster.directory):
            assert starting.poll() is None
            time.sleep(0.01)
        starting.kill()
    left = state.processes(cluster.directory)
    assert any(process.alive for process in left.values())
    assert "half-started" in sandbox("status").stdout

    again = sandbox("up", "killed", "--api-only")
    assert (again.returncode, "cleaning it and starting again" in again.stdout) == (0, True)
    assert not any(process.alive for process in left.values())
    assert cluster.down()


@pytest.mark.usefixtures("sandbox_home")
def test_what_a_killed_test_run_left_is_put_down() -> None:
    with run_directory.directory() as run:
        abandoned = run.parent / "1@long-ago"
        cluster = Cluster("left", abandoned / "clusters")
        cluster.up(API_ONLY)
        left = state.processes(cluster.directory)
    assert all(process.alive for process in left.values())
    with run_directory.directory():
        assert not abandoned.exists()
        assert not any(process.alive for process in left.values())


def test_a_cluster_that_answers_late_through_a_kubeconfig_of_its_own(api_cluster: Cluster) -> None:
    command = [str(paths.SANDBOX / "sandbox"), "slow", api_cluster.name, "--latency-ms", "300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as front:
        assert front.stdout is not None
        said = front.stdout.readline().strip()
        kubeconfig = said.rpartition("KUBECONFIG=")[2]
        assert said.startswith("api answers 300 ms later")
        started = time.monotonic()
        assert "kube-system" in api_cluster.kubectl("--kubeconfig", kubeconfig, "get", "namespace", "kube-system")
        assert time.monotonic() - started > 0.3
        front.send_signal(signal.SIGINT)
    assert front.returncode == 130
    assert not Path(kubeconfig).exists()
    with pytest.raises(SandboxError, match=r"refused|no such file"):
        api_cluster.kubectl("--kubeconfig", kubeconfig, "get", "namespaces")


def test_a_killed_component_is_seen_and_up_starts_again(fresh_cluster: FreshCluster) -> None:
    cluster = fresh_cluster(API_ONLY)
    before = pids(cluster)
    cluster.process("kube-apiserver").signal(signal.SIGKILL)
    row = next(line for line in sandbox("status").stdout.splitlines() if line.startswith(cluster.name))
    assert "not running: kube-apiserver" in row

    again = sandbox("up", cluster.name, "--api-only")
    assert again.returncode == 0, again.stderr
    assert "cleaning it and starting again" in again.stdout
    assert not cluster.dead_components()
    assert not set(before.values()) & set(pids(cluster).values())
    row = next(line for line in sandbox("status").stdout.splitlines() if line.startswith(cluster.name))
    assert row.split()[1] == "up"


def test_a_failed_start_names_the_component_and_leaves_nothing(sandbox_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(components._ARGUMENTS, "kube-apiserver", lambda layout: ["--no-such-flag"])
    cluster = Cluster("cannot-start", sandbox_home)
    with pytest.raises(SandboxError, match=r"kube-apiserver ended while the cluster was starting(.|\n)*no-such-flag"):
        cluster.up(API_ONLY)
    assert not cluster.directory.exists()
    assert not processes_that_name(cluster.directory)


@pytest.mark.usefixtures("sandbox_home")
def test_commands_about_a_cluster_that_is_not_there() -> None:
    for arguments in (("kubeconfig", "absent"), ("up", "../escape"), ("up", "meshless", "--mesh", "osm-edge=0.0.0")):
        refused = sandbox(*arguments)
        assert refused.returncode == 1
        assert refused.stderr.startswith("sandbox: ")
        assert "Traceback" not in refused.stderr
    assert sandbox("down", "absent").returncode == 0


def test_what_is_kept_on_disk_is_private(api_cluster: Cluster) -> None:
    api_cluster.kubeconfig_for("somebody")
    secret = [
        path
        for path in (*api_cluster.directory.glob("*"), *api_cluster.directory.glob("*/*"))
        if path.suffix in (".key", ".kubeconfig", ".log") or path.name == "kubeconfig"
    ]
    assert len(secret) > 5
    assert [path.name for path in (api_cluster.directory, *secret) if path.stat().st_mode & 0o077] == []


def test_a_recycled_pid_is_never_killed() -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        stale = processes.Process(bystander.pid, "another start time", [], "")
        assert not stale.alive
        processes.stop([stale])
        assert bystander.poll() is None
        bystander.kill()


# What a cluster can do


@pytest.mark.parametrize(("version", "reported", "has_newest_api"), [("1.31", "v1.31.14", False), ("1.34", "v1.34.4", True)])
def test_versions(fresh_cluster: FreshCluster, version: str, reported: str, has_newest_api: bool) -> None:
    cluster = fresh_cluster(Options(kubernetes_version=version, nodes=1))
    answer = cluster.api.get("/version")
    assert (f"{answer['major']}.{answer['minor']}", answer["gitVersion"]) == (version, reported)
    assert cluster.api.exists("/apis/resource.k8s.io/v1") is has_newest_api

    cluster.kubectl("create", "deployment", "web", "--image=web:1")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")


def test_a_deployment_rolls_out(shared_cluster: Cluster, namespace: str) -> None:
    mark = shared_cluster.mark()
    shared_cluster.kubectl("-n", namespace, "create", "deployment", "web", "--image=web:1", "--replicas=20")
    shared_cluster.kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    pods = shared_cluster.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    assert len(pods) == 20
    assert {pod["spec"]["nodeName"] for pod in pods} == {"node-0", "node-1", "node-2"}
    assert len({pod["status"]["podIP"] for pod in pods}) == 20
    # The controllers created a ReplicaSet, pods and events; none of that is anybody's write.
    assert written(shared_cluster.writes_since(mark)) == [("create", "deployments", "web")]


def test_a_local_process_can_be_a_service(shared_cluster: Cluster, namespace: str) -> None:
    shared_cluster.kubectl("-n", namespace, "create", "service", "clusterip", "hook", "--tcp=9443")
    address = shared_cluster.kubectl("-n", namespace, "get", "service", "hook", "-o", "jsonpath={.spec.clusterIP}")
    with socket.create_server((address, 9443)):
        assert answers(f"{address}:9443")


def test_a_user_may_what_rbac_grants(shared_cluster: Cluster, namespace: str) -> None:
    kubeconfig = str(shared_cluster.kubeconfig_for("reader@example.com", ["readers"]))
    read = ("--kubeconfig", kubeconfig, "-n", namespace, "get", "configmaps", "-o", "name")
    mark = shared_cluster.mark()
    with pytest.raises(SandboxError, match=r"Forbidden.*reader@example\.com"):
        shared_cluster.kubectl(*read)
    shared_cluster.kubectl("-n", namespace, "create", "rolebinding", "readers", "--clusterrole=view", "--group=readers")
    assert "configmap/kube-root-ca.crt" in shared_cluster.kubectl(*read)
    asked = [event for event in shared_cluster.audit_since(mark) if event.user == "reader@example.com" and event.resource]
    assert [(event.verb, event.resource, event.code) for event in asked] == [
        ("list", "configmaps", 403),
        ("list", "configmaps", 200),
    ]


def test_the_api_server_restarts_on_its_port(fresh_cluster: FreshCluster) -> None:
    cluster = fresh_cluster(API_ONLY)
    cluster.kubectl("create", "namespace", "kept")
    server, mark = cluster.server, cluster.mark()
    cluster.stop("kube-apiserver")
    assert not answers(server)
    assert cluster.dead_components() == ["kube-apiserver"]
    cluster.start("kube-apiserver")
    assert cluster.server == server
    assert cluster.kubectl("get", "namespace", "kept", "-o", "name").strip() == "namespace/kept"
    assert [event.name for event in cluster.audit_since(mark) if event.resource == "namespaces"] == ["kept"]


# The audit log as witness


def test_writes_are_told_from_questions_and_dry_runs(api_cluster: Cluster) -> None:
    kubectl = api_cluster.kubectl
    mark = api_cluster.mark()
    kubectl("create", "configmap", "kept", "--from-literal=a=1", "--dry-run=server")
    kubectl("auth", "can-i", "delete", "nodes")
    kubectl("get", "configmaps")
    assert api_cluster.writes_since(mark) == []

    kubectl("create", "configmap", "kept", "--from-literal=a=1")
    kubectl("patch", "configmap", "kept", "-p", '{"data": {"a": "2"}}')
    # kubectl says dryRun in the body here, not in the URI.
    kubectl("delete", "configmap", "kept", "--dry-run=server")
    kubectl("annotate", "configmap", "kept", "seen=yes", "--dry-run=server")
    kubectl("delete", "configmap", "kept")
    writes = api_cluster.writes_since(mark)
    assert written(writes) == [("create", "configmaps", "kept"), ("patch", "configmaps", "kept"), ("delete", "configmaps", "kept")]
    assert {(event.user, event.user_agent.split("/")[0]) for event in writes} == {("sandbox-admin", "kubectl")}
    assert [event.timestamp for event in writes] == sorted(event.timestamp for event in writes)

    everything = api_cluster.audit_since(mark)
    assert sum(event.dry_run for event in everything) == 3
    assert len({(event.timestamp, event.uri) for event in everything}) == len(everything)


def test_writes_of_one_user_or_client(api_cluster: Cluster) -> None:
    somebody = str(api_cluster.kubeconfig_for("somebody", ["system:masters"]))
    mark = api_cluster.mark()
    api_cluster.kubectl("--kubeconfig", somebody, "create", "configmap", "one")
    api_cluster.kubectl("create", "configmap", "two")
    assert written(api_cluster.writes_since(mark, user="somebody")) == [("create", "configmaps", "one")]
    assert len(api_cluster.writes_since(mark, user_agent="kubectl/")) == 2
    assert api_cluster.writes_since(mark, user_agent="meshops.lifecycle/") == []


# Building the binaries


@pytest.fixture
def tiny_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set ``tiny`` of one binary, in an empty cache; returns the directory of its pins."""
    go = go_toolchain.go()
    pins = tmp_path / "build"
    (pins / "tiny").mkdir(parents=True)
    (pins / "tiny" / "go.mod").write_text("module example.invalid/tiny\n\ngo 1.26\n")
    (pins / "tiny" / "go.sum").write_text("")
    (pins / "tiny" / "main.go").write_text("package main\n\nfunc main() {}\n")
    monkeypatch.setattr(go_toolchain, "go", lambda: go)
    monkeypatch.setattr(paths, "PINS", pins)
    monkeypatch.setenv("MESHOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(SETS, "tiny", BinarySet(binaries={"renamed": "example.invalid/tiny"}, seconds=5))
    return pins / "tiny"


@pytest.mark.usefixtures("tiny_set")
def test_two_callers_build_once(capfd: pytest.CaptureFixture[str]) -> None:
    callers = [threading.Thread(target=binaries.build, args=(["tiny"],)) for _caller in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    binary = binaries.directory("tiny") / "renamed"
    assert os.access(binary, os.X_OK)
    said = capfd.readouterr().err
    assert said.count("tiny (1 of 1): building renamed") == 1
    assert said.count("another process is building it") == 1
    assert [path.name for path in binary.parent.parent.glob("tiny-*")] == [binary.parent.name]


def test_a_failed_build_shows_the_command_and_its_last_lines(tiny_set: Path) -> None:
    (tiny_set / "main.go").write_text("package main\n\nfunc main() { undefined() }\n")
    with pytest.raises(SandboxError, match=r"building tiny failed(.|\n)*go build -trimpath(.|\n)*undefined: undefined"):
        binaries.build(["tiny"])
    assert not binaries.directory("tiny").exists()


def test_other_pins_are_another_directory(tiny_set: Path) -> None:
    before = binaries.directory("tiny")
    (tiny_set / "go.sum").write_text("example.invalid/other v1.0.0 h1:0=\n")
    assert binaries.directory("tiny") != before
