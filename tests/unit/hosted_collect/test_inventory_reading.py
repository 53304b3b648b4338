# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading one hosted cluster among others: whose objects are whose, and which version they are read with."""

from __future__ import annotations

import json

import pytest
from hosted.shape import Pool, Shape, neighbours

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted import inventory_reading
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import name_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory_reading import read_inventory
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import CLUSTER_ANNOTATION, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import Forbidden, NotFound, ServerFailure
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.tests.unit.hosted_collect.management_clusters import PROD, Management

PLACE = PROD.control_plane_namespace


def test_everything_of_a_cluster_is_read_by_one_list_per_type() -> None:
    """The written script asks by bare names (machine, machineset, cluster), which on OpenShift are also those of machine.openshift.io,
    and once per object."""
    management = Management([PROD, *neighbours(PROD)[:2]])
    inventory = management.inventory(PROD)
    assert [name_of(pool) for pool in inventory.node_pools] == ["prod-a", "prod-b", "prod-c"]
    assert {plural: len(items) for plural, items in inventory.objects.items()} == {
        "clusters": 1,
        "machinedeployments": 2,
        "machinesets": 3,
        "machines": 6,
        "machinehealthchecks": 2,
        "awsclusters": 1,
        "awsmachines": 6,
        "awsmachinetemplates": 8,
        "awsendpointservices": 2,
        "controlplanecomponents": 14,
    }
    assert (len(inventory.deployments), len(inventory.stateful_sets), len(inventory.services)) == (14, 1, 3)
    assert name_of(inventory.control_plane or {}) == "prod"
    assert inventory.versions == {
        "hypershift.openshift.io": "v1beta1",
        "cluster.x-k8s.io": "v1beta1",
        "infrastructure.cluster.x-k8s.io": "v1beta2",
    }
    assert not any("machine.openshift.io" in path for path in management.requests)
    assert len(management.requests) == len(set(management.requests)) < 25
    assert not any("secrets" in path for path in management.requests)


@pytest.mark.parametrize(("served", "version"), [(("v1beta1",), "v1beta1"), (("v1beta2", "v1beta1"), "v1beta1"), (("v1beta2",), "v1beta2")])
def test_the_version_of_cluster_api_is_chosen_not_the_preferred_one(served: tuple[str, ...], version: str) -> None:
    shape = Shape("prod", pools=(Pool("prod-a", 2),), cluster_api_version=version)
    inventory = Management([shape], served=served).inventory(shape)
    assert inventory.cluster_api_version == version
    assert {item["apiVersion"] for item in inventory.of("machines")} == {f"cluster.x-k8s.io/{version}"}


def test_a_version_that_nobody_knows_here_is_refused() -> None:
    with pytest.raises(Refused, match="served as v1"):
        Management([PROD], served=("v1",)).inventory(PROD)


def test_without_cluster_api_the_missing_type_is_named() -> None:
    with pytest.raises(NotFound, match="clusters in namespace clusters-prod"):
        Management([PROD], served=()).inventory(PROD)


def test_a_wrong_name_is_answered_with_those_that_exist() -> None:
    management = Management([PROD, neighbours(PROD)[0]])
    with pytest.raises(Refused) as refused:
        read_inventory(management.api, Target("clusters", "prd"))
    assert refused.value.details["refusals"][0]["code"] == "hosted-cluster-missing"
    assert refused.value.state == "HostedClusters that exist: clusters/prod, clusters/prod2"
    with pytest.raises(Refused, match="there is no HostedCluster other/prod"):
        read_inventory(management.api, Target("other", "prod"))


def test_an_empty_cluster_is_probably_the_wrong_one() -> None:
    with pytest.raises(Refused) as refused:
        read_inventory(Management([]).api, Target("clusters", "prod"))
    assert "not to a hosted cluster" in refused.value.next


def test_the_control_plane_of_another_cluster_is_not_taken_for_this_ones() -> None:
    """The written script composes the namespace of two names; those of prod.v2 and prod-v2 come to the same."""
    dotted, clash = neighbours(PROD)[2], neighbours(PROD)[4]
    management = Management([dotted, clash])
    with pytest.raises(Refused) as refused:
        management.inventory(clash)
    (refusal,) = refused.value.details["refusals"]
    assert refusal["code"] == "control-plane-of-another"
    assert "prod.v2 of clusters/prod.v2" in refusal["what"]
    assert "clusters/prod.v2" in refusal["next"]
    # The one that it belongs to is read, and knows the other.
    inventory = management.inventory(dotted)
    assert inventory.target.control_plane_namespace == "clusters-prod-v2"
    assert inventory.neighbours == (Target("clusters", "prod-v2"),)


def test_a_clash_is_also_seen_over_two_namespaces() -> None:
    one, other = Shape("c", "a-b", (Pool("c-a", 1),)), Shape("b-c", "a", (Pool("b-c-a", 1),), control_plane=False)
    assert Management([one, other]).inventory(one).neighbours == (Target("a", "b-c"),)


def test_two_control_planes_in_one_namespace_are_nobodys() -> None:
    management = Management([PROD])
    second = json.loads(json.dumps(management.find("HostedControlPlane", "prod", PLACE)))
    second["metadata"] |= {"name": "other", "uid": "of its own", "annotations": {CLUSTER_ANNOTATION: "clusters/other"}}
    management.put(second)
    with pytest.raises(Refused) as refused:
        management.inventory(PROD)
    assert refused.value.details["refusals"][0]["code"] == "control-plane-ambiguous"


def test_neighbours_are_told_by_name_and_a_prefix_is_none() -> None:
    management = Management([PROD, *neighbours(PROD)])
    inventory = management.inventory(PROD)
    assert [other.annotated for other in inventory.neighbours] == [
        "clusters/prod-eu",
        "clusters/prod-v2",
        "clusters/prod.v2",
        "clusters/prod2",
    ]
    # clusters + prod-eu and clusters-eu + prod are not the same namespace; the cluster of that name in clusters-eu is far away.
    assert {name_of(pool) for pool in inventory.node_pools} == {"prod-a", "prod-b", "prod-c"}


def test_a_cluster_without_control_plane_is_read_too() -> None:
    shape = Shape("young", control_plane=False)
    inventory = Management([shape]).inventory(shape)
    assert (inventory.control_plane, inventory.namespace, inventory.etcd) == (None, None, None)


def test_what_is_not_essential_may_be_unreadable() -> None:
    management = Management([PROD])
    hypershift = "/apis/hypershift.openshift.io/v1beta1"
    management.forbidden = {
        f"{hypershift}/hostedclusters",
        f"{hypershift}/namespaces/{PLACE}/awsendpointservices",
        f"/api/v1/namespaces/{PLACE}/services",
        f"/api/v1/namespaces/{PLACE}",
    }
    inventory = management.inventory(PROD)
    assert set(inventory.unreadable) == {"hostedclusters of other namespaces", "awsendpointservices", "services", "namespaces"}
    assert inventory.unreadable["services"] == "not allowed to list services cluster-wide"
    management.forbidden = {f"/apis/cluster.x-k8s.io/v1beta1/namespaces/{PLACE}/machines"}
    with pytest.raises(Forbidden):
        management.inventory(PROD)


def test_a_server_of_what_is_not_essential_may_be_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routes are served by OpenShift's own API server, behind that of Kubernetes."""
    monkeypatch.setattr(inventory_reading, "_OPTIONAL_SECONDS", 0.1)
    management = Management([PROD])
    routes = f"/apis/route.openshift.io/v1/namespaces/{PLACE}/routes"
    management.broken = {routes, f"/apis/hypershift.openshift.io/v1beta1/namespaces/{PLACE}/awsendpointservices"}
    inventory = management.inventory(PROD)
    assert set(inventory.unreadable) == {"routes", "awsendpointservices"}
    assert inventory.unreadable["routes"].startswith("HTTP 503 ServiceUnavailable: the server is currently unable")
    assert len(inventory.of("machines")) == 6
    management.broken = {f"/api/v1/namespaces/{PLACE}/pods"}
    with pytest.raises(ServerFailure):
        read_inventory(management.api.within(0.1), Target("clusters", "prod"))


def test_types_of_aws_may_be_missing_where_the_cluster_is_elsewhere() -> None:
    management = Management([PROD], served=())
    management.find("HostedCluster", "prod", "clusters")["spec"]["platform"] = {"type": "KubeVirt"}
    inventory = management.inventory(PROD)
    assert inventory.of("machines") == ()
