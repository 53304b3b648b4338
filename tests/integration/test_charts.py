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
from charts.repository import ChartRepository, chart_archive, write_chart
from sandboxlib import paths
from sandboxlib.binaries import binary
from sandboxlib.errors import SandboxError

OLD, NEW = "osm-edge-1.2.3", "osm-edge-1.3.9"


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


@pytest.fixture(scope="module")
def repository() -> Iterator[ChartRepository]:
    with ChartRepository() as served:
        yield served


@pytest.mark.parametrize("release", [OLD, NEW])
def test_the_schema_is_made_from_the_values(release: str) -> None:
    directory = paths.CHARTS / release
    values = yaml.safe_load((directory / "values.yaml").read_text())
    assert json.loads((directory / "values.schema.json").read_text()) == values_schema.schema(values)


def test_old_defaults_do_not_fit_the_new_chart(tmp_path: Path) -> None:
    old, new = paths.CHARTS / OLD, paths.CHARTS / NEW
    done = helm("template", "osm", str(new), "--values", str(old / "values.yaml"), home=tmp_path)
    assert done.returncode != 0
    assert done.stderr.rstrip().endswith("at '/osm': additional properties 'pipyRepoImage' not allowed")


def test_defaults_of_the_same_line_fit(tmp_path: Path) -> None:
    values = write_chart("osm-edge-1.3.0", tmp_path) / "values.yaml"
    assert render(paths.CHARTS / NEW, tmp_path, "--values", str(values))


def test_unknown_keys_are_refused_below_osm_only(tmp_path: Path) -> None:
    assert render(paths.CHARTS / NEW, tmp_path, "--set", "unheardOf=1")
    for key in ("osm.unheardOf", "osm.featureFlags.unheardOf", "osm.osmController.resource.requests.unheardOf"):
        done = helm("template", "osm", str(paths.CHARTS / NEW), "--set", f"{key}=1", home=tmp_path)
        assert "additional properties 'unheardOf' not allowed" in done.stderr


def test_the_selector_changes_between_the_lines(tmp_path: Path) -> None:
    selectors = {}
    for release in (OLD, NEW):
        deployments = [item for item in render(paths.CHARTS / release, tmp_path) if item["kind"] == "Deployment"]
        selectors[release] = {item["metadata"]["name"]: item["spec"]["selector"]["matchLabels"] for item in deployments}
    assert selectors[OLD] == {name: {"app": name} for name in ("osm-bootstrap", "osm-controller", "osm-injector")}
    assert selectors[NEW] == selectors[OLD] | {"osm-controller": {"app": "osm-controller", "codebase": ""}}


def test_presets_of_the_lines(tmp_path: Path) -> None:
    old, new = (preset(render(paths.CHARTS / release, tmp_path)) for release in (OLD, NEW))
    assert new.keys() - old.keys() == {"clusterSet", "repoServer", "pluginChains"}
    assert new["traffic"]["interceptionMode"] == "iptables"
    assert "interceptionMode" not in old["traffic"]
    assert old["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy:0.70.0-46"
    assert new["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy:0.90.3-38"
    assert (old["traffic"]["enablePermissiveTrafficPolicyMode"], old["traffic"]["enableEgress"]) == (True, True)


def test_everything_optional_renders(tmp_path: Path) -> None:
    settings = (
        "deployPrometheus", "deployGrafana", "deployJaeger", "enableFluentbit", "injector.autoScale.enable",
        "osmController.enablePodDisruptionBudget", "featureFlags.enableMeshRootCertificate", "tracing.enable", "remoteLogging.enable",
    )  # fmt: skip
    for release in (OLD, NEW):
        items = render(paths.CHARTS / release, tmp_path, "--set", ",".join(f"osm.{name}=true" for name in settings))
        assert preset(items)["observability"]["tracing"]["address"] == "jaeger.mesh-system.svc.cluster.local"
        assert find(items, "HorizontalPodAutoscaler", "osm-injector-hpa")["apiVersion"] == "autoscaling/v2beta2"
        assert find(items, "PodDisruptionBudget", "osm-controller-pdb")["apiVersion"] == "policy/v1beta1"
        for name in ("osm-prometheus", "osm-grafana", "osm-jaeger"):
            assert find(items, "Deployment", name)


def test_the_namespace_of_the_objects_may_be_another(tmp_path: Path) -> None:
    items = render(paths.CHARTS / NEW, tmp_path, "--set", "osm.osmNamespace=elsewhere,osm.meshName=other")
    assert {item["metadata"]["namespace"] for item in items if "namespace" in item["metadata"]} == {"elsewhere"}
    labels = find(items, "Deployment", "osm-injector")["metadata"]["labels"]
    assert (labels["meshName"], labels["app.kubernetes.io/instance"], labels["app.kubernetes.io/version"]) == ("other", "other", "1.3.9")


def test_releases_that_are_derived(repository: ChartRepository, tmp_path: Path) -> None:
    items = render("osm-edge", tmp_path, "--repo", repository.url, "--version", "1.2.0")
    assert preset(items)["sidecar"]["sidecarDrivers"][0]["sidecarImage"] == "flomesh/pipy:0.70.0-2"
    container = find(items, "Deployment", "osm-injector")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "flomesh/osm-edge-injector:1.2.0"


def test_a_version_that_the_repository_does_not_have(repository: ChartRepository, tmp_path: Path) -> None:
    done = helm("pull", "osm-edge", "--repo", repository.url, "--version", "1.3.99", home=tmp_path)
    assert 'version "1.3.99" not found' in done.stderr


def test_an_archive_is_a_chart(tmp_path: Path) -> None:
    archive = chart_archive(NEW, tmp_path)
    assert archive.name == "osm-edge-1.3.9.tgz"
    assert len(render(archive, tmp_path)) == len(render(paths.CHARTS / NEW, tmp_path))


def test_no_such_chart(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"there is no chart osm-edge-9\.9\.9, only osm-edge-1\.2\.0, "):
        chart_archive("osm-edge-9.9.9", tmp_path)
