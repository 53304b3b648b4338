# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a management cluster has once: HyperShift's operator, its external-dns, the bucket of identity documents.

Read in openshift/hypershift cmd/install/assets/hypershift_operator.go: Deployments ``operator`` and ``external-dns`` in the namespace
``hypershift``, ConfigMap ``oidc-storage-provider-s3-config`` in ``kube-public``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import mapping, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import OPERATOR_NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, NotFound
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP, DEPLOYMENT, Kind

Object = dict[str, Any]

OPERATOR = "operator"
EXTERNAL_DNS = "external-dns"
OIDC_CONFIG = "oidc-storage-provider-s3-config"
OIDC_NAMESPACE = "kube-public"
_BUCKET_FLAG, _REGION_FLAG = "oidc-storage-provider-s3-bucket-name", "oidc-storage-provider-s3-region"
# What deletes the records of a source that is gone. HyperShift gives none, and its image (edo/external-dns-rhel8) takes "sync".
_DELETING = frozenset({"", "sync"})


class Bucket(NamedTuple):
    """A bucket that the documents of service account issuers are uploaded to, readable for everybody."""

    name: str
    region: str
    told_by: str


@dataclass(frozen=True)
class Workload:
    """A Deployment of the management cluster: its image, how many pods it wants and how many are ready."""

    image: str
    replicas: int
    ready: int
    paused: bool


@dataclass(frozen=True)
class ExternalDns:
    """How external-dns was started; what it was not told is empty, but where its own default matters here."""

    workload: Workload
    provider: str
    registry: str
    owner_id: str
    domains: tuple[str, ...]
    policy: str
    txt_prefix: str
    txt_suffix: str
    zone_type: str
    sources: tuple[str, ...]
    label_filter: str
    interval: str
    cache_interval: str

    @property
    def deletes(self) -> bool:
        """Whether it deletes the records of what is gone; with ``upsert-only`` and ``create-only`` it never does."""
        return self.policy in _DELETING

    def covers(self, hostname: str) -> bool:
        """Whether a name is in one of its domains; without any it takes every name."""
        name = hostname.rstrip(".").lower()
        domains = [domain.strip(".").lower() for domain in self.domains if domain.strip(".")]
        return not domains or any(name == domain or name.endswith(f".{domain}") for domain in domains)


@dataclass(frozen=True)
class Management:
    """``operator`` and ``external_dns`` are None where there is none, or where ``unreadable`` (by name) says why that is not known."""

    operator: Workload | None = None
    external_dns: ExternalDns | None = None
    oidc_buckets: tuple[Bucket, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def oidc_bucket_names(self) -> tuple[str, ...]:
        """The names of the buckets, each once."""
        return tuple(dict.fromkeys(bucket.name for bucket in self.oidc_buckets))


def read_management(api: Api) -> Management:
    """Read it with three requests. What is missing or may not be read is told in the result; raises KubeError for anything else."""
    wanted: Sequence[tuple[Kind, str, str]] = (
        (DEPLOYMENT, OPERATOR, OPERATOR_NAMESPACE),
        (DEPLOYMENT, EXTERNAL_DNS, OPERATOR_NAMESPACE),
        (CONFIGMAP, OIDC_CONFIG, OIDC_NAMESPACE),
    )

    def read(item: tuple[Kind, str, str]) -> Object | Forbidden | None:
        kind, name, namespace = item
        try:
            return api.get(kind, name, namespace)
        except NotFound:
            return None
        except Forbidden as error:
            return error

    found = api.map(read, wanted)
    unreadable = {
        name: _refusal(item) for (_kind, name, _namespace), item in zip(wanted, found, strict=True) if isinstance(item, Forbidden)
    }
    operator, external_dns, config = (None if isinstance(item, Forbidden) else item for item in found)
    return management(operator, external_dns, config, unreadable)


def _refusal(error: Forbidden) -> str:
    return f"not allowed to {error.missing}" if error.missing else str(error)


def management(
    operator: Object | None, external_dns: Object | None, oidc_config: Object | None, unreadable: Mapping[str, str]
) -> Management:
    """Return what the two Deployments and the ConfigMap say. Pure."""
    return Management(
        operator=None if operator is None else _workload(operator),
        external_dns=None if external_dns is None else _external_dns(external_dns),
        oidc_buckets=tuple(dict.fromkeys(_buckets(operator, oidc_config))),
        unreadable=unreadable,
    )


def _workload(deployment: Object) -> Workload:
    (container, *_others) = _containers(deployment) or [{}]
    return Workload(
        image=str(container.get("image") or ""),
        replicas=replicas_of(deployment),
        ready=int(mapping(deployment, "status").get("readyReplicas") or 0),
        paused=bool(mapping(deployment, "spec").get("paused")),
    )


def _external_dns(deployment: Object) -> ExternalDns:
    given = _flags(deployment)

    def one(name: str) -> str:
        return given.get(name, [""])[-1]

    return ExternalDns(
        workload=_workload(deployment),
        provider=one("provider"),
        # Its own default, when nothing is given (external-dns pkg/apis/externaldns/types.go).
        registry=one("registry") or "txt",
        owner_id=one("txt-owner-id") or "default",
        domains=tuple(given.get("domain-filter", [])),
        policy=one("policy"),
        txt_prefix=one("txt-prefix"),
        txt_suffix=one("txt-suffix"),
        zone_type=one("aws-zone-type"),
        sources=tuple(given.get("source", [])),
        label_filter=one("label-filter"),
        interval=one("interval"),
        cache_interval=one("txt-cache-interval"),
    )


def issuer_bucket(issuer: str) -> str:
    """Return the bucket that an issuer's documents are in, "" when its address is not one of S3 (a distribution before it, a proxy).

    A cluster that was moved here, or whose operator was set up anew, has its documents where they were.
    """
    address = urlsplit(issuer)
    host, path = address.hostname or "", address.path.strip("/").partition("/")[0]
    if not re.search(r"\.amazonaws\.com(\.cn)?$", host):
        return ""
    if re.match(r"s3[.-]", host):
        return path
    # The last one: a bucket's name may have it as well.
    found = re.match(r"(.+)\.s3[.-]", host)
    return found[1] if found else ""


def _buckets(operator: Object | None, oidc_config: Object | None) -> Iterator[Bucket]:
    if oidc_config is not None and mapping(oidc_config, "data").get("name"):
        data = mapping(oidc_config, "data")
        yield Bucket(str(data["name"]), str(data.get("region") or ""), f"ConfigMap {OIDC_NAMESPACE}/{OIDC_CONFIG}")
    if operator is not None:
        given = _flags(operator)
        for name in given.get(_BUCKET_FLAG, []):
            yield Bucket(name, given.get(_REGION_FLAG, [""])[-1], f"Deployment {OPERATOR_NAMESPACE}/{OPERATOR}")


def _flags(deployment: Object) -> dict[str, list[str]]:
    """Return the values of the long options of the first container, by name: ``--a=1 --a=2 --b 3 --c`` gives a: 1, 2; b: 3; c: "true"."""
    (container, *_others) = _containers(deployment) or [{}]
    words = [str(word) for word in [*(container.get("command") or ()), *(container.get("args") or ())]]
    found: dict[str, list[str]] = {}
    for position, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        if not equals:
            following = words[position + 1] if position + 1 < len(words) else ""
            value = following if following and not following.startswith("--") else "true"
        found.setdefault(name, []).append(value)
    return found


def _containers(deployment: Object) -> list[Object]:
    return list(mapping(deployment, "spec", "template", "spec").get("containers") or [])
