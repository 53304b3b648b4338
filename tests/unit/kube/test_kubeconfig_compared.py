# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubeconfigs are read here, not by the Python client, which takes too long to import: both must come to the same."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes.client
import kubernetes.config
import pytest
import yaml

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.credentials import Resolved, connection_options, resolve
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig import Access
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

SERVER = "https://east.example.com:6443"


class Seen(NamedTuple):
    """What a connection comes to."""

    server: str
    ca: bytes
    certificate: bytes
    key: bytes
    authorization: str
    verify: bool
    tls_server_name: str
    proxy: str


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("K8S_AUTH_", "KUBE")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with everything that kubeconfigs refer to."""
    for name in ("ca.crt", "client.crt", "client.key"):
        (tmp_path / name).write_text(f"-----{name}-----\n")
    (tmp_path / "token").write_text("token-of-a-file\n")
    answers: dict[str, dict[str, Any]] = {
        "token": {"token": "token-of-a-plugin"},
        "certificate": {"clientCertificateData": "-----plugin's certificate-----\n", "clientKeyData": "-----plugin's key-----\n"},
    }
    for name, status in answers.items():
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        script = tmp_path / f"plugin-{name}"
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
        script.chmod(0o700)
    return tmp_path


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def plugin(command: str, **more: Any) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never", **more}}


def jwt(expires: float) -> str:
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, {"exp": expires}))
    return f"{head}.{body}.signature"


def kubeconfig(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "east",
        "clusters": [{"name": "the-cluster", "cluster": {"server": SERVER, **cluster}}],
        "contexts": [{"name": "east", "context": {"cluster": "the-cluster", "user": "the-user", "namespace": "default"}}],
        "users": [{"name": "the-user", "user": dict(user)}],
    }


def ours(source: Any, scratch: Path, **options: Any) -> Resolved:
    return resolve(connection_options({"kubeconfig": source, **options}, {}), str(scratch))


def seen_by_us(resolved: Resolved) -> Seen:
    access = resolved.access
    assert access.authorization == resolved.authorization()
    return Seen(
        *(access.server, access.ca, access.certificate, access.key),
        *(access.authorization, access.verify, access.tls_server_name, access.proxy),
    )


def seen_by_the_client(source: Any, context: str | None = None) -> Seen:
    """The same, asked from the Python client."""
    found = kubernetes.client.Configuration()
    if isinstance(source, Mapping):
        kubernetes.config.load_kube_config_from_dict(dict(source), context=context, client_configuration=found, persist_config=False)
    else:
        kubernetes.config.load_kube_config(source, context=context, client_configuration=found, persist_config=False)

    def content(path: str | None) -> bytes:
        return Path(path).read_bytes() if path else b""

    scheme, _space, token = str(found.get_api_key_with_prefix("BearerToken", alias="authorization") or "").partition(" ")
    authorization = f"{scheme.capitalize()} {token.strip()}" if token else ""
    return Seen(
        *(found.host, content(found.ssl_ca_cert), content(found.cert_file), content(found.key_file)),
        *(authorization, bool(found.verify_ssl), found.tls_server_name or "", found.proxy or ""),
    )


CLUSTERS: dict[str, dict[str, Any]] = {
    "no CA": {},
    "CA inside": {"certificate-authority-data": encoded("-----CA inside-----\n")},
    "CA file": {"certificate-authority": "ca.crt"},
    "CA inside and file": {"certificate-authority-data": encoded("-----CA inside-----\n"), "certificate-authority": "ca.crt"},
    "CA in wrapped base64": {"certificate-authority-data": "LS0t\nLS1D\nQS0t\nLS0t\n"},
    "insecure": {"insecure-skip-tls-verify": True},
    "told to be secure": {"insecure-skip-tls-verify": False},
    "server name": {"tls-server-name": "api.internal"},
    "proxy": {"proxy-url": "http://jane:p4ssw0rd@proxy:3128"},
    "slash at the end": {"server": f"{SERVER}/"},
    "path": {"server": f"{SERVER}/k8s/clusters/c-1"},
    "without TLS": {"server": "http://127.0.0.1:8001", "certificate-authority": "is-not-read"},
}
USERS: dict[str, dict[str, Any]] = {
    "nobody": {},
    "token": {"token": "the-token"},
    "token file": {"tokenFile": "token"},
    "token and token file": {"token": "the-token", "tokenFile": "token"},
    "certificate inside": {"client-certificate-data": encoded("cert"), "client-key-data": encoded("key")},
    "certificate files": {"client-certificate": "client.crt", "client-key": "client.key"},
    "certificate and token": {"client-certificate": "client.crt", "client-key": "client.key", "token": "the-token"},
    "password": {"username": "jane", "password": "pa:ss"},
    "username alone": {"username": "jane"},
    "token and password": {"token": "the-token", "username": "jane", "password": "pass"},
    "plugin's token": plugin("./plugin-token"),
    "plugin's certificate": plugin("./plugin-certificate"),
    "plugin and token": {**plugin("./plugin-certificate"), "token": "the-token"},
    "plugin, password and certificate": {
        **plugin("./plugin-token"),
        "username": "jane",
        "password": "pass",
        "client-certificate": "client.crt",
        "client-key": "client.key",
    },
    "oidc": {"auth-provider": {"name": "oidc", "config": {"id-token": jwt(4102444800), "client-id": "id"}}},
    "gcp": {"auth-provider": {"name": "gcp", "config": {"access-token": "gcp-token", "expiry": "2100-01-01T00:00:00Z"}}},
    "a provider that nobody knows": {"auth-provider": {"name": "unknown", "config": {}}, "token": "the-token"},
}


@pytest.mark.parametrize(
    ("cluster", "user"), [*itertools.product(["CA file", "without TLS"], USERS), *((name, "token") for name in CLUSTERS)]
)
def test_a_file(files: Path, cluster: str, user: str) -> None:
    path = files / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(CLUSTERS[cluster], USERS[user])))
    assert seen_by_us(ours(str(path), files)) == seen_by_the_client(str(path))


@pytest.mark.parametrize("user", [name for name in USERS if "plugin" not in name])
def test_inline(files: Path, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    source = kubeconfig(CLUSTERS["CA file"], USERS[user])
    assert seen_by_us(ours(source, files)) == seen_by_the_client(source)


def test_several_files_are_one(files: Path) -> None:
    """The first entry of a name counts, the last current context, and paths start from the file that they stand in."""
    first, second = kubeconfig({"certificate-authority": "ca.crt"}, {"token": "first"}), kubeconfig({}, {"token": "second"})
    second["contexts"].append({"name": "west", "context": {"cluster": "west", "user": "west"}})
    second["clusters"].append({"name": "west", "cluster": {"server": "https://west", "certificate-authority": "west.crt"}})
    second["users"].append({"name": "west", "user": {"tokenFile": "west-token"}})
    second["current-context"] = "west"
    (files / "sub").mkdir()
    (files / "sub" / "west.crt").write_text("-----west-----\n")
    (files / "sub" / "west-token").write_text("west-token")
    (files / "first").write_text(json.dumps(first))
    (files / "sub" / "second").write_text(yaml.safe_dump(second))
    both = os.pathsep.join([str(files / "first"), str(files / "absent"), str(files / "sub" / "second")])
    for context in (None, "east", "west"):
        assert seen_by_us(ours(both, files, context=context)) == seen_by_the_client(both, context)
    assert ours(both, files).access.authorization == "Bearer west-token"


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": "http://proxy:1"},
        {"https_proxy": "http://proxy:2", "HTTPS_PROXY": "http://proxy:1"},
        {"https_proxy": "", "HTTPS_PROXY": "http://proxy:1"},
        {"ALL_PROXY": "http://proxy:3"},
        {"HTTP_PROXY": "http://proxy:4"},
    ],
)
def test_proxies_of_the_environment(files: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    source = kubeconfig({}, {"token": "the-token"})
    assert seen_by_us(ours(source, files)) == seen_by_the_client(source)
    monkeypatch.setenv("NO_PROXY", "east.example.com")
    assert ours(source, files).access.proxy == ""


def test_a_password_is_sent_in_utf_8(files: Path) -> None:
    """As Go sends it; the Python client takes Latin 1, which no API server expects."""
    source = kubeconfig({}, {"username": "jane", "password": "pä:ss"})
    assert ours(source, files).access.authorization == f"Basic {encoded('jane:pä:ss')}"


def test_impersonation_of_a_kubeconfig(files: Path) -> None:
    """As kubectl does it; the Python client knows nothing of it. The options go before."""
    source = kubeconfig({}, {"token": "t", "as": "admin", "as-groups": ["a"]})
    assert impersonated(ours(source, files).access) == ("admin", ("a",))
    assert impersonated(ours(source, files, impersonate_user="ci").access) == ("ci", ())


def impersonated(access: Access) -> tuple[str, tuple[str, ...]]:
    return access.impersonate_user, tuple(access.impersonate_groups)


def test_what_a_plugin_gets(files: Path) -> None:
    """The cluster when it asks for it, its arguments and variables; a bare name is looked up in PATH."""
    script = files / "tell"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$KUBERNETES_EXEC_INFO" "$1" "$OWN" >{files}/got\nexec {files}/plugin-token\n',
    )
    script.chmod(0o700)
    cluster = {
        "certificate-authority": "ca.crt",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}],
    }
    variables = {"OWN": "own", "PATH": f"{files}:{os.environ['PATH']}"}
    env = [{"name": name, "value": value} for name, value in variables.items()]
    user = plugin("tell", args=["argument"], provideClusterInfo=True, env=env)
    path = files / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig(cluster, user)))
    assert ours(str(path), files).access.authorization == "Bearer token-of-a-plugin"
    info, argument, own = (files / "got").read_text().splitlines()
    assert (argument, own) == ("argument", "own")
    assert json.loads(info) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {"server": SERVER, "certificate-authority-data": encoded("-----ca.crt-----\n"), "config": {"audience": "x"}},
        },
    }


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo not-json-but-a-secret", "its answer is not JSON"),
        ('echo \'{"status": "a-secret"}\'', "no ExecCredential"),
        ('echo \'{"apiVersion": "client.authentication.k8s.io/v1beta1", "status": {"token": "a-secret"}}\'', "v1beta1"),
        ('echo \'{"apiVersion": "client.authentication.k8s.io/v1", "status": {"clientKeyData": "a-secret"}}\'', "without token"),
        ("echo a-secret; echo 'log in; your password is a-s3cret-of-env' >&2; exit 3", "exit status 3: log in; your password is ********"),
    ],
)
def test_bad_plugins(files: Path, command: str, why: str) -> None:
    user = plugin("sh", args=["-c", command], env=[{"name": "PASSWORD", "value": "a-s3cret-of-env"}])
    with pytest.raises(LifecycleError) as failed:
        ours(kubeconfig({}, user), files)
    assert str(failed.value).startswith("The credential plugin of context east in the inline kubeconfig gave no credentials: ")
    assert why in failed.value.why
    assert "a-secret" not in repr(vars(failed.value))


def test_a_plugin_that_is_not_there(files: Path) -> None:
    with pytest.raises(LifecycleError, match="gave no credentials: it is in no directory of PATH"):
        ours(kubeconfig({}, plugin("there-is-no-such-plugin")), files)
    with pytest.raises(LifecycleError, match=r"users\[\].user.exec has no 'apiVersion'"):
        ours(kubeconfig({}, {"exec": {"command": "true"}}), files)


def test_a_token_is_good_to_its_last_minute_when_it_cannot_be_renewed(files: Path) -> None:
    """Within five minutes of its end a new one is asked for."""

    def answer(seconds: float) -> str:
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        status = {"token": f"token-{seconds:g}", "expirationTimestamp": end}
        return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})

    (files / "answer").write_text(answer(120))
    authorization = ours(kubeconfig({}, plugin("cat", args=[str(files / "answer")])), files).authorization
    (files / "answer").unlink()
    assert authorization() == "Bearer token-120"
    (files / "answer").write_text(answer(-60))
    assert authorization() == "Bearer token--60"
    (files / "answer").unlink()
    with pytest.raises(LifecycleError, match="gave no credentials"):
        authorization()


def test_a_token_file_is_read_again(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = ours(kubeconfig({}, {"tokenFile": str(files / "token")}), files)
    (files / "token").write_text("renewed")
    assert resolved.authorization() == "Bearer token-of-a-file"
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert resolved.authorization() == "Bearer renewed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda config: config["clusters"].clear(), "there is no cluster the-cluster in it"),
        (lambda config: config["users"].clear(), "there is no user the-user in it"),
        (
            lambda config: config["clusters"][0]["cluster"].update({"certificate-authority-data": "a"}),
            "certificate-authority-data is not base64",
        ),
        (lambda config: config["clusters"][0]["cluster"].update({"certificate-authority": "absent.crt"}), "absent.crt cannot be read"),
        (lambda config: config["users"][0]["user"].update({"tokenFile": "/absent"}), "Token file /absent cannot be read"),
        (lambda config: config["clusters"][0]["cluster"].pop("server"), "has no server"),
        (lambda config: config["users"][0]["user"].update({"auth-provider": {"name": "oidc", "config": {"client-id": "x"}}}), "id-token"),
    ],
)
def test_broken_contexts(files: Path, change: Callable[[dict[str, Any]], None], why: str) -> None:
    source = kubeconfig({}, {})
    change(source)
    with pytest.raises(LifecycleError) as broken:
        ours(source, files)
    assert why in str(broken.value)
    assert broken.value.next


def test_the_python_client_is_loaded_for_auth_providers_only(files: Path) -> None:
    code = (
        "import sys, json\n"
        "from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect\n"
        "class Caller: name, tmpdir, params = 'x', sys.argv[1], {'kubeconfig': json.loads(sys.argv[2])}\n"
        "connect(Caller(), explicit=True).api\n"
        "print(json.dumps('kubernetes' in sys.modules))\n"
    )
    loaded = {}
    for name in ("token", "password", "token file", "plugin's token", "oidc"):
        scratch = files / f"scratch for {name}"
        scratch.mkdir()
        user = {**USERS[name], **({"tokenFile": str(files / "token")} if name == "token file" else {})}
        if "exec" in user:
            user = plugin(str(files / "plugin-token"))
        command = [sys.executable, "-c", code, str(scratch), json.dumps(kubeconfig({}, user))]
        loaded[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert loaded == {"token": False, "password": False, "token file": False, "plugin's token": False, "oidc": True}
