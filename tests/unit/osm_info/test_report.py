# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a mesh is said, with its object and a remedy; a sound mesh gets no finding."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import Evidence, Site, SiteDetails
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import ReplicaSetFacts
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report import report
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble
from ansible_collections.meshops.lifecycle.tests.unit.osm.presets import PRESET_1_2, PRESET_1_3
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import (
    NOW,
    crd,
    crds,
    deployment,
    evidence,
    healthy,
    namespace,
    observed,
    pod,
    release,
    webhook,
)

PIPY, INIT = "flomesh/pipy:0.90.3-38", "flomesh/osm-edge-sidecar-init:1.3.9"
HOME = Site("osm", "osm-system")
SHOP = namespace("shop", mesh="osm", injection="enabled")


def core(version: str, *without: str, **status: Any) -> list[dict[str, Any]]:
    return [deployment(name, version, **status) for name in OSM_EDGE.deployments if name not in without]


def without(spec: dict[str, Any], *path: str) -> dict[str, Any]:
    result = copy.deepcopy(spec)
    place = result
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return result


def findings(found: Evidence, **how: Any) -> list[dict[str, Any]]:
    result = report(observed(found, **how), now=NOW)
    return [*result["findings"], *(finding for mesh in result["meshes"] for finding in mesh["findings"])]


@pytest.mark.parametrize("version", ["1.2.3", "1.3.9"])
def test_sound_mesh_has_no_findings(version: str) -> None:
    image = {"1.2.3": "flomesh/pipy:0.70.0-46", "1.3.9": PIPY}[version]
    pods = [pod(image=image, init=f"flomesh/osm-edge-sidecar-init:{version}")]
    assert findings(healthy(version), version=version, pods=pods) == []


@dataclass
class Fault:
    """A cluster with one fault, and the finding that must come of it; ``words`` occur in its texts."""

    code: str
    severity: str
    object: str
    found: Evidence
    words: tuple[str, ...] = ()
    how: dict[str, Any] = field(default_factory=dict)


def replica_sets(**changes: Any) -> dict[Site, SiteDetails]:
    preset = {"data": {"preset-mesh-config.json": json.dumps(PRESET_1_3)}}
    served = {"osm-injector": 1, "osm-validator": 1}
    return {HOME: SiteDetails(endpoints=served, preset=preset, ca_secret=True, **changes)}


DEAD = {"osm-injector": 0, "osm-validator": 1, "osm-controller": 1, "osm-bootstrap": 1}
PULL = Trouble(
    ObjectRef("Pod", "osm-injector-5d7f-x", "osm-system"),
    "image-pull",
    "container osm-injector: ImagePullBackOff: no such tag",
    "check the tag",
    "osm-injector",
)
WAITS = PULL._replace(cause="waits-for-bootstrap", message="2 pods wait for osm-bootstrap", remedy="repair osm-bootstrap first")
CONVERSION = {"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"namespace": "osm-system", "name": "osm-bootstrap"}}}}
CONVERTED = [crd("meshconfigs.config.openservicemesh.io", "v1alpha2", "v1alpha1", conversion=CONVERSION), *crds("1.3.9")[1:]]

FAULTS = [
    Fault("control-plane-missing", "error", "Mesh osm", healthy(deployments=[]), ("osm-controller",)),
    Fault("component-missing", "error", "Deployment osm-controller", healthy(deployments=core("1.3.9", "osm-controller"))),
    Fault(
        "component-not-rolled-out",
        "error",
        "Deployment osm-bootstrap",
        healthy(deployments=core("1.3.9", availableReplicas=0, readyReplicas=0)),
    ),
    Fault(
        "component-not-rolled-out",
        "warning",
        "Deployment osm-bootstrap",
        healthy(deployments=core("1.3.9", replicas=2)),
        ("1 old replicas",),
    ),
    Fault(
        "component-not-rolled-out",
        "error",
        "Deployment osm-injector",
        healthy(deployments=[*core("1.3.9", "osm-injector"), deployment("osm-injector", "1.3.9", availableReplicas=0)]),
        ("ImagePullBackOff", "no such tag", "check the tag"),
        {"troubles": [PULL]},
    ),
    Fault(
        "component-not-rolled-out",
        "error",
        "Deployment osm-controller",
        healthy(deployments=core("1.3.9", availableReplicas=0, readyReplicas=0)),
        ("2 pods wait for osm-bootstrap", "repair osm-bootstrap first"),
        {"troubles": [WAITS]},
    ),
    Fault(
        "component-versions-differ",
        "error",
        "Mesh osm",
        healthy(deployments=[*core("1.3.9", "osm-controller"), deployment("osm-controller", "1.2.3")]),
        ("osm-controller is 1.2.3",),
    ),
    Fault("release-version-mismatch", "warning", "Mesh osm", healthy(releases=[release("1.3.8")]), ("chart osm-edge 1.3.8",)),
    Fault(
        "orphaned-replica-set",
        "warning",
        "ReplicaSet osm-controller-1",
        healthy(),
        ("kubectl delete replicaset -n osm-system osm-controller-1",),
        {"details": replica_sets(replica_sets=[ReplicaSetFacts("osm-controller-1", "osm-controller", "u", "1", 1, "")])},
    ),
    Fault("release-missing", "error", "HelmRelease osm", healthy(releases=[])),
    Fault("release-failed", "error", "HelmRelease osm", healthy(releases=[release("1.3.9", status="failed")], age=7200.0), ("2 h",)),
    Fault("release-pending", "warning", "HelmRelease osm", healthy(releases=[release("1.3.9", status="pending-upgrade")]), ("1 min",)),
    Fault(
        "release-pending",
        "error",
        "HelmRelease osm",
        healthy(releases=[release("1.3.9", status="pending-upgrade")], age=86400.0 * 3),
        ("3 days",),
    ),
    Fault("release-not-deployed", "warning", "HelmRelease osm", healthy(releases=[release("1.3.9", status="uninstalling")])),
    Fault(
        "ca-secret-missing",
        "error",
        "Secret osm-ca-bundle",
        healthy(),
        (),
        {"details": {HOME: SiteDetails(endpoints=DEAD, ca_secret=False)}},
    ),
    Fault(
        "webhook-dangling",
        "error",
        "MutatingWebhookConfiguration osm-webhook-osm",
        healthy(),
        ("has no ready endpoint", "no pod can be created in 1 enrolled namespaces (failurePolicy Fail)"),
        {"endpoints": DEAD},
    ),
    Fault(
        "webhook-dangling",
        "error",
        "ValidatingWebhookConfiguration osm-validator-mesh-osm",
        evidence(webhooks=[webhook("ValidatingWebhookConfiguration")]),
        ("does not exist", "kubectl delete validatingwebhookconfiguration osm-validator-mesh-osm"),
        {"endpoints": {}},
    ),
    Fault(
        "webhook-without-ca",
        "error",
        "MutatingWebhookConfiguration osm-webhook-osm",
        healthy(webhooks=[webhook(version="1.3.9", clientConfig={"service": {"namespace": "osm-system", "name": "osm-injector"}})]),
    ),
    Fault(
        "webhook-of-another-mesh",
        "warning",
        "MutatingWebhookConfiguration osm-webhook-foo",
        healthy(webhooks=[webhook(version="1.3.9"), webhook(mesh="foo", version="1.3.9")]),
    ),
    Fault(
        "webhook-version-label",
        "warning",
        "MutatingWebhookConfiguration osm-webhook-osm",
        healthy(webhooks=[webhook(version="1.2.3")]),
        ("is 1.2.3, the chart's is 1.3.9", "--overwrite app.kubernetes.io/version=1.3.9"),
    ),
    Fault("webhook-missing", "error", "MutatingWebhookConfiguration osm-webhook-osm", healthy(webhooks=[])),
    Fault("mesh-config-missing", "error", "MeshConfig osm-mesh-config", healthy(mesh_configs=[])),
    Fault("preset-missing", "warning", "ConfigMap preset-mesh-config", healthy(), (), {"details": {HOME: SiteDetails(endpoints=DEAD)}}),
    Fault(
        "interception-mode-missing", "error", "MeshConfig osm-mesh-config", healthy(spec=without(PRESET_1_3, "traffic", "interceptionMode"))
    ),
    Fault("plugin-chains-missing", "error", "MeshConfig osm-mesh-config", healthy(spec=without(PRESET_1_3, "pluginChains"))),
    Fault(
        "mesh-config-incomplete",
        "warning",
        "MeshConfig osm-mesh-config",
        healthy(spec=PRESET_1_2),
        ("sidecar.sidecarTimeout", "repoServer"),
    ),
    Fault("sidecar-image-stale", "warning", "MeshConfig osm-mesh-config", healthy(spec=PRESET_1_2), ("flomesh/pipy:0.70.0-46",)),
    Fault("crd-missing", "error", "Mesh osm", healthy(definitions=crds("1.2.3")), ("plugins.plugin.flomesh.io",)),
    Fault("crd-outdated", "error", "CustomResourceDefinition trafficsplits.split.smi-spec.io", healthy(definitions=crds("1.2.3"))),
    Fault(
        "crd-without-labels",
        "error",
        "CustomResourceDefinition meshconfigs.config.openservicemesh.io",
        healthy(definitions=[crd("meshconfigs.config.openservicemesh.io", "v1alpha2", "v1alpha1", labels={}), *crds("1.3.9")[1:]]),
    ),
    Fault(
        "crd-left-behind",
        "info",
        "CustomResourceDefinition multiclusterservices.config.openservicemesh.io",
        healthy(definitions=[*crds("1.3.9"), crd("multiclusterservices.config.openservicemesh.io", "v1alpha1")]),
    ),
    Fault(
        "crd-conversion-webhook",
        "warning",
        "CustomResourceDefinition meshconfigs.config.openservicemesh.io",
        healthy(definitions=CONVERTED),
    ),
    Fault(
        "crd-conversion-webhook",
        "error",
        "CustomResourceDefinition meshconfigs.config.openservicemesh.io",
        healthy(definitions=CONVERTED),
        ("which has no ready endpoint", "kubectl patch crd"),
        {"endpoints": {"osm-injector": 1, "osm-validator": 1}},
    ),
    Fault(
        "namespace-ignored",
        "warning",
        "Namespace shop",
        healthy(namespaces=[namespace("shop", mesh="osm", **{OSM_EDGE.ignore_label: "no"})]),
    ),
    Fault(
        "namespace-never-injected",
        "warning",
        "Namespace kube-system",
        healthy(namespaces=[namespace("kube-system", mesh="osm", injection="enabled")]),
    ),
    Fault("injection-annotation-invalid", "error", "Namespace shop", healthy(namespaces=[namespace("shop", mesh="osm", injection="on")])),
    Fault("injection-not-set", "info", "Namespace shop", healthy(namespaces=[namespace("shop", mesh="osm")])),
    Fault(
        "namespace-of-absent-mesh", "warning", "Namespace old", healthy(namespaces=[SHOP, namespace("old", mesh="gone")]), ("mesh gone",)
    ),
    Fault("pods-without-interception", "error", "Namespace shop", healthy(), ("1 pods",), {"pods": [pod(image=PIPY)]}),
    Fault("sidecar-missing", "warning", "Namespace shop", healthy(), ("1 pods",), {"pods": [pod()]}),
    Fault("sidecar-stale", "warning", "Namespace shop", healthy(), ("flomesh/pipy:1",), {"pods": [pod(image="flomesh/pipy:1", init=INIT)]}),
    Fault("sidecar-unexpected", "warning", "Namespace default", healthy(), (), {"pods": [pod("default", image=PIPY, init=INIT)]}),
    Fault(
        "products-side-by-side",
        "warning",
        "Mesh fsm",
        healthy(deployments=[*core("1.3.9"), deployment("fsm-controller", "1.5.1", product=FSM, mesh="fsm", namespace="fsm-system")]),
        ("Flomesh Service Mesh fsm in namespace fsm-system",),
    ),
    Fault(
        "meshes-side-by-side",
        "info",
        "Mesh red",
        healthy(deployments=[*core("1.3.9"), deployment("osm-controller", "1.3.9", mesh="red", namespace="a")]),
    ),
    Fault(
        "not-readable",
        "warning",
        "Cluster https://cluster",
        healthy(),
        ("not allowed",),
        {"unknown": {"data plane": "not allowed to list pods"}},
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.code}-{fault.severity}")
def test_fault_is_told(fault: Fault) -> None:
    matching = [
        item
        for item in findings(fault.found, **fault.how)
        if (item["code"], item["severity"]) == (fault.code, fault.severity)
        and f"{item['object']['kind']} {item['object']['name']}" == fault.object
    ]
    assert len(matching) == 1
    told = " ".join(str(matching[0][part]) for part in ("what", "why", "remedy"))
    assert [word for word in fault.words if word not in told] == []
    assert all(matching[0][part] for part in ("what", "why", "remedy"))


UNKNOWN: list[tuple[str, Evidence, str]] = [
    ("release-missing", healthy(releases=[]), "Helm releases"),
    ("webhook-missing", healthy(webhooks=[]), "webhooks (MutatingWebhookConfiguration)"),
    ("mesh-config-missing", healthy(mesh_configs=[]), "MeshConfigs"),
]


@pytest.mark.parametrize(("code", "found", "part"), UNKNOWN, ids=[row[0] for row in UNKNOWN])
def test_what_could_not_be_read_is_not_called_missing(code: str, found: Evidence, part: str) -> None:
    assert code in {item["code"] for item in findings(found)}
    told = {item["code"] for item in findings(found, unknown={part: "not allowed"})}
    assert code not in told
    assert "not-readable" in told


def test_chart_1_1_3_brings_images_1_1_1() -> None:
    """The image tag was not raised in that chart, so the two do not differ."""
    found = evidence(deployments=core("1.1.1"), releases=[release("1.1.3")])
    assert "release-version-mismatch" not in {item["code"] for item in findings(found)}


def test_conversion_webhook_of_1_1_is_meant() -> None:
    found = evidence(deployments=core("1.1.1"), definitions=CONVERTED[:1])
    severities = {item["code"]: item["severity"] for item in findings(found)}
    assert severities["crd-conversion-webhook"] == "info"


def test_the_most_severe_comes_first() -> None:
    told = report(observed(healthy(spec=PRESET_1_2), endpoints=DEAD), now=NOW)["meshes"][0]["findings"]
    order = ["error", "warning", "info"]
    assert [item["severity"] for item in told] == sorted((item["severity"] for item in told), key=order.index)


def test_summary_counts() -> None:
    result = report(observed(healthy(spec=PRESET_1_2)), now=NOW)
    told = [item["severity"] for item in result["meshes"][0]["findings"]]
    counted = {"meshes": 1, "errors": told.count("error"), "warnings": told.count("warning"), "infos": told.count("info")}
    assert result["summary"] == counted


def test_one_mesh_by_name() -> None:
    seen = observed(evidence(webhooks=[webhook(mesh="red", place="a"), webhook(mesh="blue", place="b")]))
    assert [mesh["name"] for mesh in report(seen, now=NOW, mesh_name="red")["meshes"]] == ["red"]
    assert [mesh["name"] for mesh in report(seen, now=NOW, namespace="b")["meshes"]] == ["blue"]
    with pytest.raises(Refused, match="no mesh named green"):
        report(seen, now=NOW, mesh_name="green")


def test_an_empty_cluster_is_no_error() -> None:
    result = report(observed(evidence()), now=NOW)
    assert (result["changed"], result["meshes"], result["findings"]) == (False, [], [])


def test_report_of_a_sound_mesh() -> None:
    mesh = report(observed(healthy(), pods=[pod(image=PIPY, init=INIT)]), now=NOW)["meshes"][0]
    assert (mesh["product"], mesh["name"], mesh["namespace"], mesh["version"]) == ("osm-edge", "osm", "osm-system", "1.3.9")
    assert mesh["versions"] == {"control_plane": dict.fromkeys(OSM_EDGE.deployments, "1.3.9"), "chart": "1.3.9", "app": "1.3.9"}
    assert mesh["release"]["status"] == "deployed"
    assert mesh["rolled_out"] is True
    assert mesh["mesh_config"]["interception_mode"] == "iptables"
    assert mesh["mesh_config"]["sidecar_image"] == PIPY
    assert mesh["mesh_config"]["gaps"] == []
    row = {"name": "shop", "injection": "enabled", "metrics": "", "ignored": False, "pods": 1, "injected": 1, "stale": 0, "missing": 0}
    assert mesh["namespaces"] == [row]
    assert {hook["kind"]: hook["alive"] for hook in mesh["webhooks"]} == {
        "MutatingWebhookConfiguration": True,
        "ValidatingWebhookConfiguration": True,
    }
    assert len(mesh["crds"]) == 19


@pytest.mark.parametrize("change", [lambda data: data, lambda data: json.loads(json.dumps(data))])
def test_result_is_plain_json(change: Callable[[Any], Any]) -> None:
    result = report(observed(healthy(spec=PRESET_1_2), pods=[pod(image=PIPY)], endpoints=DEAD), now=NOW)
    assert change(result) == result
    assert "managedFields" not in json.dumps(result)
