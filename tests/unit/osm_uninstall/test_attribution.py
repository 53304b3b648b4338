# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose the objects are that charts, hooks and control planes make; nothing of others is ever the named mesh's."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube import kinds
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import SiteDetails, sites
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import ReplicaSetFacts
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import deployment, evidence, release
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.clusters import (
    ROOT_CERTIFICATE,
    Cluster,
    both,
    hook_things,
    item,
    labels,
    made_by_helm,
    with_mesh,
)


def test_everything_of_a_sound_mesh_is_its() -> None:
    cluster = with_mesh()
    named = cluster.named()
    assert Counter(each.what for each in named.values()) == {
        "control-plane-deployment": 3,
        "service": 4,
        "rbac": 3,
        "config-map": 2,
        "disruption-budget": 1,
        "helm-release": 1,
        "helm-record": 1,
        "mutating-webhook": 1,
        "validating-webhook": 1,
        "mesh-config": 1,
        "root-certificate": 1,
        "ca-secret": 1,
    }
    assert all(each.found_by for each in named.values())
    assert cluster.of("other") == {}
    assert cluster.of("shared") == {}
    assert {each.what for each in cluster.of("unclaimed").values()} == {"osm-crd", "smi-crd"}


def test_what_is_another_meshs_is_never_named() -> None:
    """Two control planes: each thing has one owner, and the users of what is shared are told."""
    blue = with_mesh(name="blue", place="blue")
    cluster = both(with_mesh(), blue)
    named, others = cluster.named("blue"), cluster.of("other", "blue")
    assert {each.ref.namespace for each in named.values()} == {"", "blue"}
    assert all("blue" in each.ref.name for each in named.values() if not each.ref.namespace)
    # What has its mark; a CA Secret or a preset of others is not even looked for.
    assert {each.users for each in others.values() if each.what != "config-map"} == {("osm-system/osm",)}
    assert {key for key in others if key.startswith("mutating")} == {"mutating-webhook MutatingWebhookConfiguration osm-webhook-osm"}
    shared = cluster.of("shared", "blue")
    assert len(shared) == 19
    assert {each.users for each in shared.values()} == {("osm-system/osm",)}
    # When it is the last one, nothing is shared any more.
    assert blue.of("shared", "blue") == {}


def test_two_meshes_of_the_same_name_share_what_only_their_name_marks() -> None:
    cluster = both(with_mesh(), with_mesh(place="elsewhere"))
    bare = [item(kinds.CLUSTERROLE, "osm", labels=labels(), uid="bare")]
    cluster.things = [each for each in cluster.things if each.kind != kinds.CLUSTERROLE] + bare
    shared = cluster.of("shared", namespace="elsewhere")
    assert shared["rbac ClusterRole osm"].users == ("osm-system/osm",)
    named = cluster.named(namespace="elsewhere")
    assert {each.ref.namespace for each in named.values()} == {"", "elsewhere"}
    assert "rbac ClusterRoleBinding osm" not in named or named["rbac ClusterRoleBinding osm"].found_by.startswith("Helm's annotations")


# Helm releases


def test_what_belongs_to_another_release_is_not_the_meshs_whatever_its_labels() -> None:
    cluster = with_mesh()
    stranger = release("9.0.0", name="dashboards", place="osm-system", chart="dashboards")._replace(manifest="image: grafana:9\n")
    more = evidence(releases=[stranger])
    cluster.found.revisions += more.revisions
    cluster.found.releases |= more.releases
    by = made_by_helm("dashboards", "osm-system")
    cluster.things += [
        item(kinds.CONFIGMAP, "osm-grafana-extra", "osm-system", by=by, labels=labels()),
        item(kinds.CLUSTERROLE, "osm-grafana", by=by, labels=labels()),
    ]
    others = cluster.of("other")
    assert {"config-map ConfigMap osm-system/osm-grafana-extra", "rbac ClusterRole osm-grafana"} <= others.keys()
    assert "release osm-system/dashboards" in others["rbac ClusterRole osm-grafana"].found_by
    assert "helm-release HelmRelease osm-system/dashboards" not in {**others, **cluster.named()}


def test_release_with_another_name_than_the_mesh_in_another_namespace() -> None:
    parts = [deployment(name, "1.3.9", mesh="osm") for name in ("osm-bootstrap", "osm-controller", "osm-injector")]
    by = made_by_helm("edge", "releases")
    for each in parts:
        each["metadata"]["annotations"] = by
    record = release("1.3.9", name="edge", place="releases", osmNamespace="osm-system")
    cluster = with_mesh(deployments=parts, records=[record])
    cluster.things = [
        item(kinds.SERVICEACCOUNT, "edge", "osm-system", by=by, labels=labels()),
        item(kinds.CLUSTERROLE, "edge", by=by, labels=labels()),
        item(kinds.CLUSTERROLE, "edge-prometheus", by=by, labels=labels()),
        *hook_things("edge", "osm-system", "osm"),
    ]
    named = cluster.named()
    assert named["helm-release HelmRelease releases/edge"].state == {"status": "deployed", "revision": 1, "readable": True}
    assert "helm-record Secret releases/sh.helm.release.v1.edge.v1" in named
    assert {"rbac ClusterRole edge", "rbac ClusterRole edge-prometheus", "rbac ServiceAccount osm-system/edge"} <= named.keys()
    assert "hook ClusterRole edge-cleanup" in named


def test_mesh_whose_record_was_purged() -> None:
    """Helm purges the record also when its hook failed; objects go on naming a release that is not there."""
    cluster = with_mesh(records=[])
    named = cluster.named()
    assert not any(each.what.startswith("helm-") for each in named.values())
    assert {"service", "rbac", "config-map", "control-plane-deployment"} <= {each.what for each in named.values()}


def test_record_that_cannot_be_read_is_told() -> None:
    cluster = with_mesh()
    cluster.found.releases = {}
    assert cluster.named()["helm-release HelmRelease osm-system/osm"].state["readable"] is False


def test_a_mesh_that_helm_did_not_install_has_presets_without_any_mark() -> None:
    cluster = with_mesh(records=[])
    cluster.things = [item(kinds.CONFIGMAP, name, "osm-system") for name in ("preset-mesh-config", "mine")]
    named = cluster.named()
    assert "config-map ConfigMap osm-system/preset-mesh-config" in named
    assert "config-map ConfigMap osm-system/mine" not in named


# Things of users


@pytest.mark.parametrize(
    ("name", "own", "words"),
    [
        ("my-notes", labels(), "no chart of the family makes an object of this name"),
        ("my-notes", labels("gone"), "no chart of the family makes an object of this name"),
        ("osm-notes", {"app.kubernetes.io/name": "openservicemesh.io"}, "but no mesh"),
    ],
)
def test_a_users_object_with_the_charts_labels_stays_the_users(name: str, own: dict[str, str], words: str) -> None:
    cluster = with_mesh()
    cluster.things.append(item(kinds.CONFIGMAP, name, "osm-system", labels=own))
    assert words in cluster.of("other")[f"config-map ConfigMap osm-system/{name}"].found_by


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        (kinds.CONFIGMAP, "osm-dashboards", "osm-system"),
        (kinds.ROLEBINDING, "osm-admins", "osm-system"),
        (kinds.CLUSTERROLE, "osm-readers", ""),
        (kinds.SERVICE, "osm-controller-debug", "osm-system"),
        (kinds.CLUSTERROLE, "osm-edge", ""),
    ],
)
def test_a_name_that_only_sounds_like_the_charts_is_a_users(kind: Kind, name: str, place: str) -> None:
    cluster = with_mesh()
    cluster.things.append(item(kind, name, place, labels=labels()))
    (found,) = (each for each in cluster.of("other").values() if each.ref.name == name)
    assert "no chart of the family makes an object of this name" in found.found_by


@pytest.mark.parametrize("own", [labels(), {"app.kubernetes.io/name": "openservicemesh.io"}])
def test_a_users_deployment_beside_the_control_plane_stays_the_users(own: dict[str, str]) -> None:
    raw = deployment("osm-exporter", "1.3.9")
    raw["metadata"]["labels"], raw["metadata"]["annotations"] = own, {}
    cluster = with_mesh()
    cluster.found.deployments.append(raw)
    assert "optional-deployment Deployment osm-system/osm-exporter" in cluster.of("other")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kinds.CONFIGMAP, "osm-grafana-dashboards"),
        (kinds.CONFIGMAP, "osm-prometheus-server-conf"),
        (kinds.HPA, "osm-injector-hpa"),
        (kinds.SERVICE, "osm-multicluster-gateway"),
        (kinds.SERVICEACCOUNT, "osm-interceptor"),
    ],
)
def test_what_a_chart_was_rendered_to_without_helm_is_the_meshs(kind: Kind, name: str) -> None:
    cluster = with_mesh(records=[])
    cluster.things.append(item(kind, name, "osm-system", labels=labels()))
    assert name in {each.ref.name for each in cluster.named().values()}


# Hooks


def test_hook_of_the_mesh_and_of_an_installation_that_was_refused() -> None:
    cluster = with_mesh()
    cluster.things += hook_things("osm", "osm-system", "osm")
    cluster.things += hook_things("blue", "osm-system", "blue", suffix="preinstall", hook="pre-install")
    named, unclaimed = cluster.named(), cluster.of("unclaimed")
    assert {key for key in named if key.startswith("hook ")} == {
        "hook ClusterRole osm-cleanup",
        "hook ClusterRoleBinding osm-cleanup",
        "hook Job osm-system/osm-cleanup",
        "hook ServiceAccount osm-system/osm-cleanup",
    }
    assert {key for key in unclaimed if key.startswith("hook ")} == {
        "hook ClusterRole blue-preinstall",
        "hook ClusterRoleBinding blue-preinstall",
        "hook Job osm-system/blue-preinstall",
        "hook ServiceAccount osm-system/blue-preinstall",
    }


def test_job_tells_its_state() -> None:
    cluster = Cluster(evidence(), hook_things("osm", "osm-system", "osm"))
    assert cluster.named()["hook Job osm-system/osm-cleanup"].state == {"job": "running"}


# What earlier versions left


def test_deployments_of_1_1_after_an_upgrade() -> None:
    left = [deployment(name, "1.1.1") for name in ("jaeger", "osm-multicluster-gateway")]
    parts = [deployment(name, "1.3.9") for name in ("osm-bootstrap", "osm-controller", "osm-injector", "osm-jaeger")]
    named = with_mesh(deployments=[*parts, *left]).named()
    assert named["old-deployment Deployment osm-system/jaeger"].owner == "named"
    assert "old-deployment Deployment osm-system/osm-multicluster-gateway" in named
    assert "optional-deployment Deployment osm-system/osm-jaeger" in named
    # In 1.1 they are the chart's own.
    old = with_mesh("1.1.1", deployments=[*(deployment(name, "1.1.1") for name in ("osm-controller", "osm-injector")), *left], records=[])
    assert "optional-deployment Deployment osm-system/jaeger" in old.named()


def test_replica_set_that_an_upgrade_orphaned() -> None:
    cluster = with_mesh()
    orphan = ReplicaSetFacts("osm-controller-5d7f", "osm-controller", "uid-rs", "9", 1, "")
    owned = ReplicaSetFacts("osm-controller-77aa", "osm-controller", "uid-rs2", "9", 1, "uid-osm-system-osm-controller")
    (site,) = sites(cluster.found)
    cluster.details = {site: SiteDetails(endpoints={}, replica_sets=[orphan, owned])}
    named = cluster.named()
    assert named["control-plane-deployment ReplicaSet osm-system/osm-controller-5d7f"].state == {"replicas": 1}
    assert "control-plane-deployment ReplicaSet osm-system/osm-controller-77aa" not in named


def test_a_deployment_that_lost_its_labels_is_known_by_its_name() -> None:
    bare = deployment("osm-injector", "1.3.9")
    bare["metadata"]["labels"] = {}
    bare["metadata"]["annotations"] = {}
    parts = [deployment("osm-controller", "1.3.9"), bare]
    assert "control-plane-deployment Deployment osm-system/osm-injector" in with_mesh(deployments=parts).named()


def test_what_is_left_when_the_three_deployments_are_gone() -> None:
    """Optional Deployments make no control plane, and are the mesh's by their labels."""
    prometheus = deployment("osm-prometheus", "1.3.9")
    prometheus["metadata"]["labels"] |= labels()
    cluster = Cluster(evidence(deployments=[prometheus]), [item(kinds.SERVICE, "osm-prometheus", "osm-system", labels=labels())])
    named = cluster.named()
    assert {"optional-deployment Deployment osm-system/osm-prometheus", "service Service osm-system/osm-prometheus"} <= named.keys()


# MeshConfig, certificates


def test_a_root_certificate_that_a_user_made_is_not_the_bootstraps() -> None:
    cluster = with_mesh()
    cluster.things.append(item(ROOT_CERTIFICATE, "next-root", "osm-system"))
    assert "root-certificate MeshRootCertificate osm-system/next-root" in cluster.of("other")


def test_ca_secret_by_the_name_that_the_values_give() -> None:
    cluster = with_mesh(records=[release("1.3.9", caBundleSecretName="my-ca")])
    cluster.things.append(item(kinds.SECRET, "my-ca", "osm-system", labels={"app.kubernetes.io/name": "openservicemesh.io"}))
    named = cluster.named()
    assert "ca-secret Secret osm-system/my-ca" in named
    assert "ca-secret Secret osm-system/osm-ca-bundle" not in named


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "somebody brought it"),
        ({"by": {"cert-manager.io/certificate-name": "root"}, "labels": labels()}, "cert-manager"),
        ({"by": made_by_helm("vault", "osm-system"), "labels": labels()}, "release osm-system/vault"),
    ],
)
def test_a_ca_secret_that_others_made_is_theirs(metadata: dict[str, dict[str, str]], words: str) -> None:
    cluster = with_mesh()
    cluster.things = [item(kinds.SECRET, "osm-ca-bundle", "osm-system", **metadata)]
    assert words in cluster.of("other")["ca-secret Secret osm-system/osm-ca-bundle"].found_by
