# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module edge, run as Ansible runs it: a process with JSON in and JSON out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.release import __version__ as ansible_version

from .conftest import Reply, ScriptedServer, failure

PROBE = """
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.module import lifecycle_spec, run
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def main(module):
    if module.params["say"] == "fail":
        raise Refused("It is refused", object=ObjectRef("MeshConfig", "osm-mesh-config", "osm-system"), why="because", state="untouched",
                      next="do this", details={"findings": [1]})
    uid = module.connection.uid
    module.warn("careful with " + str(module.params["api_key"]))
    return {"changed": False, "check": module.check_mode, "diff_wanted": module.diff_mode, "uid": uid, "echo": module.params["say"]}


run(main, lifecycle_spec(say={"type": "str", "default": "hello v1 default"}, values={"type": "dict"}), explicit=True)
"""


def call(tmp_path: Path, **params: Any) -> dict[str, Any]:
    """Run the probe module and return its result."""
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("K8S_AUTH_", "KUBE"))}
    internal: dict[str, Any] = {"_ansible_remote_tmp": str(tmp_path), "_ansible_keep_remote_files": False, "_ansible_check_mode": False}
    if tuple(map(int, ansible_version.split(".")[:2])) >= (2, 20):
        internal["_ansible_inject_invocation"] = True
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**internal, **params}})
    command = [sys.executable, str(probe), arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, "HOME": str(tmp_path)}, check=False)
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        pytest.fail(f"not JSON: {done.stdout!r} {done.stderr!r}")
    return result


def namespace(uid: str) -> Reply:
    return Reply(body={"metadata": {"name": "kube-system", "uid": uid}})


def test_a_result(tmp_path: Path, server: ScriptedServer) -> None:
    server.script(namespace("uid-1"))
    values = {"osm": {"image": {"registry": "r"}, "password": "hunter2-secret"}}
    result = call(tmp_path, host=server.url, api_key="the-api-key", values=values, _ansible_check_mode=True, _ansible_diff=True)
    assert (result["changed"], result["check"], result["diff_wanted"], result["uid"]) == (False, True, True, "uid-1")
    assert result["cluster"] == {"server": server.url, "uid": "uid-1"}
    assert result["echo"] == "hello v1 default"
    (warning,) = [warning for warning in result["warnings"] if "careful" in str(warning)]
    arguments = result["invocation"]["module_args"]
    assert arguments["host"] == server.url
    assert arguments["values"]["osm"]["image"] == {"registry": "r"}
    assert not {"the-api-key", "hunter2-secret"} & set(json.dumps([warning, arguments]).replace('"', " ").split())
    assert "the-api-key" not in json.dumps(result)
    assert "hunter2-secret" not in json.dumps(result)


def test_an_inline_kubeconfig_masks_its_secrets_and_nothing_else(tmp_path: Path, server: ScriptedServer) -> None:
    server.script(namespace("uid-1"))
    source = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "default",
        "clusters": [{"name": "default", "cluster": {"server": server.url}}],
        "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
        "users": [{"name": "default", "user": {"token": "inline-secret-token"}}],
    }
    result = call(tmp_path, kubeconfig=source, say="hello v1 default inline-secret-token")
    assert result["echo"].startswith("hello v1 default ")
    assert "inline-secret-token" not in json.dumps(result)
    assert result["invocation"]["module_args"]["kubeconfig"] == "(inline)"


def test_a_failure_tells_the_whole_story(tmp_path: Path) -> None:
    result = call(tmp_path, say="fail", api_key="the-api-key", host="https://127.0.0.1:1")
    assert result["failed"] is True
    assert result["msg"] == "It is refused: because"
    assert result["object"] == {"kind": "MeshConfig", "namespace": "osm-system", "name": "osm-mesh-config"}
    assert (result["why"], result["state"], result["next"], result["findings"]) == ("because", "untouched", "do this", [1])
    assert isinstance(result["duration"], float)
    assert result["cluster"] == {"server": "", "uid": ""}
    assert "the-api-key" not in json.dumps(result)


def test_an_error_of_the_api_is_a_failure(tmp_path: Path, server: ScriptedServer) -> None:
    server.script(failure(401, "Unauthorized", "Unauthorized"))
    result = call(tmp_path, host=server.url, api_key="the-api-key")
    assert result["failed"] is True
    assert f"Cannot get Namespace kube-system on {server.url}: HTTP 401 Unauthorized" in result["msg"]
    assert result["http_status"] == 401
    assert result["cluster"] == {"server": server.url, "uid": ""}


def test_the_wrong_cluster_is_refused_before_anything_else(tmp_path: Path, server: ScriptedServer) -> None:
    server.script(namespace("uid-2"))
    result = call(tmp_path, host=server.url, api_key="the-api-key", expected_cluster="uid-1")
    assert result["failed"] is True
    for word in ("uid-1", "uid-2", server.url):
        assert word in result["msg"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("option", [{"request_timeout": 0}, {"max_parallel_requests": -1}])
def test_senseless_numbers(tmp_path: Path, option: dict[str, int]) -> None:
    result = call(tmp_path, host="https://127.0.0.1:1", api_key="the-api-key", **option)
    assert result["failed"] is True
    assert "must be at least 1" in result["msg"]


def test_no_cluster_named(tmp_path: Path) -> None:
    result = call(tmp_path)
    assert result["failed"] is True
    assert "No cluster is named" in result["msg"]
