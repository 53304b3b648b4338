# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS as clusters have it: a CA of their own without RFC 5280's formalities, client certificates, another server name."""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection, connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Unreachable
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

from .conftest import Reply, ScriptedServer


class Caller(NamedTuple):
    params: dict[str, Any]
    tmpdir: str
    name: str = "mesh_info"


class Signed(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def sign(name: str, ca: Signed | None = None, dns: str = "") -> Signed:
    """A certificate with nothing but what Go needs: no key identifiers, no key usage."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer_name=ca.certificate.subject if ca else subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(hours=1),
    )
    if ca is None:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False)
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    return Signed(builder.sign(ca.key if ca else key, hashes.SHA256()), key)


class Cluster(NamedTuple):
    url: str
    ca: Signed
    client: Signed


@pytest.fixture
def cluster(server: ScriptedServer, tmp_path: Path) -> Cluster:
    """The scripted server with TLS, which wants a client certificate; it calls itself api.internal."""
    ca = sign("ca")
    own, client = sign("server", ca, "api.internal"), sign("jane", ca)
    (tmp_path / "server.pem").write_bytes(own.pem + own.key_pem)
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    server.answer = lambda request: Reply(body={"gitVersion": "v1.34.4"})
    return Cluster(server.url.replace("http://", "https://"), ca, client)


def connected(tmp_path: Path, cluster: Cluster, **settings: Any) -> Connection:
    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    about = {"server": cluster.url, "certificate-authority-data": text(cluster.ca.pem), "tls-server-name": "api.internal", **settings}
    user = {"client-certificate-data": text(cluster.client.pem), "client-key-data": text(cluster.client.key_pem)}
    source = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {name: value for name, value in about.items() if value}}],
        "users": [{"name": "a", "user": user}],
    }
    directory = tmp_path / "module"
    directory.mkdir()
    return connect(Caller({"kubeconfig": source}, str(directory)), explicit=True)


def test_a_cluster_with_its_own_ca_and_name(tmp_path: Path, cluster: Cluster) -> None:
    connection = connected(tmp_path, cluster)
    assert connection.version == "1.34.4"
    assert cluster.client.key_pem.decode() in connection.secrets


def test_many_connections_at_once(tmp_path: Path, cluster: Cluster) -> None:
    api = connected(tmp_path, cluster).api
    # Certificates loaded by several threads into one context crash the process.
    assert [answer["gitVersion"] for answer in api.map(lambda _number: api.raw_get("/version"), range(40))] == ["v1.34.4"] * 40


def test_certificates_that_are_none_are_named(tmp_path: Path, cluster: Cluster) -> None:
    broken = base64.b64encode(b"not a certificate").decode()
    with pytest.raises(LifecycleError, match="certificates of this connection cannot be used"):
        connected(tmp_path, cluster, **{"certificate-authority-data": broken}).api.raw_get("/version")


def test_another_name_is_refused(tmp_path: Path, cluster: Cluster) -> None:
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        connected(tmp_path, cluster, **{"tls-server-name": ""}).version  # noqa: B018


def test_another_ca_is_refused(tmp_path: Path, cluster: Cluster) -> None:
    other = base64.b64encode(sign("other").pem).decode()
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        connected(tmp_path, cluster, **{"certificate-authority-data": other}).version  # noqa: B018


def test_a_ca_that_nobody_knows_is_refused(tmp_path: Path, cluster: Cluster) -> None:
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        connected(tmp_path, cluster, **{"certificate-authority-data": ""}).version  # noqa: B018


def test_insecure_is_insecure(tmp_path: Path, cluster: Cluster) -> None:
    settings = {"certificate-authority-data": "", "tls-server-name": "", "insecure-skip-tls-verify": True}
    assert connected(tmp_path, cluster, **settings).version == "1.34.4"
