# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told about edits by hand is what Helm does to them: live objects are edited, and helm upgrades the release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from charts.repository import write_chart
from mesh_clusters import Mesh, MeshCluster
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP, DEPLOYMENT, HPA, PDB, SERVICE, Kind
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm import mesh as osm_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.blocking_edits import blocking_edits
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.discovery import discover
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.drift import KINDS, drift
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.drift_read import LiveObjects, read_live
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.field_values import Path as Place
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.field_values import is_default, same
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.selection import select_mesh
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.three_way import lost, reverted

Object = dict[str, Any]
EDITABLE = (DEPLOYMENT, SERVICE, CONFIGMAP, PDB, HPA)
NAMESPACE = "osm-system"
VALUES: Object = {
    "osm": {
        "deployPrometheus": True,
        "deployGrafana": True,
        "deployJaeger": True,
        "enableFluentbit": True,
        "imagePullSecrets": [{"name": "pull"}],
        "osmController": {"enablePodDisruptionBudget": True},
        "injector": {"autoScale": {"enable": True}, "tolerations": [{"key": "mesh", "operator": "Exists"}]},
        "osmBootstrap": {"nodeSelector": {"disk": "ssd"}},
    }
}
# What the newer release does not have any more.
LATER_VALUES = yaml.safe_load(yaml.safe_dump(VALUES))
del LATER_VALUES["osm"]["osmBootstrap"]


class Edit(NamedTuple):
    """A strategic merge patch by hand, the fields in it, and whether Helm takes them away."""

    kind: str
    name: str
    patch: Object
    places: tuple[Place, ...]
    goes: bool


def pod(**fields: Any) -> Object:
    return {"spec": {"template": {"spec": fields}}}


def container(name: str, **fields: Any) -> Object:
    return pod(containers=[{"name": name, **fields}])


POD: Place = ("spec", "template", "spec")
CONTROLLER: Place = (*POD, "containers", "[osm-controller]")
GOES, STAYS = True, False
EDITS = [
    # What both manifests set is put back …
    Edit("Deployment", "osm-controller", {"spec": {"replicas": 3}}, (("spec", "replicas"),), GOES),
    Edit("Deployment", "osm-controller", container("osm-controller", image="hot/fix:1"), ((*CONTROLLER, "image"),), GOES),
    Edit("Deployment", "osm-controller", container("osm-controller", args=["--trace"]), ((*CONTROLLER, "args"),), GOES),
    Edit(
        "Deployment",
        "osm-controller",
        container("osm-controller", resources={"limits": {"cpu": "3", "ephemeral-storage": "1Gi"}}),
        ((*CONTROLLER, "resources", "limits", "cpu"),),
        GOES,
    ),
    Edit(
        "Deployment",
        "osm-controller",
        container("osm-controller", env=[{"name": "OSM_DEFAULT_SIDECAR_CLASS", "value": "envoy"}]),
        ((*CONTROLLER, "env", "[OSM_DEFAULT_SIDECAR_CLASS]", "value"),),
        GOES,
    ),
    Edit(
        "Deployment",
        "osm-controller",
        container("osm-pipy-repo", ports=[{"containerPort": 6060, "name": "mine"}]),
        ((*POD, "containers", "[osm-pipy-repo]", "ports", "[6060]", "name"),),
        GOES,
    ),
    Edit(
        "Deployment",
        "osm-controller",
        {"metadata": {"labels": {"enforceSingleMesh": "no"}}},
        (("metadata", "labels", "enforceSingleMesh"),),
        GOES,
    ),
    Edit("Deployment", "osm-injector", pod(tolerations=[{"operator": "Exists"}]), ((*POD, "tolerations"),), GOES),
    # … and so is what was taken away
    Edit(
        "Deployment",
        "osm-injector",
        container("osm-injector", livenessProbe=None),
        ((*POD, "containers", "[osm-injector]", "livenessProbe"),),
        GOES,
    ),
    Edit("Deployment", "osm-injector", pod(priorityClassName=None), ((*POD, "priorityClassName"),), GOES),
    Edit(
        "Deployment",
        "osm-grafana",
        container("grafana", resources={"limits": None}),
        ((*POD, "containers", "[grafana]", "resources", "limits"),),
        GOES,
    ),
    # Of a strategy and of a volume only the chart's keys are left.
    Edit(
        "Deployment",
        "osm-prometheus",
        {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}}}},
        (("spec", "strategy", "type"), ("spec", "strategy", "rollingUpdate")),
        GOES,
    ),
    Edit(
        "Deployment",
        "osm-prometheus",
        pod(volumes=[{"name": "config", "configMap": None, "emptyDir": {"medium": "Memory"}}]),
        ((*POD, "volumes", "[config]", "emptyDir"), (*POD, "volumes", "[config]", "configMap")),
        GOES,
    ),
    # What only the old manifest sets is removed, with what was put into it.
    Edit(
        "Deployment",
        "osm-bootstrap",
        pod(nodeSelector={"disk": "hdd", "zone": "a"}),
        ((*POD, "nodeSelector", "disk"), (*POD, "nodeSelector", "zone")),
        GOES,
    ),
    # What no manifest sets stays.
    Edit("Deployment", "osm-injector", {"spec": {"replicas": 2}}, (("spec", "replicas"),), STAYS),
    Edit("Deployment", "osm-injector", {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 2}}}}, (("spec", "strategy"),), STAYS),
    Edit(
        "Deployment",
        "osm-controller",
        container("osm-controller", env=[{"name": "HTTP_PROXY", "value": "http://proxy"}]),
        ((*CONTROLLER, "env", "[HTTP_PROXY]"),),
        STAYS,
    ),
    Edit("Deployment", "osm-controller", container("debug", image="busybox:1"), ((*POD, "containers", "[debug]", "image"),), STAYS),
    Edit(
        "Deployment", "osm-controller", pod(volumes=[{"name": "scratch", "emptyDir": {}}]), ((*POD, "volumes", "[scratch]", "name"),), STAYS
    ),
    Edit(
        "Deployment",
        "osm-controller",
        container("osm-controller", volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}]),
        ((*CONTROLLER, "volumeMounts", "[/scratch]"),),
        STAYS,
    ),
    Edit("Deployment", "osm-controller", pod(imagePullSecrets=[{"name": "mine"}]), ((*POD, "imagePullSecrets", "[mine]"),), STAYS),
    Edit("Deployment", "osm-bootstrap", pod(hostNetwork=True), ((*POD, "hostNetwork"),), STAYS),
    Edit(
        "Deployment",
        "osm-grafana",
        {"spec": {"template": {"metadata": {"annotations": {"team/mesh": "a"}}}}},
        (("spec", "template", "metadata", "annotations", "team/mesh"),),
        STAYS,
    ),
    Edit("Service", "osm-controller", {"spec": {"type": "NodePort"}}, (("spec", "type"),), STAYS),
    Edit(
        "Service",
        "osm-controller",
        {"spec": {"ports": [{"port": 9091, "targetPort": 1}]}},
        (("spec", "ports", "[9091]", "targetPort"),),
        GOES,
    ),
    Edit("Service", "osm-controller", {"spec": {"ports": [{"port": 77, "name": "more"}]}}, (("spec", "ports", "[77]", "name"),), STAYS),
    Edit("Service", "osm-validator", {"spec": {"selector": {"app": "else"}}}, (("spec", "selector", "app"),), GOES),
    Edit("Service", "osm-validator", {"spec": {"selector": {"team": "mesh"}}}, (("spec", "selector", "team"),), STAYS),
    Edit("ConfigMap", "osm-prometheus-server-conf", {"data": {"prometheus.yml": "mine"}}, (("data", "prometheus.yml"),), GOES),
    Edit("ConfigMap", "osm-prometheus-server-conf", {"data": {"more.yml": "mine"}}, (("data", "more.yml"),), STAYS),
    Edit("PodDisruptionBudget", "osm-controller-pdb", {"spec": {"minAvailable": 2}}, (("spec", "minAvailable"),), GOES),
    Edit(
        "PodDisruptionBudget",
        "osm-controller-pdb",
        {"spec": {"selector": {"matchLabels": {"team": "mesh"}}}},
        (("spec", "selector"),),
        GOES,
    ),
    Edit("HorizontalPodAutoscaler", "osm-injector-hpa", {"spec": {"maxReplicas": 9}}, (("spec", "maxReplicas"),), GOES),
    Edit(
        "HorizontalPodAutoscaler",
        "osm-injector-hpa",
        {
            "spec": {
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]
            }
        },
        (("spec", "metrics"),),
        GOES,
    ),
    Edit(
        "HorizontalPodAutoscaler",
        "osm-injector-hpa",
        {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Min"}}}},
        (("spec", "behavior"),),
        STAYS,
    ),
]


@dataclass
class Caller:
    """What a module is for ``connect``."""

    params: Object
    tmpdir: str
    name: str = "test_drift"


@dataclass
class Upgrade:
    """A mesh whose objects were edited between two releases: manifests and live objects, before and after helm."""

    before: list[Object]
    after: list[Object]
    fresh: LiveObjects
    edited: LiveObjects
    done: LiveObjects


def api_of(cluster: Cluster, directory: Path, kubeconfig: Path | None = None) -> Api:
    directory.mkdir(exist_ok=True)
    return connect(Caller({"kubeconfig": str(kubeconfig or cluster.kubeconfig)}, str(directory)), explicit=True).api


def mesh_of(api: Api) -> osm_mesh.Mesh:
    return select_mesh(discover(api, data_plane=False), "osm", NAMESPACE)


def chart_of_today(version: str, directory: Path) -> Path:
    """The chart with the types that Kubernetes has today: the published ones name two that are gone."""
    chart = write_chart(f"osm-edge-{version}", directory)
    path = chart / "templates" / "availability.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("autoscaling/v2beta2", "autoscaling/v2").replace("policy/v1beta1", "policy/v1"), encoding="utf-8")
    return chart


def manifests(cluster: Cluster) -> list[Object]:
    text = cluster.helm("get", "manifest", "osm", "--namespace", NAMESPACE)
    return [document for document in yaml.safe_load_all(text) if document]


def release(cluster: Cluster, chart: Path, values: Object) -> list[Object]:
    """Upgrade the release with helm and return its manifests."""
    cluster.helm("upgrade", "osm", str(chart), "--namespace", NAMESPACE, "--reset-values", "-f", "-", stdin=yaml.safe_dump(values))
    return manifests(cluster)


@pytest.fixture(scope="module")
def upgrade(mesh_cluster: MeshCluster, tmp_path_factory: pytest.TempPathFactory) -> Upgrade:
    """Helm brings 1.3.8, people edit it, helm brings 1.3.9."""
    cluster = mesh_cluster.reset(Mesh("1.3.8"))
    directory = tmp_path_factory.mktemp("drift")
    api = api_of(cluster, directory / "module")
    before = release(cluster, chart_of_today("1.3.8", directory), VALUES)
    fresh = read_live(api, mesh_of(api), before)
    for edit in EDITS:
        kind = next(kind for kind in EDITABLE if kind.kind == edit.kind)
        api.patch(kind, edit.name, edit.patch, NAMESPACE, patch_type="strategic", field_manager="kubectl-patch")
    edited = read_live(api, mesh_of(api), before)
    after = release(cluster, chart_of_today("1.3.9", directory), LATER_VALUES)
    done = read_live(api, mesh_of(api), before)
    return Upgrade(before, after, fresh, edited, done)


def named(objects: Any, kind: str, name: str) -> Object:
    found: Object = next(item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name))
    return found


def value_at(item: Any, place: Place) -> Any:
    """The value of a field, None when there is none."""
    for key in place:
        if isinstance(item, list):
            keys = ("name", "containerPort", "port", "mountPath")
            item = next((entry for entry in item if key in {f"[{entry.get(identity)}]" for identity in keys}), None)
        else:
            item = item.get(key) if isinstance(item, dict) else None
    return item


def chart_objects(upgrade: Upgrade) -> Iterator[tuple[str, str]]:
    for item in upgrade.before:
        if item["kind"] in KINDS:
            yield item["kind"], item["metadata"]["name"]


def test_what_the_api_server_fills_in_is_no_edit(upgrade: Upgrade) -> None:
    """Nor is it lost when an object is made anew."""
    assert drift(upgrade.fresh.objects, upgrade.before, upgrade.after, NAMESPACE, complete=upgrade.fresh.complete) == []
    for kind, name in chart_objects(upgrade):
        live, old, new = (named(items, kind, name) for items in (upgrade.fresh.objects, upgrade.before, upgrade.after))
        assert lost(live, [old], new) == [], name
        # Whoever does not know the old manifest finds nothing but what the new one changes.
        assert [edit.path for edit in lost(live, [], old)] == [], name


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.name}-{'.'.join(edit.places[0][-2:])}-{'goes' if edit.goes else 'stays'}")
def test_each_edit_becomes_what_was_told(upgrade: Upgrade, edit: Edit) -> None:
    live, old, new, done = (
        named(items, edit.kind, edit.name) for items in (upgrade.edited.objects, upgrade.before, upgrade.after, upgrade.done.objects)
    )
    told = {item.path: item for item in reverted(live, [old], new)}
    for place in edit.places:
        is_kept = same(place, value_at(done, place), value_at(live, place))
        assert is_kept is not edit.goes
        assert (place in told) is edit.goes


def test_nothing_else_is_told_and_everything_told_has_come(upgrade: Upgrade) -> None:
    made = {(edit.kind, edit.name, place) for edit in EDITS if edit.goes for place in edit.places}
    found = set()
    for kind, name in chart_objects(upgrade):
        live, old, new, done = (
            named(items, kind, name) for items in (upgrade.edited.objects, upgrade.before, upgrade.after, upgrade.done.objects)
        )
        for told in reverted(live, [old], new):
            found.add((kind, name, told.path))
            now = value_at(done, told.path)
            assert same(told.path, now, told.after) or (told.after is None and is_default(told.path, now)), told
    assert found == made


def test_one_finding_for_each_object(upgrade: Upgrade) -> None:
    findings = drift(upgrade.edited.objects, upgrade.before, upgrade.after, NAMESPACE, complete=upgrade.edited.complete)
    assert {finding.code for finding in findings} == {"will-be-reverted"}
    edited = {(edit.kind, edit.name) for edit in EDITS if edit.goes}
    assert sorted((finding.object.kind, finding.object.name) for finding in findings) == sorted(edited)
    assert drift(upgrade.done.objects, upgrade.after, upgrade.after, NAMESPACE, complete=upgrade.done.complete) == []


def test_four_lists_are_all_it_takes(upgrade: Upgrade, mesh_cluster: MeshCluster, tmp_path: Path) -> None:
    cluster = mesh_cluster.cluster
    api = api_of(cluster, tmp_path / "module")
    mesh = mesh_of(api)
    mark = cluster.mark()
    live = read_live(api, mesh, upgrade.after)
    requests = sorted((event.verb, event.resource) for event in cluster.audit_since(mark) if event.user_agent.startswith("meshops"))
    assert requests == [("list", name) for name in ("configmaps", "horizontalpodautoscalers", "poddisruptionbudgets", "services")]
    assert live.complete == {"ConfigMap", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service"}
    assert live.findings == ()


def test_what_may_not_be_read_is_told(upgrade: Upgrade, mesh_cluster: MeshCluster, tmp_path: Path) -> None:
    cluster = mesh_cluster.cluster
    mesh = mesh_of(api_of(cluster, tmp_path / "module"))
    stranger = api_of(cluster, tmp_path / "stranger", cluster.kubeconfig_for("stranger"))
    live = read_live(stranger, mesh, upgrade.after)
    assert (live.complete, len(live.objects)) == (frozenset(), len(mesh.deployments))
    assert [finding.code for finding in live.findings] == ["drift-not-known"] * 4
    assert "list configmaps" in str([finding.what for finding in live.findings])


@pytest.mark.parametrize(
    ("kind", "name", "patch"),
    [
        (
            DEPLOYMENT,
            "osm-injector",
            container(
                "osm-injector",
                env=[{"name": "OSM_DEFAULT_SIDECAR_CLASS", "value": None, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            ),
        ),
        (DEPLOYMENT, "osm-injector", container("osm-injector", livenessProbe={"httpGet": None, "exec": {"command": ["true"]}})),
        (PDB, "osm-controller-pdb", {"spec": {"minAvailable": None, "maxUnavailable": 1}}),
    ],
    ids=["env", "probe", "budget"],
)
def test_an_edit_that_helm_cannot_patch_is_known(
    upgrade: Upgrade, mesh_cluster: MeshCluster, tmp_path: Path, kind: Kind, name: str, patch: Object
) -> None:
    """It is taken back afterwards, as the refusal says."""
    cluster, chart = mesh_cluster.cluster, chart_of_today("1.3.9", tmp_path)
    api = api_of(cluster, tmp_path / "module")
    kept = api.get(kind, name, NAMESPACE)
    api.patch(kind, name, patch, NAMESPACE, patch_type="strategic", field_manager="kubectl-edit")
    live = read_live(api, mesh_of(api), upgrade.after)
    (refusal,) = blocking_edits(live.objects, upgrade.after, upgrade.after, NAMESPACE)
    assert (refusal.code, refusal.object.name) == ("edit-blocks-upgrade", name)
    with pytest.raises(SandboxError, match="cannot patch"):
        release(cluster, chart, LATER_VALUES)
    kept["metadata"]["resourceVersion"] = api.get(kind, name, NAMESPACE)["metadata"]["resourceVersion"]
    api.replace(kind, kept)
    release(cluster, chart, LATER_VALUES)
