# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose webhooks, definitions and conversions are: by where they lead and by who installs them, never by a version label."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.crds import crds_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery_parts import MESH_CONFIGS
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall import Artefact
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import (
    crd,
    crds,
    deployment,
    evidence,
    mesh_config,
    namespace,
    pod,
    webhook,
)
from ansible_collections.meshops.lifecycle.tests.unit.osm_uninstall.clusters import Cluster, both, labels, secret, with_mesh

GATEWAY_API = "gateways.gateway.networking.k8s.io"
FLOMESH = ("globaltrafficpolicies.flomesh.io", "serviceexports.flomesh.io", "serviceimports.flomesh.io")


def with_fsm(version: str = "1.5.1") -> Cluster:
    """FSM as it labels everything, the Gateway API's definitions included."""
    names = ("meshconfigs.config.flomesh.io", "plugins.plugin.flomesh.io", "serviceexports.multicluster.flomesh.io", GATEWAY_API)
    own = [crd(name, "v1alpha3", labels={"app.kubernetes.io/name": "flomesh.io"}) for name in names]
    found = evidence(
        deployments=[deployment(name, version, product=FSM, mesh="fsm", namespace="fsm-system") for name in FSM.deployments],
        mesh_configs=[mesh_config({}, place="fsm-system", product=FSM)],
        definitions=own,
    )
    return Cluster(found)


def definitions(cluster: Cluster, owner: str, mesh_name: str = "osm") -> dict[str, Artefact]:
    return {each.ref.name: each for each in cluster.of(owner, mesh_name).values() if each.what in ("osm-crd", "smi-crd")}


# Webhooks


def hook(**changes: Any) -> dict[str, Any]:
    raw = webhook(version="1.2.3")
    raw["metadata"] |= changes
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(hook(), id="older version label than the mesh has"),
        pytest.param(hook(labels={}), id="without labels"),
        pytest.param(hook(labels=labels("renamed") | {"app": "osm-injector"}), id="of the name that the mesh had before"),
        pytest.param(hook(name="my-hooks-osm"), id="named by values"),
        pytest.param({**hook(), "webhooks": []}, id="empty"),
    ],
)
def test_webhook_of_the_mesh(raw: dict[str, Any]) -> None:
    named = with_mesh(webhooks=[raw]).named()
    assert f"mutating-webhook MutatingWebhookConfiguration {raw['metadata']['name']}" in named


def test_webhooks_are_named_also_when_the_control_plane_is_gone() -> None:
    cluster = Cluster(evidence(webhooks=[webhook(version="1.2.3")]), endpoints={})
    found = cluster.named()["mutating-webhook MutatingWebhookConfiguration osm-webhook-osm"]
    assert found.state == {"fails_closed": True, "endpoints": -1, "services": ["osm-system/osm-injector"], "manager": ""}
    assert (found.uid, found.resource_version) == ("uid-osm-webhook-osm", "7")


def test_webhook_with_the_meshs_labels_that_leads_to_another_service() -> None:
    renamed = webhook(clientConfig={"service": {"namespace": "old", "name": "injector"}})
    cluster = with_mesh(webhooks=[renamed])
    cluster.services = {("old", "injector"): -1}
    found = cluster.named()["mutating-webhook MutatingWebhookConfiguration osm-webhook-osm"]
    assert found.state["endpoints"] == -1
    # Somebody serves it: it is in use, whoever gave it these labels.
    cluster.services = {("old", "injector"): 1}
    assert "mutating-webhook MutatingWebhookConfiguration osm-webhook-osm" in cluster.of("other")


@pytest.mark.parametrize(
    ("raw", "owner"),
    [
        pytest.param(webhook(mesh="blue", place="blue"), "other", id="of the other mesh"),
        pytest.param(webhook(mesh="osm", place="blue"), "other", id="with our label, leading to the other mesh"),
        pytest.param(webhook(mesh="gone", place="gone"), "unclaimed", id="of a mesh that is gone"),
        pytest.param(webhook(mesh="gone", clientConfig={"url": "https://x"}), "unclaimed", id="of a mesh that is gone, by labels only"),
        pytest.param(
            webhook(mesh="", clientConfig={"service": {"namespace": "x", "name": "y"}}), "other", id="that only has the product's label"
        ),
    ],
)
def test_webhook_of_others(raw: dict[str, Any], owner: str) -> None:
    raw["metadata"]["name"] = "it"
    cluster = both(with_mesh(), with_mesh(name="blue", place="blue"))
    cluster.found.webhooks.append(_reduced(raw))
    cluster.endpoints = {}
    assert "mutating-webhook MutatingWebhookConfiguration it" in cluster.of(owner)


def _reduced(raw: dict[str, Any]) -> Any:
    return evidence(webhooks=[raw]).webhooks[0]


def test_configuration_of_a_user_that_leads_to_the_injector_stays_the_users() -> None:
    raw = hook(name="shop-injection", labels={"team": "shop"})
    found = with_mesh(webhooks=[raw]).of("other")["mutating-webhook MutatingWebhookConfiguration shop-injection"]
    assert "neither the name nor the labels" in found.found_by


def test_configuration_that_also_leads_to_somebody_else_and_has_no_label_is_not_the_meshs() -> None:
    raw = webhook()
    raw["metadata"]["labels"] = {}
    raw["webhooks"].append({"name": "mine", "clientConfig": {"service": {"namespace": "shop", "name": "mine"}}})
    assert "mutating-webhook MutatingWebhookConfiguration osm-webhook-osm" in with_mesh(webhooks=[raw]).of("other")


# Definitions


@pytest.mark.parametrize(("version", "count"), [("1.1.1", 10), ("1.2.3", 13), ("1.3.9", 19)])
def test_every_definition_of_the_version_is_known(version: str, count: int) -> None:
    """osm's own list has ten names, one misspelt: nine of the nineteen of 1.3 at most."""
    found = definitions(with_mesh(version), "unclaimed")
    assert len(found) == count
    assert {each.name for each in crds_of(OSM_EDGE, version) or ()} == {*found}
    assert all(each.state["used_by_mesh"] for each in found.values())
    assert {name for name, each in found.items() if each.what == "smi-crd"} == {name for name in found if "smi-spec.io" in name}


def test_what_1_1_left_beside_1_3_is_unclaimed_and_not_in_use() -> None:
    left = crd("multiclusterservices.config.openservicemesh.io", "v1alpha2")
    found = definitions(with_mesh(definitions=[*crds("1.3.9"), left]), "unclaimed")
    assert found["multiclusterservices.config.openservicemesh.io"].state["used_by_mesh"] is False


def test_definitions_without_any_mesh_are_still_found() -> None:
    """T9 of the written procedure: afterwards, osm's own command line finds nothing any more."""
    cluster = Cluster(evidence(definitions=crds("1.3.9")))
    assert cluster.subject(mesh_name="osm") is None
    unclaimed = {each.ref.name for each in cluster.artefacts(None) if each.owner == "unclaimed"}
    assert len(unclaimed) == 19


def test_smi_is_shared_and_the_others_own_stays_the_others() -> None:
    cluster = both(with_mesh(), with_fsm())
    shared, others = definitions(cluster, "shared"), definitions(cluster, "other")
    assert {name for name in shared if "smi-spec.io" in name} == {name for name in shared if shared[name].what == "smi-crd"} != set()
    assert all(each.users == ("fsm-system/fsm",) for each in shared.values())
    assert "meshconfigs.config.flomesh.io" in others
    # Installed by osm-edge 1.3 as well, although FSM labels it.
    assert "plugins.plugin.flomesh.io" in shared
    assert "egresses.policy.openservicemesh.io" in definitions(cluster, "unclaimed")


@pytest.mark.parametrize(("version", "owner"), [("1.2.0", "shared"), ("1.5.1", "unclaimed")])
def test_the_three_of_flomesh_io_are_fsms_as_well_up_to_1_2(version: str, owner: str) -> None:
    assert {*FLOMESH} <= definitions(both(with_mesh(), with_fsm(version)), owner).keys()


def test_the_three_of_flomesh_io_are_in_use_while_something_of_that_label_runs() -> None:
    """fsm-classic is no mesh of this family, and has definitions in the same group."""
    cluster = with_mesh()
    manager = deployment("fsm-manager", "0.2.0", product=FSM, mesh="", namespace="flomesh")
    manager["metadata"]["annotations"] = {}
    cluster.found.deployments.append(manager)
    shared = definitions(cluster, "shared")
    assert {*FLOMESH} <= shared.keys()
    assert shared[FLOMESH[0]].users == ("Deployment flomesh/fsm-manager",)


def test_gateway_api_is_nobodys_mesh_although_fsm_labels_it() -> None:
    cluster = with_fsm()
    found = definitions(cluster, "other", "fsm")
    assert "others use that without a mesh" in found[GATEWAY_API].found_by
    assert "meshconfigs.config.flomesh.io" in definitions(cluster, "unclaimed", "fsm")


def test_smi_definition_that_somebody_else_installed() -> None:
    name = "httproutegroups.specs.smi-spec.io"
    found = definitions(with_mesh(definitions=[crd(name, "v1alpha4", labels={})]), "other")
    assert "somebody else made it" in found[name].found_by


def test_a_mesh_that_is_gone_uses_nothing() -> None:
    """Its webhooks make it a mesh that is found, not one that keeps definitions."""
    gone = Cluster(evidence(webhooks=[webhook(mesh="gone", place="gone")]))
    cluster = both(with_mesh(), gone)
    cluster.endpoints = {}
    cluster.found.deployments = [each for each in cluster.found.deployments if each["metadata"]["namespace"] == "osm-system"]
    assert definitions(cluster, "shared") == {}


def test_objects_of_a_definition_are_counted_or_said_to_be_unknown() -> None:
    name = "egresses.policy.openservicemesh.io"
    cluster = with_mesh()
    cluster.counts = {name: 3}
    found = cluster.of("unclaimed")
    resources = found[f"custom-resources CustomResourceDefinition {name}"]
    assert (resources.count, resources.kind.path()) == (3, "/apis/policy.openservicemesh.io/v1alpha1/egresses")
    assert found[f"osm-crd CustomResourceDefinition {name}"].count == 3
    cluster.counts, cluster.uncounted = {name: None}, {name: "conversion webhook for v1alpha1 failed"}
    unknown = cluster.of("unclaimed")[f"custom-resources CustomResourceDefinition {name}"]
    assert (unknown.count, unknown.unknown) == (None, "conversion webhook for v1alpha1 failed")
    cluster.counts, cluster.uncounted = {name: 0}, {}
    assert f"custom-resources CustomResourceDefinition {name}" not in cluster.of("unclaimed")


# Conversions


def converted(place: str, service: str = "osm-bootstrap", name: str = "meshconfigs.config.openservicemesh.io") -> dict[str, Any]:
    client = {"clientConfig": {"service": {"namespace": place, "name": service}}}
    return crd(name, "v1alpha2", "v1alpha1", conversion={"strategy": "Webhook", "webhook": client})


@pytest.mark.parametrize(
    ("raw", "endpoints", "owner"),
    [
        pytest.param(converted("osm-system"), None, "named", id="to the mesh"),
        pytest.param(converted("blue"), None, "other", id="to another mesh"),
        pytest.param(converted("gone"), -1, "unclaimed", id="to nothing"),
        pytest.param(converted("gone"), 0, "unclaimed", id="to a Service that nobody serves"),
        pytest.param(converted("gone", "converter"), 2, "other", id="to somebody who serves it"),
        pytest.param(converted("gone", "converter"), None, "other", id="to a Service that may not be read"),
        pytest.param(converted("osm-system", name="httproutegroups.specs.smi-spec.io"), None, "named", id="of a shared definition"),
    ],
)
def test_conversion_is_whose_service_it_leads_to(raw: dict[str, Any], endpoints: int | None, owner: str) -> None:
    cluster = both(with_mesh("1.1.1", definitions=[raw]), with_mesh("1.1.1", name="blue", place="blue", definitions=[]))
    if endpoints is not None:
        service = raw["spec"]["conversion"]["webhook"]["clientConfig"]["service"]
        cluster.services = {(service["namespace"], service["name"]): endpoints}
    found = [key for key in cluster.of(owner) if key.startswith("conversion-webhook")]
    assert found == [f"conversion-webhook CustomResourceDefinition {raw['metadata']['name']}"]


@pytest.mark.parametrize(
    ("place", "unread", "expected"),
    [
        pytest.param("osm-system", True, ["mesh-config MeshConfig osm-system/osm-mesh-config"], id="nobody can read it before step 3"),
        pytest.param("gone", True, [], id="somebody else converts it"),
        pytest.param("osm-system", False, [], id="it was read, and there is none"),
    ],
)
def test_a_mesh_config_that_a_dead_conversion_hides_is_planned_for(place: str, unread: bool, expected: list[str]) -> None:
    """Otherwise the run would find something destructive that nobody has approved, and stop half-way."""
    cluster = with_mesh("1.1.1", definitions=[converted(place)], mesh_configs=[], namespaces=[namespace("osm-system")])
    cluster.unknown = {MESH_CONFIGS: "storage is (re)initializing"} if unread else {}
    found = {key: item for key, item in cluster.named().items() if item.what == "mesh-config"}
    assert [*found] == expected
    assert all((item.count, item.uid, item.unknown) == (None, "", "storage is (re)initializing") for item in found.values())


# Namespaces of applications


def test_bootstrap_secrets_by_namespace_and_mesh() -> None:
    cluster = both(with_mesh(), with_mesh(name="blue", place="blue"))
    cluster.secrets = [
        secret("1", "shop"),
        secret("2", "shop", mounted=False),
        secret("3", "bank"),
        secret("4", "bank", "blue", mounted=False),
        secret("5", "bank", "gone"),
        secret("6", "bank", "gone", mounted=False),
        secret("7", "mall", "gone"),
        secret("8", "mall", "", mounted=False),
    ]
    rows = {
        (each.owner, each.ref.name): (each.count, each.state["orphaned"], each.state["meshes"])
        for each in cluster.artefacts(cluster.subject(mesh_name="osm"))
        if each.what == "bootstrap-secrets"
    }
    assert rows == {
        ("named", "shop"): (2, 1, ["osm"]),
        ("named", "bank"): (1, 0, ["osm"]),
        ("other", "bank"): (1, 1, ["blue"]),
        # What a pod still uses is no leftover.
        ("unclaimed", "bank"): (1, 1, ["gone"]),
        ("unclaimed", "mall"): (1, 1, [""]),
    }


def test_secret_that_a_pod_owns_is_no_orphan() -> None:
    cluster = with_mesh()
    raw, dummy = secret("1", "shop", mounted=False)
    raw["metadata"]["ownerReferences"] = [{"kind": "Pod", "name": "a", "uid": "a"}]
    cluster.secrets = [(raw, False)]
    assert cluster.named()["bootstrap-secrets Namespace shop"].state["orphaned"] == 0


def test_sidecars_and_labels_of_meshes_that_are_gone_are_offered() -> None:
    places = [namespace("shop", mesh="osm"), namespace("bank", mesh="gone"), namespace("mall", mesh="blue")]
    cluster = both(with_mesh(namespaces=places), with_mesh(name="blue", place="blue"))
    cluster.pods = [
        pod("shop", image="p"),
        pod("shop", image="p"),
        pod("bank", image="p", mesh="gone"),
        pod("mall", image="p", mesh="blue"),
    ]
    unclaimed, named = cluster.of("unclaimed"), cluster.named()
    assert named["sidecar Namespace shop"].count == 2
    assert unclaimed["sidecar Namespace bank"].state == {"mesh": "gone"}
    assert unclaimed["enrolled-namespace Namespace bank"].state == {"mesh": "gone"}
    assert not any("mall" in key for key in [*unclaimed, *named])
