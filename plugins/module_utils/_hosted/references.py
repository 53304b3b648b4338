# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a HostedCluster and its NodePools refer to by name, in their own namespace. Pure.

The fields are those that the operator itself reads: openshift/hypershift, api/util/configrefs/refs.go for ``spec.configuration``,
api/hypershift/v1beta1 hostedcluster_types.go and nodepool_types.go for the others. Names that begin alike mean nothing: the Secrets
of ``prod2`` begin with ``prod``, and a pull secret may have any name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, Object, mapping, name_of

SECRET = "Secret"
CONFIG_MAP = "ConfigMap"

# Paths below spec, "[]" for each element of a list; what is there is an object with a name.
_HOSTED_CLUSTER = {
    SECRET: (
        "pullSecret",
        "sshKey",
        "serviceAccountSigningKey",
        "auditWebhook",
        "secretEncryption.aescbc.activeKey",
        "secretEncryption.aescbc.backupKey",
        "secretEncryption.kms.aws.auth.credentials",
        "etcd.unmanaged.tls.clientSecret",
        "configuration.apiServer.servingCerts.namedCertificates[].servingCertificate",
        "configuration.authentication.webhookTokenAuthenticator.kubeConfig",
        "configuration.authentication.webhookTokenAuthenticators[].kubeConfig",
        "configuration.ingress.componentRoutes[].servingCertKeyPairSecret",
        "configuration.oauth.templates.error",
        "configuration.oauth.templates.login",
        "configuration.oauth.templates.providerSelection",
    ),
    CONFIG_MAP: (
        "additionalTrustBundle",
        "configuration.apiServer.clientCA",
        "configuration.authentication.oauthMetadata",
        "configuration.image.additionalTrustedCA",
        "configuration.proxy.trustedCA",
        "configuration.scheduler.policy",
    ),
}
_IDENTITY_PROVIDER = {
    SECRET: (
        "basicAuth.tlsClientCert",
        "basicAuth.tlsClientKey",
        "github.clientSecret",
        "gitlab.clientSecret",
        "google.clientSecret",
        "htpasswd.fileData",
        "keystone.tlsClientCert",
        "keystone.tlsClientKey",
        "ldap.bindPassword",
        "openID.clientSecret",
    ),
    CONFIG_MAP: ("basicAuth.ca", "github.ca", "gitlab.ca", "keystone.ca", "ldap.ca", "openID.ca", "requestHeader.ca"),
}
# Read by the operator only when the type of authentication is OIDC.
_OIDC_PROVIDER = {SECRET: ("oidcClients[].clientSecret",), CONFIG_MAP: ("issuer.issuerCertificateAuthority",)}
_NODE_POOL = {CONFIG_MAP: ("config[]", "tuningConfig[]")}
# What the operator makes and says where; it makes them again when they are gone.
_STATUS = ("kubeconfig", "customKubeconfig", "kubeadminPassword")
# Names that the command line and the operator give where the objects themselves do not say them.
_WELL_KNOWN = ("admin-kubeconfig", "custom-admin-kubeconfig", "kubeadmin-password", "etcd-encryption-key", "pull-secret", "ssh-key")


class Reference(NamedTuple):
    """An object of the HostedCluster's namespace that is referred to, by ``kind`` (Secret or ConfigMap) and name.

    ``said_by`` is who does: ``HostedCluster prod spec.pullSecret``. A reference that is not ``required`` may lead nowhere;
    one that is only ``guessed`` is a usual name that nobody mentions.
    """

    kind: str
    name: str
    said_by: str
    required: bool = True
    guessed: bool = False


def references(inventory: Inventory) -> tuple[Reference, ...]:
    """Return everything that is referred to, each object once, what is required before what is not."""
    found: dict[tuple[str, str], Reference] = {}
    for reference in _all(inventory):
        found.setdefault((reference.kind, reference.name), reference)
    return tuple(found.values())


def _all(inventory: Inventory) -> Iterator[Reference]:
    hosted_cluster, who = inventory.hosted_cluster, f"HostedCluster {inventory.target.name}"
    yield from _below(inventory.spec, _HOSTED_CLUSTER, f"{who} spec")
    place = "configuration.oauth.identityProviders[]"
    for provider in _values(inventory.spec, place):
        yield from _below(provider, _IDENTITY_PROVIDER, f"{who} spec.{place}")
    if mapping(inventory.spec, "configuration", "authentication").get("type") == "OIDC":
        place = "configuration.authentication.oidcProviders[]"
        for provider in _values(inventory.spec, place):
            yield from _below(provider, _OIDC_PROVIDER, f"{who} spec.{place}")
    for pool in inventory.node_pools:
        yield from _below(mapping(pool, "spec"), _NODE_POOL, f"NodePool {name_of(pool)} spec")
    for field in _STATUS:
        if name := mapping(hosted_cluster, "status", field).get("name"):
            yield Reference(SECRET, str(name), f"{who} status.{field}", required=False)
    for suffix in _WELL_KNOWN:
        yield Reference(SECRET, f"{inventory.target.name}-{suffix}", "its usual name", required=False, guessed=True)


def _below(item: Object, fields: Mapping[str, tuple[str, ...]], said_by: str) -> Iterator[Reference]:
    for kind, paths in fields.items():
        for path in paths:
            for value in _values(item, path):
                if name := value.get("name"):
                    yield Reference(kind, str(name), f"{said_by}.{path}")


def _values(item: Any, path: str) -> Iterator[Object]:
    """Yield the objects at ``path``; nothing where the path ends early."""
    if not path:
        if isinstance(item, dict):
            yield item
        return
    step, _dot, rest = path.partition(".")
    found = item.get(step.removesuffix("[]")) if isinstance(item, dict) else None
    if step.endswith("[]"):
        for value in found if isinstance(found, list) else []:
            yield from _values(value, rest)
    else:
        yield from _values(found, rest)
