# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of another version than the chart that wrote the command line, and images that somebody changed behind Helm's back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.assembly import Evidence
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, OSM_EDGE
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report import report
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.report_images import expected_version, manifest_images
from ansible_collections.meshops.lifecycle.tests.unit.osm_info.raw_objects import NOW, deployment, evidence, healthy, observed, release

Row = dict[str, Any]


def told(found: Evidence) -> dict[str, list[Row]]:
    (mesh,) = report(observed(found), now=NOW)["meshes"]
    result: dict[str, list[Row]] = {}
    for finding in mesh["findings"]:
        result.setdefault(finding["code"], []).append(finding)
    return result


def with_image(name: str, image: str, version: str = "1.3.9", **status: Any) -> list[Row]:
    core = [deployment(each, version, **(status if each == name else {})) for each in OSM_EDGE.deployments]
    changed = next(item for item in core if item["metadata"]["name"] == name)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return core


@pytest.mark.parametrize(
    ("chart", "tag"), [("1.3.9", "1.3.9"), ("v1.3.9", "1.3.9"), ("1.1.3", "1.1.1"), ("1.2.3-ubi8", "1.2.3"), ("9.9.9", "9.9.9"), ("", "")]
)
def test_expected_version(chart: str, tag: str) -> None:
    assert expected_version(OSM_EDGE, chart) == tag
    assert expected_version(FSM, "v1.5.1") == "1.5.1"


def test_image_of_another_version_than_its_command_line() -> None:
    found = told(healthy(deployments=with_image("osm-controller", "flomesh/osm-edge-controller:1.2.3")))
    (finding,) = found["component-image-mismatch"]
    assert finding["severity"] == "warning"
    assert finding["object"]["name"] == "osm-controller"
    assert "its image is 1.2.3, its command line is that of chart 1.3.9" in finding["what"]
    # Said once.
    assert "release-version-mismatch" not in found
    assert "image-not-of-release" not in found


def test_mismatch_that_does_not_run_is_an_error() -> None:
    core = with_image("osm-controller", "flomesh/osm-edge-controller:1.2.3", availableReplicas=0, readyReplicas=0)
    assert told(healthy(deployments=core))["component-image-mismatch"][0]["severity"] == "error"


def test_tag_that_a_value_pins() -> None:
    core = [item for name in OSM_EDGE.deployments for item in with_image(name, f"flomesh/{name}:1.3.8") if item["metadata"]["name"] == name]
    found = told(healthy(deployments=core, releases=[release("1.3.9", image={"tag": "1.3.8"})]))
    assert len(found["component-image-mismatch"]) == 3
    assert found["component-image-mismatch"][0]["remedy"] == "take osm.image.tag=1.3.8 out of the release's values"


@pytest.mark.parametrize(
    "image",
    [
        "flomesh/osm-edge-controller@sha256:0123",
        "mirror.example.com:5000/x/osm-edge-controller:1.3.9@sha256:0123",
        "flomesh/osm-edge-controller:main",
    ],
)
def test_images_that_nothing_is_wrong_with(image: str) -> None:
    record = release("1.3.9")
    record = record._replace(manifest=f"{record.manifest}  image: {image}\n")
    found = told(healthy(deployments=with_image("osm-controller", image), releases=[record]))
    assert {"component-image-mismatch", "component-versions-differ", "release-version-mismatch", "image-not-of-release"} & {*found} == set()


def test_images_of_chart_1_1_3() -> None:
    core = [deployment(name, "1.1.1") for name in OSM_EDGE.deployments]
    for item in core:
        item["metadata"]["labels"]["app.kubernetes.io/version"] = "1.1.3"
    found = told(evidence(deployments=core, releases=[release("1.1.3")._replace(manifest="")]))
    assert {"component-image-mismatch", "release-version-mismatch"} & {*found} == set()


def test_third_party_image_that_was_set_by_hand() -> None:
    grafana = deployment("osm-grafana", "1.3.9")
    container = grafana["spec"]["template"]["spec"]["containers"][0]
    container.update(name="grafana", image="grafana/grafana:10.0.0")
    record = release("1.3.9")
    record = record._replace(manifest=f'{record.manifest}      - image: "grafana/grafana:8.2.2"\n')
    (finding,) = told(healthy(deployments=[*healthy().deployments, grafana], releases=[record]))["image-not-of-release"]
    assert finding["what"] == "grafana runs grafana/grafana:10.0.0 instead of grafana/grafana:8.2.2"
    assert finding["remedy"].endswith("osm.grafana.image=grafana/grafana:10.0.0")


def test_half_an_upgrade_is_not_somebody_s_change() -> None:
    record = release("1.3.9", status="failed")
    core = with_image("osm-controller", "flomesh/osm-edge-controller:1.2.3")
    core[1]["metadata"]["labels"]["app.kubernetes.io/version"] = "1.2.3"
    found = told(healthy(deployments=core, releases=[record]))
    assert {"component-image-mismatch", "image-not-of-release"} & {*found} == set()
    assert {"component-versions-differ", "release-version-mismatch"} <= {*found}


def test_init_image_of_another_version() -> None:
    core = [deployment(name, "1.3.9") for name in OSM_EDGE.deployments]
    core[2]["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "flomesh/osm-edge-sidecar-init:1.2.3"
    (finding,) = told(healthy(deployments=core))["init-image-mismatch"]
    assert finding["object"] == {"kind": "Deployment", "namespace": "osm-system", "name": "osm-injector"}


def test_images_in_a_manifest() -> None:
    text = '- image: a/b:1\n  image: "c/d:2"\n# image tag\n  imagePullPolicy: Always\n  sidecarImage: e/f:3\n'
    assert manifest_images(text) == ["a/b:1", "c/d:2"]


def test_reconciler() -> None:
    core = [deployment(name, "1.3.9") for name in OSM_EDGE.deployments]
    for item in core:
        item["spec"]["template"]["spec"]["containers"][0]["args"] = ["--mesh-name", "osm", "--enable-reconciler=true"]
    found = healthy(deployments=core)
    (mesh,) = report(observed(found), now=NOW)["meshes"]
    assert mesh["reconciler"] == {"enabled": True, "components": [*OSM_EDGE.deployments], "crds": 0, "webhooks": 0}
    assert "looks after 0 CustomResourceDefinitions" in told(found)["reconciler-enabled"][0]["what"]
    for item in core:
        item["spec"]["template"]["spec"]["containers"][0]["args"][-1] = "--enable-reconciler=false"
    assert "reconciler-enabled" not in told(found)
