# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a management cluster has once: HyperShift's operator, external-dns, where identity documents go, storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .control_plane_objects import DRIVER, STORAGE_CLASS
from .made import Made, Object, metadata

NAMESPACE = "hypershift"


@dataclass(frozen=True)
class Management:
    """How a management cluster was set up. ``owner_id`` is external-dns' --txt-owner-id; no ``domain``: no external-dns."""

    region: str = "us-east-2"
    oidc_bucket: str = "hosted-oidc"
    domain: str = "hosted.example.com"
    owner_id: str = "7f0c2f3a-owner-of-records"
    external_dns_arguments: tuple[str, ...] = ()
    operator_image: str = "quay.io/acm-d/rhtap-hypershift-operator:4.17"


def operator_objects(management: Management) -> Iterator[Made]:
    """The namespace ``hypershift`` with what runs there, and what it publishes about itself."""
    yield Made(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(NAMESPACE)}, manager="hypershift")
    yield Made(
        0,
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": metadata(DRIVER),
            # Nothing waits for the attachment of what is not there.
            "spec": {"attachRequired": False},
        },
    )
    yield Made(
        0,
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": metadata(STORAGE_CLASS),
            "provisioner": DRIVER,
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    arguments = [
        "run",
        "--namespace=$(MY_NAMESPACE)",
        "--private-platform=AWS",
        "--enable-ocp-cluster-monitoring=false",
        f"--oidc-storage-provider-s3-bucket-name={management.oidc_bucket}",
        f"--oidc-storage-provider-s3-region={management.region}",
        "--oidc-storage-provider-s3-credentials=/etc/oidc-storage-provider-s3-creds/credentials",
    ]
    yield _deployment("operator", management.operator_image, arguments, 2)
    yield _config_map("oidc-storage-provider-s3-config", "kube-public", {"name": management.oidc_bucket, "region": management.region})
    yield _config_map("supported-versions", NAMESPACE, {"supported-versions": '{"versions":["4.17","4.16","4.15","4.14"]}'})
    if management.domain:
        yield _deployment("external-dns", "quay.io/edo/external-dns-rhel8:1.2.1", _external_dns_arguments(management), 1)


def _external_dns_arguments(management: Management) -> list[str]:
    """cmd/install/assets/hypershift_operator.go."""
    return [
        "--source=service",
        "--source=openshift-route",
        f"--domain-filter={management.domain}",
        "--provider=aws",
        "--registry=txt",
        "--txt-suffix=-external-dns",
        f"--txt-owner-id={management.owner_id}",
        "--label-filter=hypershift.openshift.io/route-visibility!=private",
        "--interval=1m",
        "--txt-cache-interval=1h",
        "--aws-zone-type=public",
        "--aws-batch-change-interval=10s",
        "--aws-zones-cache-duration=1h",
        *management.external_dns_arguments,
    ]


def _deployment(name: str, image: str, arguments: list[str], replicas: int) -> Made:
    labels = {"name": name}
    container = {"name": name, "image": image, "args": arguments}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], "automountServiceAccountToken": False}},
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(name, NAMESPACE, labels=labels), "spec": spec}
    return Made(1, body, manager="hypershift")


def _config_map(name: str, namespace: str, data: Object) -> Made:
    return Made(1, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name, namespace), "data": data}, manager="hypershift")
