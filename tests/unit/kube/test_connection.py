# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to a connection: what is read, what is refused, what the private kubeconfig holds."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection, connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.credentials import connection_options
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig import Access, document, write_private
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.proxy import bypasses_proxy
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused

from .conftest import Reply, ScriptedServer

CA, CERTIFICATE, KEY = "-----CA-----\n", "-----CERTIFICATE-----\n", "-----KEY-----\n"
Connect = Callable[..., Connection]


class Caller(NamedTuple):
    params: Mapping[str, Any]
    tmpdir: str
    name: str = "mesh_info"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("K8S_AUTH_", "KUBE")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def connected(tmp_path: Path) -> Connect:
    """Connects with the options given; each time in a new private directory."""
    made: list[Path] = []

    def make(*, explicit: bool = True, **params: Any) -> Connection:
        made.append(tmp_path / f"module-{len(made)}")
        made[-1].mkdir()
        return connect(Caller(params, str(made[-1])), explicit=explicit)

    return make


def kubeconfig(user: Mapping[str, Any], *, name: str = "east", **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example.com:6443", **cluster}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": dict(user)}],
    }


def saved(path: Path, content: Mapping[str, Any]) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)


def written(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cluster and the user in the private kubeconfig, which is private and consistent."""
    path = Path(connection.kubeconfig_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = yaml.safe_load(path.read_text())
    (context,), (cluster,), (user,) = content["contexts"], content["clusters"], content["users"]
    assert content["current-context"] == context["name"]
    assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}
    return cluster["cluster"], user["user"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_token(connected: Connect, tmp_path: Path) -> None:
    source = kubeconfig({"token": "s3cret-token"}, **{"certificate-authority-data": encoded("not checked here")})
    connection = connected(kubeconfig=saved(tmp_path / "config", source))
    cluster, user = written(connection)
    assert (connection.server, connection.context) == ("https://east.example.com:6443", "east")
    assert cluster == {"server": "https://east.example.com:6443", "certificate-authority-data": encoded("not checked here")}
    assert user == {"token": "s3cret-token"}
    assert connection.secrets == ("s3cret-token",)


def test_certificate_files_are_taken_inside(connected: Connect, tmp_path: Path) -> None:
    for name, content in (("ca.crt", CA), ("client.crt", CERTIFICATE), ("client.key", KEY)):
        (tmp_path / name).write_text(content)
    user = {"client-certificate": "client.crt", "client-key": "client.key"}
    source = kubeconfig(
        user, **{"certificate-authority": "ca.crt", "tls-server-name": "api.internal", "proxy-url": "http://u:p4ssw0rd@proxy:3128"}
    )
    connection = connected(kubeconfig=saved(tmp_path / "config", source))
    assert written(connection) == (
        {
            "server": "https://east.example.com:6443",
            "certificate-authority-data": encoded(CA),
            "tls-server-name": "api.internal",
            "proxy-url": "http://u:p4ssw0rd@proxy:3128",
        },
        {"client-certificate-data": encoded(CERTIFICATE), "client-key-data": encoded(KEY)},
    )
    assert set(connection.secrets) == {KEY, "p4ssw0rd"}


def test_options_alone(connected: Connect, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(CA)
    cluster, user = written(connected(host="https://10.0.0.1:6443/", api_key="the-token", ca_cert=str(ca)))
    assert (cluster, user) == ({"server": "https://10.0.0.1:6443", "certificate-authority-data": encoded(CA)}, {"token": "the-token"})
    cluster, user = written(connected(host="https://10.0.0.1", username="jane", password="pa:ss", validate_certs=False))
    assert (cluster, user) == (
        {"server": "https://10.0.0.1", "insecure-skip-tls-verify": True},
        {"username": "jane", "password": "pa:ss"},
    )


def test_impersonation_and_proxy(connected: Connect, server: ScriptedServer) -> None:
    options = {"impersonate_user": "ci", "impersonate_groups": ["a", "b"], "api_key": "the-token"}
    connection = connected(host=server.url, **options)
    assert written(connection)[1] == {"token": "the-token", "as": "ci", "as-groups": ["a", "b"]}
    server.script(Reply(body={"gitVersion": "v1.34.4"}))
    assert connection.version == "1.34.4"
    headers = server.requests[0].headers
    assert (headers["authorization"], headers["impersonate-user"], headers["user-agent"]) == (
        "Bearer the-token",
        "ci",
        "meshops.lifecycle/0.1.0 mesh_info",
    )
    proxied = connected(host="http://cluster.internal", api_key="the-token", proxy=server.url, no_proxy="other.internal")
    assert written(proxied)[0]["proxy-url"] == server.url
    server.script(Reply(body={"gitVersion": "v1.33.0"}))
    assert proxied.version == "1.33.0"
    assert server.requests[-1].headers["host"] == "cluster.internal"
    assert "proxy-url" not in written(connected(host=server.url, api_key="x", proxy="http://127.0.0.1:1", no_proxy="127.0.0.0/8"))[0]


def test_username_and_password_are_sent(connected: Connect, server: ScriptedServer) -> None:
    server.script(Reply(body={"gitVersion": "v1.34.4"}))
    assert connected(host=server.url, username="jane", password="secret").version == "1.34.4"
    assert server.requests[0].headers["authorization"] == f"Basic {encoded('jane:secret')}"


def test_a_credential_plugin_runs_once_and_its_token_goes_on(connected: Connect, tmp_path: Path, server: ScriptedServer) -> None:
    runs = tmp_path / "runs"
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "plugin-token"}}
    script = tmp_path / "plugin"
    script.write_text(f"#!/bin/sh\necho run >>{runs}\necho '{json.dumps(answer)}'\n")
    script.chmod(0o700)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    source = kubeconfig({"exec": plugin})
    source["clusters"][0]["cluster"]["server"] = server.url
    connection = connected(kubeconfig=saved(tmp_path / "config", source))
    server.answer = lambda request: Reply(body={"gitVersion": "v1.34.4"})
    for _attempt in range(3):
        connection.api.raw_get("/version")
    assert written(connection)[1] == {"token": "plugin-token"}
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer plugin-token"}
    assert runs.read_text() == "run\n"


def test_an_expired_plugin_token_is_renewed_in_the_kubeconfig_too(connected: Connect, tmp_path: Path, server: ScriptedServer) -> None:
    count = tmp_path / "count"
    count.write_text("")
    script = tmp_path / "plugin"
    script.write_text(
        f"#!/bin/sh\necho x >>{count}\nn=$(wc -l <{count} | tr -d ' ')\n"
        'echo "{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"kind\\":\\"ExecCredential\\",'
        '\\"status\\":{\\"token\\":\\"token-$n\\",\\"expirationTimestamp\\":\\"2020-01-01T00:00:00Z\\"}}"\n'
    )
    script.chmod(0o700)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    source = kubeconfig({"exec": plugin})
    source["clusters"][0]["cluster"]["server"] = server.url
    connection = connected(kubeconfig=saved(tmp_path / "config", source))
    server.answer = lambda request: Reply(body={"gitVersion": "v1.34.4"})
    connection.api.raw_get("/version")
    first = server.requests[-1].headers["authorization"]
    connection.api.raw_get("/version")
    assert server.requests[-1].headers["authorization"] > first
    assert written(connection)[1]["token"] > first.removeprefix("Bearer ")


def test_a_failing_credential_plugin_is_told(connected: Connect, tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    with pytest.raises(LifecycleError) as failed:
        connected(kubeconfig=saved(tmp_path / "config", kubeconfig({"exec": plugin})))
    assert "credential plugin of context east" in str(failed.value)
    assert "exit status 1" in failed.value.why


def test_contexts(connected: Connect, tmp_path: Path) -> None:
    east = saved(tmp_path / "east", kubeconfig({"token": "east-token"}))
    west = saved(tmp_path / "west", kubeconfig({"token": "west-token"}, name="west"))
    both = os.pathsep.join([east, west, str(tmp_path / "absent")])
    assert connected(kubeconfig=both, context="east").server == "https://east.example.com:6443"
    assert connected(kubeconfig=both, context="west").context == "west"
    with pytest.raises(LifecycleError) as unknown:
        connected(kubeconfig=both, context="north")
    assert "has no context north" in str(unknown.value)
    assert "contexts in it: east, west" in str(unknown.value)
    silent = kubeconfig({"token": "t"})
    del silent["current-context"]
    with pytest.raises(LifecycleError) as none_current:
        connected(kubeconfig=saved(tmp_path / "silent", silent))
    assert "has no current context: contexts in it: east" in str(none_current.value)
    assert connected(kubeconfig=kubeconfig({"token": "inline-token"})).secrets == ("inline-token",)
    with pytest.raises(LifecycleError, match="the inline kubeconfig has no context north"):
        connected(kubeconfig=kubeconfig({"token": "inline-token"}), context="north")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "does not exist"),
        ("users: [{user: {token: abc-secret", "is not valid YAML: syntax error in line "),
        ("", "is not a kubeconfig"),
        ("- a\n", "is not a kubeconfig"),
        ("{contexts: [{name: a, context: {cluster: gone, user: b}}], current-context: a, clusters: [], users: []}", "cannot be used"),
    ],
)
def test_broken_kubeconfigs(connected: Connect, tmp_path: Path, content: str | None, expected: str) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LifecycleError) as broken:
        connected(kubeconfig=str(path))
    assert expected in str(broken.value)
    assert str(path) in str(broken.value)
    assert "abc-secret" not in str(broken.value)
    assert broken.value.next


def test_a_changing_module_does_not_take_the_current_cluster(connected: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = tmp_path / "home" / ".kube"
    default.mkdir(parents=True)
    saved(default / "config", kubeconfig({"token": "default-token"}))
    with pytest.raises(Refused) as refused:
        connected()
    for word in ("kubeconfig", "context", "host", "api_key", "module_defaults"):
        assert word in str(refused.value) + refused.value.next
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", str(default / "config"))
    assert connected().secrets == ("default-token",)


def test_variables_are_read_where_no_option_is_given() -> None:
    environ = {
        "K8S_AUTH_HOST": "https://h",
        "K8S_AUTH_API_KEY": "k",
        "K8S_AUTH_VERIFY_SSL": "no",
        "K8S_AUTH_SSL_CA_CERT": "/ca",
        "K8S_AUTH_IMPERSONATE_GROUPS": "a,b,",
        "K8S_AUTH_PROXY_HEADERS_USER_AGENT": "ua",
        "K8S_AUTH_CONTEXT": "",
    }
    assert connection_options({"host": "https://other", "validate_certs": None}, environ) == {
        "host": "https://other",
        "api_key": "k",
        "validate_certs": False,
        "ca_cert": "/ca",
        "impersonate_groups": ["a", "b"],
        "proxy_headers": {"user_agent": "ua"},
    }


def test_every_authentication_option_of_kubernetes_core_is_known() -> None:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

    samples = {name: ["x"] if option.get("type") == "list" else "x" for name, option in AUTH_ARG_SPEC.items()}
    samples["proxy_headers"] = {"user_agent": "x"}
    assert set(connection_options(samples, {})) == set(AUTH_ARG_SPEC)


@pytest.mark.parametrize(
    ("url", "no_proxy", "expected"),
    [
        ("https://10.1.2.3:6443", "10.0.0.0/8", True),
        ("https://10.1.2.3:6443", "10.1.2.3", True),
        ("https://11.1.2.3:6443", "10.0.0.0/8,example.com", False),
        ("https://api.example.com", "localhost, .example.com", True),
        ("https://api.example.com", "*.example.com", True),
        ("https://notexample.com", "example.com", False),
        ("https://example.com", "EXAMPLE.com", True),
        ("https://anything", "*", True),
        ("https://anything", "", False),
        ("https://[fd00::1]:6443", "fd00::/8", True),
    ],
)
def test_proxy_exceptions(url: str, no_proxy: str, expected: bool) -> None:
    assert bypasses_proxy(url, no_proxy) is expected


def test_a_private_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "kubeconfig.new").symlink_to(target)
    with pytest.raises(OSError, match="exists"):
        write_private(str(tmp_path / "kubeconfig"), "secret")
    assert not target.exists()
    write_private(str(tmp_path / "other"), "one")
    write_private(str(tmp_path / "other"), "two")
    assert (tmp_path / "other").read_text() == "two"


def test_insecure_leaves_the_ca_out() -> None:
    cluster = document(Access("https://h", ca=b"ca", verify=False))["clusters"][0]["cluster"]
    assert cluster == {"server": "https://h", "insecure-skip-tls-verify": True}
