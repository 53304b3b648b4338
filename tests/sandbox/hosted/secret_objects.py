# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secrets and ConfigMaps of a hosted cluster in both of its namespaces, those included that a backup easily mistakes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

from .definitions import HYPERSHIFT
from .hypershift_objects import API, trust_bundle
from .made import Made, Object, Owner, metadata
from .shape import Shape, token_name, user_data_name

DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
_TLS = "kubernetes.io/tls"
# What a restored cluster could not do without (control-plane-operator/controllers/hostedcontrolplane/manifests/pki.go).
SIGNERS = ("root-ca", "cluster-signer-ca", "etcd-signer", "etcd-metrics-signer", "kube-control-plane-signer", "aggregator-client-signer")
CREDENTIALS = ("cloud-controller-creds", "node-management-creds", "control-plane-operator-creds")


def secrets_and_config(shape: Shape, known: Mapping[str, Mapping[str, bytes]]) -> Iterator[Made]:
    """All of them. ``known`` has real contents by the name of the Secret, where there is something behind them:
    ``admin-kubeconfig``, ``etcd-signer``, ``etcd-client-tls``, ``sa-signing-key``, ``root-ca``."""
    yield from _of_the_user(shape, known)
    if shape.control_plane:
        yield from _of_the_control_plane(shape, known)
        yield from _not_to_be_restored(shape)


def _secret(name: str, namespace: str, data: Mapping[str, bytes], kind: str = "Opaque", **more: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(name, namespace, **more),
        "type": kind,
        "data": {key: b64encode(value).decode() for key, value in data.items()},
    }


def _config_map(name: str, namespace: str, data: Object, annotations: Object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name, namespace, annotations=annotations), "data": data}


def secret_value(shape: Shape, name: str) -> bytes:
    """What is secret in the Secret ``name``: different in each, and with the shape's own word in it."""
    return f"{shape.secret}-{shape.digest('secret', name, length=24)}".encode()


def _docker_config(shape: Shape, name: str) -> dict[str, bytes]:
    login = b64encode(b"user:" + secret_value(shape, name)).decode()
    return {".dockerconfigjson": json.dumps({"auths": {"quay.io": {"auth": login}}}).encode()}


def _kubeconfig(shape: Shape, known: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    """The administrator's kubeconfig; without a real API server one that leads nowhere."""
    if found := known.get("admin-kubeconfig"):
        return dict(found)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": {"server": "https://127.0.0.1:9", "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": secret_value(shape, "admin-kubeconfig").decode()}}],
        "contexts": [{"name": "admin", "context": {"cluster": "cluster", "user": "admin"}}],
        "current-context": "admin",
    }
    return {"kubeconfig": json.dumps(content).encode()}


def _of_the_user(shape: Shape, known: Mapping[str, Mapping[str, bytes]]) -> Iterator[Made]:
    """In the namespace of the HostedCluster; what it refers to has the operator's annotation."""
    name, namespace = shape.name, shape.namespace
    referenced = {f"referenced-resource.{HYPERSHIFT}/{name}": "true"}
    infra = {f"{HYPERSHIFT}/auto-created-for-infra": shape.infra_id}

    def made(body: Object) -> Made:
        return Made(1, body)

    def plain(secret: str, key: str, **more: Any) -> Made:
        return made(_secret(secret, namespace, {key: secret_value(shape, secret)}, **more))

    pull = f"{name}-pull-secret"
    yield made(_secret(pull, namespace, _docker_config(shape, pull), DOCKER_CONFIG, annotations=referenced, labels=infra))
    yield plain(f"{name}-ssh-key", "id_rsa.pub", annotations=referenced, labels=infra)
    yield plain(f"{name}-etcd-encryption-key", "key", annotations=referenced, labels=infra)
    yield plain(f"company-login-{shape.infra_id}", "clientSecret", annotations=referenced)
    yield made(_secret(f"{name}-admin-kubeconfig", namespace, _kubeconfig(shape, known)))
    yield plain(f"{name}-kubeadmin-password", "password")
    # Nobody refers to it, though its name begins with the cluster's.
    yield plain(f"{name}-notes-of-somebody", "text")
    yield made(_config_map(trust_bundle(shape), namespace, {"ca-bundle.crt": "-----BEGIN CERTIFICATE-----\n"}, referenced))
    yield made(_config_map(f"company-ca-{shape.infra_id}", namespace, {"ca.crt": "-----BEGIN CERTIFICATE-----\n"}, referenced))
    for config in sorted({config for pool in shape.pools for config in (*pool.config, *pool.tuning)}):
        yield made(_config_map(config, namespace, {"config": "kind: KubeletConfig\n"}, {}))
    yield made(_config_map(f"{name}-notes", namespace, {"text": "nobody refers to this"}, {}))


def _of_the_control_plane(shape: Shape, known: Mapping[str, Mapping[str, bytes]]) -> Iterator[Made]:
    namespace = shape.control_plane_namespace
    owner = Owner(API, "HostedControlPlane", shape.name)

    def secret(name: str, *keys: str, kind: str = "Opaque", owned: bool = True, annotations: Object | None = None) -> Made:
        data = known.get(name) or {key: secret_value(shape, name) for key in keys}
        body = _secret(name, namespace, data, kind, annotations=annotations or {})
        return Made(4, body, owner if owned else None, manager="control-plane-operator")

    authority = dict(known.get("etcd-signer") or {}).get("ca.crt", b"-----BEGIN CERTIFICATE-----\n").decode()
    yield Made(4, _config_map("etcd-ca", namespace, {"ca.crt": authority}, {}), owner, manager="control-plane-operator")
    for name in SIGNERS:
        yield secret(name, "ca.crt", "ca.key")
    yield secret("sa-signing-key", "service-account.key", "service-account.pub")
    yield secret("etcd-client-tls", "etcd-client.crt", "etcd-client.key")
    yield secret("kas-server-crt", "tls.crt", "tls.key", kind=_TLS)
    yield secret("oauth-openshift-default-idp-cert", "tls.crt", "tls.key", kind=_TLS)
    yield secret("kubeadmin-password", "password")
    yield secret("kas-secret-encryption-config", "config.yaml")
    yield Made(4, _secret("admin-kubeconfig", namespace, _kubeconfig(shape, known)), owner, manager="control-plane-operator")
    for name in CREDENTIALS:
        yield secret(name, "credentials", owned=False)
    yield Made(4, _secret("pull-secret", namespace, _docker_config(shape, "pull-secret"), DOCKER_CONFIG), owner)
    yield secret("ssh-key", "id_rsa.pub", owned=False)
    # Kept, whatever its name looks like.
    yield secret("docker-mirror-login", "password", owned=False)
    for pool in shape.pools:
        annotations = {f"{HYPERSHIFT}/nodePool": f"{shape.namespace}/{pool.name}"}
        yield secret(user_data_name(shape, pool), "value", owned=False, annotations=annotations)
        reached = {**annotations, f"{HYPERSHIFT}/ignition-reached": "True"}
        yield secret(token_name(shape, pool), "token", "config", "release", owned=False, annotations=reached)


def _not_to_be_restored(shape: Shape) -> Iterator[Made]:
    """Secrets that belong to this management cluster: recognised by their type, not by their name."""
    namespace = shape.control_plane_namespace
    account = {"kubernetes.io/service-account.name": "default"}
    yield Made(
        4, _secret("default-token-x7x2k", namespace, {}, "kubernetes.io/service-account-token", annotations=account), manager="other"
    )
    pulls = {".dockercfg": json.dumps({"registry": {"auth": secret_value(shape, "dockercfg").decode()}}).encode()}
    yield Made(4, _secret("default-dockercfg-5mzqn", namespace, pulls, "kubernetes.io/dockercfg"), manager="other")
    helm = {"release": secret_value(shape, "helm")}
    yield Made(4, _secret("sh.helm.release.v1.tools.v1", namespace, helm, "helm.sh/release.v1"), manager="helm")
    token = {"token-id": b"abcdef", "token-secret": b"0123456789abcdef"}
    yield Made(4, _secret("bootstrap-token-abcdef", namespace, token, "bootstrap.kubernetes.io/token"), manager="other")
