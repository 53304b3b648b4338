# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which fields of a HostedCluster and a NodePool name Secrets and ConfigMaps."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.references import Reference, references

Object = dict[str, Any]
# As api/util/configrefs/refs.go of openshift/hypershift walks spec.configuration, and the fields of the types themselves.
FIELDS = [
    ("Secret", "pullSecret"),
    ("Secret", "sshKey"),
    ("Secret", "serviceAccountSigningKey"),
    ("Secret", "auditWebhook"),
    ("Secret", "secretEncryption.aescbc.activeKey"),
    ("Secret", "secretEncryption.aescbc.backupKey"),
    ("Secret", "etcd.unmanaged.tls.clientSecret"),
    ("Secret", "configuration.apiServer.servingCerts.namedCertificates.0.servingCertificate"),
    ("Secret", "configuration.authentication.webhookTokenAuthenticator.kubeConfig"),
    ("Secret", "configuration.authentication.webhookTokenAuthenticators.0.kubeConfig"),
    ("Secret", "configuration.ingress.componentRoutes.0.servingCertKeyPairSecret"),
    *(("Secret", f"configuration.oauth.templates.{page}") for page in ("error", "login", "providerSelection")),
    *(("Secret", f"configuration.oauth.identityProviders.0.{kind}.clientSecret") for kind in ("github", "gitlab", "google", "openID")),
    *(("Secret", f"configuration.oauth.identityProviders.0.{kind}.tlsClientCert") for kind in ("basicAuth", "keystone")),
    *(("Secret", f"configuration.oauth.identityProviders.0.{kind}.tlsClientKey") for kind in ("basicAuth", "keystone")),
    ("Secret", "configuration.oauth.identityProviders.0.htpasswd.fileData"),
    ("Secret", "configuration.oauth.identityProviders.0.ldap.bindPassword"),
    ("ConfigMap", "additionalTrustBundle"),
    ("ConfigMap", "configuration.apiServer.clientCA"),
    ("ConfigMap", "configuration.authentication.oauthMetadata"),
    ("ConfigMap", "configuration.image.additionalTrustedCA"),
    ("ConfigMap", "configuration.proxy.trustedCA"),
    ("ConfigMap", "configuration.scheduler.policy"),
    *(
        ("ConfigMap", f"configuration.oauth.identityProviders.0.{kind}.ca")
        for kind in ("basicAuth", "github", "gitlab", "keystone", "ldap", "openID", "requestHeader")
    ),
]


def at(path: str, value: Any) -> Object:
    """An object with ``value`` at a path, in which a number stands for the first element of a list."""
    for step in reversed(path.split(".")):
        value = [value] if step == "0" else {step: value}
    assert isinstance(value, dict)
    return value


def found(spec: Object, pools: tuple[Object, ...] = (), status: Object | None = None) -> list[Reference]:
    """The references of a hosted cluster prod, without the usual names."""
    inventory = Inventory(Target("clusters", "prod"), {"spec": spec, "status": status or {}}, pools)
    return [reference for reference in references(inventory) if not reference.guessed]


@pytest.mark.parametrize(("kind", "path"), FIELDS)
def test_every_field_of_a_hosted_cluster_that_names_something(kind: str, path: str) -> None:
    """The written script looks for Secrets whose names begin with the cluster's, and for no ConfigMaps at all."""
    (reference,) = found(at(path, {"name": "company-x"}))
    assert (reference.kind, reference.name, reference.required) == (kind, "company-x", True)
    assert reference.said_by.startswith("HostedCluster prod spec.")
    assert found(at(path, {"name": ""})) == []


def test_clients_of_an_identity_provider_count_when_it_is_used() -> None:
    """The operator reads them only then."""
    providers = [
        {"issuer": {"issuerCertificateAuthority": {"name": "ca"}}, "oidcClients": [{"clientSecret": {"name": "client"}}, {"clientID": "x"}]}
    ]
    used = {"configuration": {"authentication": {"type": "OIDC", "oidcProviders": providers}}}
    assert [(item.kind, item.name) for item in found(used)] == [("Secret", "client"), ("ConfigMap", "ca")]
    used["configuration"]["authentication"]["type"] = "IntegratedOAuth"
    assert found(used) == []


def test_every_node_pool_counts() -> None:
    """The written script has one variable for all node pools, and asks for an object of that name."""
    pools = tuple(
        {"metadata": {"name": name}, "spec": {"config": [{"name": f"{name}-kubelet"}], "tuningConfig": [{"name": "shared"}]}}
        for name in ("a", "b")
    )
    references_of_pools = found({}, pools)
    assert [item.name for item in references_of_pools] == ["a-kubelet", "shared", "b-kubelet"]
    assert references_of_pools[2].said_by == "NodePool b spec.config[]"


def test_what_the_operator_makes_is_named_by_the_status_and_may_be_gone() -> None:
    (reference,) = found({}, status={"kubeconfig": {"name": "prod-admin-kubeconfig"}})
    assert (reference.name, reference.required, reference.guessed) == ("prod-admin-kubeconfig", False, False)


def test_a_usual_name_that_the_spec_says_too_is_required() -> None:
    inventory = Inventory(Target("clusters", "prod"), {"spec": {"pullSecret": {"name": "prod-pull-secret"}}})
    (reference,) = [item for item in references(inventory) if item.name == "prod-pull-secret"]
    assert reference.required
    assert not any(item.name.startswith("prod2") for item in references(inventory))


@pytest.mark.parametrize("spec", [{"configuration": None}, {"configuration": {"oauth": []}}, {"pullSecret": "text"}, {"sshKey": {}}])
def test_a_spec_that_is_not_as_expected_refers_to_nothing(spec: Object) -> None:
    assert found(spec) == []
