# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several meshes in one cluster: each is its own, what they share is told, and so is where they get in each other's way."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import Evidence
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM, OSM_EDGE, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report import report
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import (
    NOW,
    crd,
    crds,
    deployment,
    evidence,
    namespace,
    observed,
    webhook,
)

Row = dict[str, Any]


def control_plane(product: Product, version: str, mesh: str, place: str) -> list[Row]:
    return [deployment(name, version, product=product, mesh=mesh, namespace=place) for name in product.deployments]


def told(found: Evidence) -> Row:
    return report(observed(found), now=NOW)


def codes(result: Row) -> set[str]:
    return {finding["code"] for finding in result["findings"]}


def finding(result: Row, code: str) -> Row:
    (found,) = [item for item in result["findings"] if item["code"] == code]
    return found


FSM_OWN = [
    crd("meshconfigs.config.flomesh.io", "v1alpha3", labels={"app.kubernetes.io/name": "flomesh.io"}),
    crd("serviceexports.multicluster.flomesh.io", "v1alpha1", labels={"app.kubernetes.io/name": "flomesh.io"}),
]


def test_osm_edge_and_fsm() -> None:
    planes = [*control_plane(OSM_EDGE, "1.3.9", "osm", "osm-system"), *control_plane(FSM, "1.5.1", "fsm", "fsm-system")]
    result = told(evidence(deployments=planes, definitions=[*crds("1.3.9"), *FSM_OWN]))
    assert [(mesh["product"], mesh["name"], mesh["namespace"]) for mesh in result["meshes"]] == [
        ("fsm", "fsm", "fsm-system"),
        ("osm-edge", "osm", "osm-system"),
    ]
    shared = {row["name"]: [user["product"] for user in row["used_by"]] for row in result["shared_crds"]}
    assert shared["traffictargets.access.smi-spec.io"] == ["fsm", "osm-edge"]
    assert "plugins.plugin.flomesh.io" in shared
    # FSM 1.5 has this group under another name, and MeshConfigs of its own.
    assert "serviceexports.flomesh.io" not in shared
    assert "meshconfigs.config.openservicemesh.io" not in shared
    assert "trafficsplits.split.smi-spec.io" in finding(result, "products-side-by-side")["why"]
    assert codes(result) & {"namespaces-claimed-twice", "webhook-name-conflict", "crd-rivals", "crd-of-absent-mesh"} == set()


def test_two_products_with_the_same_name_and_label_domain() -> None:
    planes = [*control_plane(OSM_EDGE, "1.3.9", "osm", "edge"), *control_plane(OSM, "1.2.4", "osm", "osm-system")]
    found = evidence(
        deployments=planes,
        definitions=crds("1.3.9"),
        webhooks=[webhook(place="osm-system")],
        namespaces=[namespace("shop", mesh="osm", injection="enabled")],
    )
    result = told(found)
    assert [mesh["product"] for mesh in result["meshes"]] == ["osm-edge", "osm"]
    claimed = finding(result, "namespaces-claimed-twice")
    assert claimed["severity"] == "error"
    assert claimed["what"].endswith("openservicemesh.io/monitored-by=osm: shop")
    conflict = finding(result, "webhook-name-conflict")
    assert conflict["object"]["name"] == "osm-webhook-osm"
    assert "leads to osm-system now" in conflict["what"]
    assert "meshconfigs.config.openservicemesh.io" in finding(result, "crd-rivals")["what"]


def test_two_meshes_of_one_version_with_names_of_their_own() -> None:
    planes = [*control_plane(OSM_EDGE, "1.3.9", "red", "red"), *control_plane(OSM_EDGE, "1.3.9", "blue", "blue")]
    result = told(evidence(deployments=planes, definitions=crds("1.3.9")))
    assert codes(result) == {"meshes-side-by-side"}
    assert len(result["shared_crds"]) == 19


def test_two_meshes_of_two_versions() -> None:
    planes = [*control_plane(OSM_EDGE, "1.3.9", "red", "red"), *control_plane(OSM_EDGE, "1.2.3", "blue", "blue")]
    rivals = finding(told(evidence(deployments=planes, definitions=crds("1.3.9"))), "crd-rivals")
    assert "install 13 definitions" in rivals["what"]


def test_namespace_of_two_meshes() -> None:
    planes = [*control_plane(OSM_EDGE, "1.3.9", "osm", "osm-system"), *control_plane(FSM, "1.5.1", "fsm", "fsm-system")]
    both = namespace("shop", mesh="osm", **{FSM.monitored_by_label: "fsm"})
    other = namespace("bank", mesh="osm", **{FSM.monitored_by_label: "gone"})
    found = finding(told(evidence(deployments=planes, namespaces=[both, other])), "namespace-in-two-meshes")
    assert (found["severity"], found["object"]["name"]) == ("error", "shop")


def test_two_control_planes_in_one_namespace() -> None:
    planes = [*control_plane(OSM_EDGE, "1.3.9", "osm", "mesh"), *control_plane(FSM, "1.5.1", "fsm", "mesh")]
    assert "preset-mesh-config" in finding(told(evidence(deployments=planes)), "control-planes-share-namespace")["why"]
