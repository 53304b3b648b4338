# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a namespace counts as not of the mesh, and so keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube import kinds
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import UninstallRequest
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_contents import content
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_evidence import Thing
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.clusters import (
    MESH_CONFIG,
    chart_things,
    hook_things,
    item,
    labels,
    with_mesh,
)

PLACE = "osm-system"
EGRESS = Kind("policy.openservicemesh.io/v1alpha1", "Egress", "egresses")


def held(*more: Thing, **request: Any) -> list[str]:
    """What counts of a sound mesh's namespace that also holds ``more``."""
    cluster = with_mesh()
    cluster.things += [each for each in more if each.hook]
    subject = cluster.subject()
    assert subject is not None
    own = [
        *(each for each in chart_things() if each.namespace),
        *(item(kinds.DEPLOYMENT, name, PLACE, uid=f"uid-{name}") for name in subject.product.deployments),
        item(MESH_CONFIG, "osm-mesh-config", PLACE),
        item(kinds.SECRET, "osm-ca-bundle", PLACE),
        item(kinds.SECRET, "sh.helm.release.v1.osm.v1", PLACE),
    ]
    found = content([*own, *more], cluster.artefacts(subject), subject, UninstallRequest(delete_namespace="empty", **request))
    return [str(ref) for ref in found]


def owned_by(uid: str) -> list[dict[str, Any]]:
    return [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": uid, "controller": True}]


def test_a_namespace_with_nothing_but_the_mesh() -> None:
    assert held() == []


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(item(kinds.CONFIGMAP, "kube-root-ca.crt", PLACE), id="of every namespace"),
        pytest.param(item(kinds.SERVICEACCOUNT, "default", PLACE), id="default account"),
        pytest.param(item(kinds.ROLEBINDING, "system:image-pullers", PLACE), id="OpenShift's"),
        pytest.param(item(kinds.SECRET, "osm-token-x", PLACE, by={"kubernetes.io/service-account.name": "osm"}), id="token"),
        pytest.param(item(kinds.POD, "osm-controller-x", PLACE, labels={"app": "osm-controller"}), id="pod that outlives its Deployment"),
        pytest.param(item(kinds.REPLICASET, "rs", PLACE, ownerReferences=owned_by("uid-osm-controller")), id="made by a Deployment"),
        pytest.param(item(kinds.POD, "cleanup", PLACE, labels=labels()), id="pod of a hook"),
        pytest.param(item(kinds.CONFIGMAP, "going", PLACE, deletionTimestamp="2026-01-01T00:00:00Z"), id="being deleted"),
    ],
)
def test_what_nobody_would_miss(thing: Thing) -> None:
    assert held(thing) == []


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(item(kinds.CONFIGMAP, "mine", PLACE), id="a user's"),
        pytest.param(item(kinds.CONFIGMAP, "mine", PLACE, labels=labels()), id="a user's with the chart's labels"),
        pytest.param(item(kinds.PERSISTENT_VOLUME_CLAIM, "data", PLACE), id="data"),
        pytest.param(item(kinds.POD, "alone", PLACE), id="bare pod"),
        pytest.param(item(kinds.POD, "alone", PLACE, ownerReferences=owned_by("a-kind-that-was-not-read")), id="made by what was not read"),
        pytest.param(item(kinds.SECRET, "ca", PLACE), id="Secret"),
        pytest.param(item(EGRESS, "web", PLACE), id="custom resource"),
        pytest.param(item(Kind("example.com/v1", "Egress", "egresses"), "web", PLACE), id="custom resource of others"),
    ],
)
def test_what_would_be_lost(thing: Thing) -> None:
    assert held(thing) == [str(thing.ref)]


def test_what_the_request_deletes_by_itself_keeps_nothing() -> None:
    egress = item(EGRESS, "web", PLACE)
    everything = frozenset({"all"})
    assert held(egress, cluster_wide=everything, delete_custom_resources=True) == []
    assert held(egress, cluster_wide=everything) == [f"Egress {PLACE}/web"]
    assert held(egress, cluster_wide=everything, delete_custom_resources=True, parts=frozenset({"namespace"})) == [f"Egress {PLACE}/web"]
    refused = [each for each in hook_things("blue", PLACE, "blue", suffix="preinstall", hook="pre-install") if each.namespace]
    assert held(*refused) == [f"Job {PLACE}/blue-preinstall", f"ServiceAccount {PLACE}/blue-preinstall"]
    assert held(*refused, cluster_wide=frozenset({"orphans"})) == []
