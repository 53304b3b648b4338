# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fixture charts say what the published ones say, where it matters for an upgrade."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import values_schema
from charts.repository import DERIVED, ChartRepository, chart_archive, product_and_version, releases, write_chart
from sandboxlib import mesh, paths
from sandboxlib.apps import manifest
from sandboxlib.binaries import binary
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options

OLDEST, OLD, NEW = "osm-edge-1.1.3", "osm-edge-1.2.3", "osm-edge-1.3.9"
OSM, FSM = "osm-1.2.4", "fsm-1.5.1"
CHARTS = [OLDEST, OLD, NEW, OSM, FSM]


def root(release: str) -> str:
    """The key of the values that holds everything; names of objects and images begin with it, too."""
    return "fsm" if release.startswith("fsm-") else "osm"


def helm(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {f"HELM_{what}_HOME": str(home / what) for what in ("CACHE", "CONFIG", "DATA")}
    return subprocess.run([str(binary("helm")), *arguments], env=environment, capture_output=True, text=True, check=False)


def render(chart: Path | str, tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    done = helm("template", "release", str(chart), "--namespace", "mesh-system", *arguments, home=tmp_path)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def find(items: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(item for item in items if (item["kind"], item["metadata"]["name"]) == (kind, name))


def preset(items: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(find(items, "ConfigMap", "preset-mesh-config")["data"]["preset-mesh-config.json"])
    return found


def pods(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pods' specs of all Deployments, by name."""
    return {item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in items if item["kind"] == "Deployment"}


def names(items: list[dict[str, Any]], kind: str) -> set[str]:
    return {item["metadata"]["name"] for item in items if item["kind"] == kind}


@pytest.fixture(scope="module")
def repository() -> Iterator[ChartRepository]:
    with ChartRepository(["osm-edge-1.2.0", "osm-edge-1.2.3", "osm-edge-1.2.3-ubi8", "osm-edge-1.3.0-beta.4"]) as served:
        yield served


@pytest.mark.parametrize("release", CHARTS)
def test_the_schema_is_made_from_the_values(release: str) -> None:
    directory = paths.CHARTS / release
    values = yaml.safe_load((directory / "values.yaml").read_text())
    assert json.loads((directory / "values.schema.json").read_text()) == values_schema.schema(values)


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (OLDEST, OLD, {"/osm": {"multicluster", "nodeSelector"}, "/osm/featureFlags": {"enableMulticlusterMode"}}),
        (OLD, NEW, {"/osm": {"pipyRepoImage"}}),
        (OLDEST, NEW, {"/osm": {"multicluster", "nodeSelector", "pipyRepoImage"}, "/osm/featureFlags": {"enableMulticlusterMode"}}),
    ],
)
def test_old_defaults_do_not_fit_the_new_chart(old: str, new: str, refused: dict[str, set[str]], tmp_path: Path) -> None:
    done = helm("template", "osm", str(paths.CHARTS / new), "--values", str(paths.CHARTS / old / "values.yaml"), home=tmp_path)
    assert done.returncode != 0
    lines = [line.split("'")[1::2] for line in done.stderr.splitlines() if line.startswith("- at ")]
    assert {place: set(keys) for place, *keys in lines} == refused
    assert done.stderr.count("not allowed") == len(refused)


@pytest.mark.parametrize(("old", "new"), [("osm-edge-1.1.0", OLDEST), ("osm-edge-1.3.0", NEW), ("osm-1.2.3", OSM), ("fsm-1.5.0", FSM)])
def test_defaults_of_the_same_line_fit(old: str, new: str, tmp_path: Path) -> None:
    values = write_chart(old, tmp_path) / "values.yaml"
    assert render(paths.CHARTS / new, tmp_path, "--values", str(values))


@pytest.mark.parametrize("release", [NEW, FSM])
def test_unknown_keys_are_refused_below_the_root_only(release: str, tmp_path: Path) -> None:
    assert render(paths.CHARTS / release, tmp_path, "--set", "unheardOf=1")
    for key in ("unheardOf", "featureFlags.unheardOf", f"{root(release)}Controller.resource.requests.unheardOf"):
        done = helm("template", "mesh", str(paths.CHARTS / release), "--set", f"{root(release)}.{key}=1", home=tmp_path)
        assert "additional properties 'unheardOf' not allowed" in done.stderr


def test_the_selector_changes_between_the_lines(tmp_path: Path) -> None:
    selectors = {}
    for release in CHARTS:
        deployments = [item for item in render(paths.CHARTS / release, tmp_path) if item["kind"] == "Deployment"]
        selectors[release] = {item["metadata"]["name"]: item["spec"]["selector"]["matchLabels"] for item in deployments}
    assert selectors[OLD] == {name: {"app": name} for name in ("osm-bootstrap", "osm-controller", "osm-injector")}
    assert selectors[OLDEST] == selectors[OSM] == selectors[OLD]
    assert selectors[NEW] == selectors[OLD] | {"osm-controller": {"app": "osm-controller", "codebase": ""}}
    assert selectors[FSM] == {
        "fsm-bootstrap": {"app": "fsm-bootstrap"},
        "fsm-controller": {"app": "fsm-controller", "codebase": ""},
        "fsm-injector": {"app": "fsm-injector"},
    }


@pytest.mark.parametrize("release", CHARTS)
def test_names_of_the_objects(release: str, tmp_path: Path) -> None:
    items, prefix = render(paths.CHARTS / release, tmp_path), root(release)
    deployments = {f"{prefix}-{part}" for part in ("bootstrap", "controller", "injector")}
    assert names(items, "Deployment") == deployments
    assert names(items, "Service") == deployments | {f"{prefix}-validator"}
    assert names(items, "ConfigMap") == {"preset-mesh-config"}
    assert names(items, "Job") == {"release-preinstall", "release-cleanup"}
    webhooks = {"flomesh-mutating-webhook-configuration"} if release == FSM else set()
    assert names(items, "MutatingWebhookConfiguration") == webhooks
    app, version = find(items, "Deployment", f"{prefix}-controller")["metadata"]["labels"], product_and_version(release)[1]
    assert app == {
        "app": f"{prefix}-controller",
        "app.kubernetes.io/name": "flomesh.io" if release == FSM else "openservicemesh.io",
        "app.kubernetes.io/instance": prefix,
        # Published archives of osm-edge have no "v" before their appVersion.
        "app.kubernetes.io/version": version if release.startswith("osm-edge-") else f"v{version}",
        "meshName": prefix,
        "enforceSingleMesh": "true",
    }


def test_webhooks_of_the_release_have_no_entries(tmp_path: Path) -> None:
    items = render(paths.CHARTS / FSM, tmp_path)
    for kind in ("Mutating", "Validating"):
        found = find(items, f"{kind}WebhookConfiguration", f"flomesh-{kind.lower()}-webhook-configuration")
        assert found["webhooks"] == []


def test_who_installs_the_definitions(tmp_path: Path) -> None:
    containers = {release: pods(render(paths.CHARTS / release, tmp_path))[f"{root(release)}-bootstrap"] for release in CHARTS}
    assert [container["name"] for container in containers[OLDEST]["initContainers"]] == ["init-osm-bootstrap"]
    assert containers[OLDEST]["initContainers"][0]["image"] == "flomesh/osm-edge-crds:1.1.1"
    assert all("initContainers" not in containers[release] for release in CHARTS if release != OLDEST)


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (OLDEST, ["osm-pipy-repo flomesh/pipy-repo:0.50.0-25", "osm-controller flomesh/osm-edge-controller:1.1.1"]),
        (NEW, ["osm-pipy-repo flomesh/pipy-repo:0.90.3-38", "osm-controller flomesh/osm-edge-controller:1.3.9"]),
        (FSM, ["fsm-pipy-repo flomesh/pipy-repo:1.5.10", "fsm-controller flomesh/fsm-controller:1.5.1"]),
    ],
)
def test_containers_of_the_controller(release: str, expected: list[str], tmp_path: Path) -> None:
    items, prefix = render(paths.CHARTS / release, tmp_path), root(release)
    assert [f"{entry['name']} {entry['image']}" for entry in pods(items)[f"{prefix}-controller"]["containers"]] == expected
    ports = {port["port"] for port in find(items, "Service", f"{prefix}-controller")["spec"]["ports"]}
    assert ports == {6060, 9091, 9092} | ({9443} if release == FSM else set())


def test_open_service_mesh_has_no_pipy(tmp_path: Path) -> None:
    items = render(paths.CHARTS / OSM, tmp_path, "--kube-version", "1.34.0")
    [controller] = pods(items)["osm-controller"]["containers"]
    assert controller["image"].startswith("openservicemesh/osm-controller@sha256:")
    ports = {port["port"] for port in find(items, "Service", "osm-controller")["spec"]["ports"]}
    assert ports == {15128, 9091, 9092}
    [injector] = pods(items)["osm-injector"]["containers"]
    environment = {entry["name"]: entry.get("value", "") for entry in injector["env"]}
    assert environment["OSM_DEFAULT_ENVOY_IMAGE"].startswith("envoyproxy/envoy-distroless:v1.22.2@sha256:")
    assert environment["OSM_DEFAULT_INIT_CONTAINER_IMAGE"].startswith("openservicemesh/init@sha256:")
    assert not [key for key in preset(items)["sidecar"] if "image" in key.lower()]
    done = helm("template", "osm", str(paths.CHARTS / OSM), "--kube-version", "1.22.8", home=tmp_path)
    assert "chart requires kubeVersion: >= 1.22.9-0" in done.stderr


def test_images_of_open_service_mesh_have_the_tag_that_is_set(tmp_path: Path) -> None:
    items = render(paths.CHARTS / OSM, tmp_path, "--set", "osm.image.tag=v1.2.4")
    assert pods(items)["osm-bootstrap"]["containers"][0]["image"] == "openservicemesh/osm-bootstrap:v1.2.4"


def test_what_only_the_oldest_line_has(tmp_path: Path) -> None:
    items = render(paths.CHARTS / OLDEST, tmp_path, "--set", "osm.featureFlags.enableMulticlusterMode=true,osm.nodeSelector.arch=arm64")
    gateway = pods(items)["osm-multicluster-gateway"]
    assert gateway["containers"][0]["image"] == "envoyproxy/envoy:v1.19.3"
    assert {pod["nodeSelector"]["kubernetes.io/arch"] for pod in pods(items).values()} == {"arm64"}
    found = preset(items)
    assert (found["traffic"]["enablePermissiveTrafficPolicyMode"], found["traffic"]["enableEgress"]) == (False, False)
    assert found["featureFlags"]["enableMulticlusterMode"] is True
    script = find(items, "Job", "release-cleanup")["spec"]["template"]["spec"]["containers"][0]["command"][-1]
    assert "meshconfig" in script
    assert "meshrootcertificate" not in script


def test_presets_of_the_lines(tmp_path: Path) -> None:
    old, new = (preset(render(paths.CHARTS / release, tmp_path)) for release in (OLD, NEW))
    assert new.keys() - old.keys() == {"clusterSet", "repoServer", "pluginChains"}
    assert new["traffic"]["interceptionMode"] == "iptables"
    assert "interceptionMode" not in old["traffic"]
    assert old["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy:0.70.0-46"
    assert new["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy:0.90.3-38"
    assert (old["traffic"]["enablePermissiveTrafficPolicyMode"], old["traffic"]["enableEgress"]) == (True, True)


def test_preset_of_fsm(tmp_path: Path) -> None:
    new = preset(render(paths.CHARTS / FSM, tmp_path))
    old = preset(render(write_chart("fsm-1.4.0", tmp_path), tmp_path))
    assert (old["traffic"]["interceptionMode"], new["traffic"]["interceptionMode"]) == ("iptables", "PodLevel")
    assert (old["sidecar"]["sidecarImage"], new["sidecar"]["sidecarImage"]) == ("flomesh/pipy:1.5.3", "flomesh/pipy:1.5.10")
    assert (old["image"]["tag"], new["image"]["tag"]) == ("1.4.0", "1.5.1")
    assert "sidecarDrivers" not in new["sidecar"]
    # Made anew by each rendering.
    assert preset(render(paths.CHARTS / FSM, tmp_path))["clusterSet"].pop("uid") != new["clusterSet"].pop("uid")
    done = helm("template", "fsm", str(paths.CHARTS / FSM), "--set", "fsm.trafficInterceptionMode=iptables", home=tmp_path)
    assert "value must be one of 'PodLevel', 'NodeLevel'" in done.stderr


JAEGER = {OLDEST: "jaeger", OLD: "osm-jaeger", NEW: "osm-jaeger", OSM: "jaeger", FSM: "fsm-jaeger"}


@pytest.mark.parametrize("release", CHARTS)
def test_everything_optional_renders(release: str, tmp_path: Path) -> None:
    prefix = root(release)
    settings = [
        "deployPrometheus", "deployGrafana", "deployJaeger", "enableFluentbit", "injector.autoScale.enable",
        f"{prefix}Controller.enablePodDisruptionBudget", "tracing.enable",
    ]  # fmt: skip
    settings += [] if release == OLDEST else ["featureFlags.enableMeshRootCertificate"]
    settings += [] if release in (OLDEST, OSM) else ["remoteLogging.enable"]
    settings += ["fsmIngress.enabled", "egressGateway.enabled"] if release == FSM else []
    items = render(paths.CHARTS / release, tmp_path, "--set", ",".join(f"{prefix}.{name}=true" for name in settings))
    assert preset(items)["observability"]["tracing"]["address"] == "jaeger.mesh-system.svc.cluster.local"
    # Gone since Kubernetes 1.26 and 1.25.
    assert find(items, "HorizontalPodAutoscaler", f"{prefix}-injector-hpa")["apiVersion"] == "autoscaling/v2beta2"
    assert find(items, "PodDisruptionBudget", f"{prefix}-controller-pdb")["apiVersion"] == "policy/v1beta1"
    parts = {"bootstrap", "controller", "injector", "prometheus", "grafana"} | ({"ingress", "egress-gateway"} if release == FSM else set())
    assert names(items, "Deployment") == {f"{prefix}-{part}" for part in parts} | {JAEGER[release]}
    assert [entry["name"] for entry in pods(items)[JAEGER[release]]["containers"]] == ["jaeger"]
    assert "fluentbit-logger" in [entry["name"] for entry in pods(items)[f"{prefix}-controller"]["containers"]]


@pytest.mark.parametrize("release", CHARTS)
def test_the_namespace_of_the_objects_may_be_another(release: str, tmp_path: Path) -> None:
    key = root(release)
    items = render(paths.CHARTS / release, tmp_path, "--set", f"{key}.{key}Namespace=elsewhere,{key}.meshName=other")
    assert {item["metadata"]["namespace"] for item in items if "namespace" in item["metadata"]} == {"elsewhere"}
    labels = find(items, "Deployment", f"{key}-injector")["metadata"]["labels"]
    assert (labels["meshName"], labels["app.kubernetes.io/instance"]) == ("other", "other")
    arguments = pods(items)[f"{key}-injector"]["containers"][0]["args"]
    assert arguments[arguments.index("--mesh-name") + 1] == "other"
    assert arguments[arguments.index("--webhook-config-name") + 1] == f"{key}-webhook-other"


def test_releases_that_are_derived(repository: ChartRepository, tmp_path: Path) -> None:
    items = render("osm-edge", tmp_path, "--repo", repository.url, "--version", "1.2.0")
    assert preset(items)["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy:0.70.0-2"
    container = find(items, "Deployment", "osm-injector")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "flomesh/osm-edge-injector:1.2.0"


@pytest.mark.parametrize("release", sorted(DERIVED))
def test_derived_releases_say_their_version(release: str, tmp_path: Path) -> None:
    product, version = product_and_version(release)
    chart = write_chart(release, tmp_path)
    assert DERIVED[release].chart in CHARTS
    found = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert (found["name"], found["version"], found["appVersion"].lstrip("v")) == (product, version, version)
    image = pods(render(chart, tmp_path))[f"{root(release)}-bootstrap"]["containers"][0]["image"]
    if product == "osm":
        assert "@sha256:010203" in image
    else:
        assert image.rpartition(":")[2] == version.removesuffix("-ubi8")


def test_pre_releases_are_given_only_to_who_names_them(repository: ChartRepository, tmp_path: Path) -> None:
    newest = helm("show", "chart", "osm-edge", "--repo", repository.url, home=tmp_path)
    assert yaml.safe_load(newest.stdout)["version"] == "1.2.3"
    items = render("osm-edge", tmp_path, "--repo", repository.url, "--version", "1.2.3-ubi8")
    assert preset(items)["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy-ubi8:0.70.0-46"
    items = render("osm-edge", tmp_path, "--repo", repository.url, "--version", "1.3.0-beta.4")
    assert preset(items)["traffic"]["interceptionMode"] == "iptables"


def test_a_version_that_the_repository_does_not_have(repository: ChartRepository, tmp_path: Path) -> None:
    done = helm("pull", "osm-edge", "--repo", repository.url, "--version", "1.3.99", home=tmp_path)
    assert 'version "1.3.99" not found' in done.stderr


def test_an_archive_is_a_chart(tmp_path: Path) -> None:
    archive = chart_archive(NEW, tmp_path)
    assert archive.name == "osm-edge-1.3.9.tgz"
    assert len(render(archive, tmp_path)) == len(render(paths.CHARTS / NEW, tmp_path))


def test_no_such_chart(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"there is no chart osm-edge-9\.9\.9, only fsm-1\.4\.0, "):
        chart_archive("osm-edge-9.9.9", tmp_path)


def test_every_release_is_a_mesh_of_the_sandbox() -> None:
    assert {mesh.release("=".join(product_and_version(release))) for release in releases()} == set(releases())
    for wrong in ("osm-edge", "osm-edge=9", "osm=edge-1.2.3", "fsm-1.5.1"):
        with pytest.raises(SandboxError, match=r"there is no such chart, only fsm=1\.4\.0, .*osm-edge=1\.3\.0-beta\.4, "):
            mesh.release(wrong)


def test_a_mesh_has_the_name_and_the_namespace_of_its_product() -> None:
    def called(options: Options) -> tuple[str, str]:
        return options.mesh_name, options.mesh_namespace

    assert called(Options()) == called(Options(mesh="osm=1.2.4")) == called(Options(mesh="osm-edge=1.1.3")) == ("osm", "osm-system")
    assert called(Options(mesh="fsm=1.5.1")) == ("fsm", "fsm-system")
    assert called(Options(mesh="fsm=1.5.1", mesh_name="shop", mesh_namespace="shops")) == ("shop", "shops")


def test_applications_are_enrolled_with_the_keys_of_the_product() -> None:
    def keys(options: Options) -> set[str]:
        namespaces = [item["metadata"] for item in yaml.safe_load(manifest(options))["items"] if item["kind"] == "Namespace"]
        return {key for metadata in namespaces for key in (*metadata.get("labels", {}), *metadata.get("annotations", {}))}

    names = {"monitored-by", "ignore", "sidecar-injection", "metrics"}
    assert keys(Options(mesh="osm=1.2.4", apps="bookstore")) == {f"openservicemesh.io/{name}" for name in names}
    assert keys(Options(mesh="fsm=1.5.1", apps="bookstore")) == {f"flomesh.io/{name}" for name in names}
