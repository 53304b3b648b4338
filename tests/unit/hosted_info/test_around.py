# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a management cluster has once, its published names, and who else writes its objects."""

from __future__ import annotations

import dataclasses

import pytest
from hosted.shape import Shape

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.hostnames import api_hostname, hostnames
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.management import ExternalDns, issuer_bucket, management
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.writers import field_managers, writers, writers_of
from ansible_collections.meshops.lifecycle.tests.unit.hosted_info.clusters_seen import Object, inventory, settings

HOSTNAME = "external-dns.alpha.kubernetes.io/hostname"


def external_dns(*arguments: str) -> ExternalDns:
    found = settings(external_dns_arguments=arguments).external_dns
    assert found is not None
    return found


def test_what_is_there_once() -> None:
    found = settings(ready=2)
    assert found.operator is not None
    assert (found.operator.image, found.operator.replicas, found.operator.ready) == ("quay.io/acm-d/rhtap-hypershift-operator:4.17", 2, 2)
    assert found.oidc_bucket_names == ("hosted-oidc",)
    assert [bucket.told_by.partition(" ")[0] for bucket in found.oidc_buckets] == ["ConfigMap", "Deployment"]
    dns = found.external_dns
    assert dns is not None
    assert (dns.provider, dns.registry, dns.owner_id, dns.domains) == ("aws", "txt", "7f0c2f3a-owner-of-records", ("hosted.example.com",))
    assert (dns.txt_suffix, dns.zone_type, dns.interval, dns.cache_interval) == ("-external-dns", "public", "1m", "1h")
    assert (dns.sources, dns.label_filter) == (("service", "openshift-route"), "hypershift.openshift.io/route-visibility!=private")


def test_nothing_is_there() -> None:
    found = management(None, None, None, {"operator": "forbidden"})
    assert (found.operator, found.external_dns, found.oidc_buckets, found.unreadable) == (None, None, (), {"operator": "forbidden"})


@pytest.mark.parametrize(
    ("arguments", "deletes"),
    [((), True), (("--policy=sync",), True), (("--policy=upsert-only",), False), (("--policy", "create-only"), False)],
)
def test_what_external_dns_deletes(arguments: tuple[str, ...], deletes: bool) -> None:
    assert external_dns(*arguments).deletes is deletes


def test_words_of_their_own_and_words_twice_are_understood() -> None:
    found = external_dns("--domain-filter", "other.example.com.", "--txt-owner-id=second", "--dry-run")
    assert found.domains == ("hosted.example.com", "other.example.com.")
    assert found.owner_id == "second"
    assert [found.covers(name) for name in ("api.OTHER.example.com", "other.example.com.", "another.example.com")] == [True, True, False]


@pytest.mark.parametrize(
    ("issuer", "bucket"),
    [
        ("https://documents.s3.us-east-2.amazonaws.com/prod", "documents"),
        ("https://our.s3.documents.s3.us-east-2.amazonaws.com/prod", "our.s3.documents"),
        ("https://documents.s3-us-west-2.amazonaws.com/prod", "documents"),
        ("https://documents.s3.cn-north-1.amazonaws.com.cn/prod", "documents"),
        ("https://s3.us-east-2.amazonaws.com/documents/prod", "documents"),
        ("https://d111111abcdef8.cloudfront.net/prod", ""),
        ("", ""),
    ],
)
def test_the_bucket_of_an_issuer(issuer: str, bucket: str) -> None:
    assert issuer_bucket(issuer) == bucket


def test_without_a_domain_it_takes_every_name() -> None:
    assert dataclasses.replace(external_dns(), domains=()).covers("api.example.org")


def test_names_are_those_of_the_spec_and_of_what_is_published() -> None:
    found = inventory()
    found.services[0]["metadata"]["annotations"] = {HOSTNAME: "More.hosted.example.com., api-prod.hosted.example.com"}
    found.services[1]["metadata"] |= {
        "annotations": {HOSTNAME: "hidden.hosted.example.com"},
        "labels": {"hypershift.openshift.io/route-visibility": "private"},
    }
    assert [(each.name, each.service) for each in hostnames(found)] == [
        ("api-prod.hosted.example.com", "APIServer"),
        ("oauth-prod.hosted.example.com", "OAuthServer"),
        ("konnectivity-prod.hosted.example.com", "Konnectivity"),
        ("ignition-prod.hosted.example.com", "Ignition"),
        ("more.hosted.example.com", ""),
    ]
    assert api_hostname(found.hosted_cluster) == "api-prod.hosted.example.com"
    assert api_hostname(inventory(Shape("prod", external_dns=False)).hosted_cluster) == ""


SIGNS = [
    ({"annotations": {"argocd.argoproj.io/tracking-id": "hosted:x"}}, "Argo CD", True),
    ({"labels": {"kustomize.toolkit.fluxcd.io/name": "hosted"}}, "Flux", True),
    ({"labels": {"helm.toolkit.fluxcd.io/name": "hosted"}}, "Flux", True),
    ({"managedFields": [{"manager": "argocd-controller"}]}, "Argo CD", True),
    ({"managedFields": [{"manager": "kustomize-controller"}]}, "Flux", True),
    ({"managedFields": [{"manager": "work-agent"}]}, "Open Cluster Management (ACM)", True),
    ({"managedFields": [{"manager": "klusterlet-work"}]}, "Open Cluster Management (ACM)", True),
    ({"ownerReferences": [{"kind": "AppliedManifestWork", "name": "hub-1"}]}, "Open Cluster Management (ACM)", True),
    ({"annotations": {"apps.open-cluster-management.io/hosting-subscription": "a/b"}}, "Open Cluster Management (ACM)", True),
    ({"annotations": {"cluster.open-cluster-management.io/managedcluster-name": "prod"}}, "the hypershift add-on of ACM", False),
    ({"annotations": {"meta.helm.sh/release-name": "hosted"}}, "Helm", False),
    ({"managedFields": [{"manager": "kubectl-client-side-apply"}]}, "kubectl apply", False),
]


@pytest.mark.parametrize(("metadata", "tool", "continuous"), SIGNS)
def test_signs_of_other_tools(metadata: Object, tool: str, continuous: bool) -> None:
    found = inventory()
    assert writers(found) == ()
    found.hosted_cluster["metadata"] |= metadata
    (writer,) = writers(found)
    assert (writer.tool.name, writer.continuous, str(writer.object)) == (tool, continuous, "HostedCluster clusters/prod")
    assert writer.as_dict()["tool"] == tool


def test_a_tool_is_told_once_of_an_object_and_not_for_a_status() -> None:
    item = {
        "kind": "NodePool",
        "metadata": {
            "name": "a",
            "namespace": "clusters",
            "annotations": {"argocd.argoproj.io/tracking-id": "hosted:x"},
            "managedFields": [{"manager": "argocd"}, {"manager": "work-agent", "subresource": "status"}, {"manager": "hypershift"}],
        },
    }
    assert [(writer.tool.name, writer.evidence) for writer in writers_of(item)] == [
        ("Argo CD", "annotation argocd.argoproj.io/tracking-id: hosted:x")
    ]
    assert field_managers([item]) == {"argocd": ["NodePool clusters/a"], "hypershift": ["NodePool clusters/a"]}
