# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an injector decides about a pod, and the image that it gives."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.injector_config import read_injector, with_variant
from ansible_collections.meshops.lifecycle.tests.unit.istio.raw_istio import HUB, config_map, injector, mesh_map, pod

Object = dict[str, Any]
INJECT = "sidecar.istio.io/inject"
PLAIN = f"{HUB}/proxyv2:1.30.0"


@pytest.mark.parametrize(
    ("version", "labels", "annotations", "required"),
    [
        ("1.30.0", {}, {}, True),
        ("1.30.0", {}, {INJECT: "false"}, False),
        ("1.30.0", {INJECT: "true"}, {INJECT: "false"}, True),
        ("1.30.0", {INJECT: "false"}, {INJECT: "true"}, False),
        ("1.30.0", {}, {INJECT: "no"}, True),
        ("1.30.0", {}, {INJECT: "yes"}, True),
        ("1.20.0", {}, {INJECT: "no"}, False),
        ("1.20.0", {}, {INJECT: "Yes"}, True),
        ("1.20.0", {INJECT: "false"}, {INJECT: "true"}, False),
        ("1.11.0", {INJECT: "false"}, {INJECT: "true"}, True),
        ("1.5.10-asm.2", {INJECT: "false"}, {}, True),
        ("1.5.10-asm.2", {}, {INJECT: "on"}, True),
        ("1.5.10-asm.2", {}, {INJECT: "off"}, False),
        ("latest", {INJECT: "false"}, {INJECT: "true"}, False),
    ],
)
def test_label_and_annotation(version: str, labels: Object, annotations: Object, required: bool) -> None:
    assert injector(version=version).requires(pod(labels=labels, annotations=annotations), "shop") is required


@pytest.mark.parametrize(
    ("policy", "labels", "required"),
    [
        ("enabled", {}, True),
        ("disabled", {}, False),
        ("disabled", {INJECT: "true"}, True),
        ("nonsense", {INJECT: "true"}, False),
        ("enabled", {"mood": "sad"}, False),
        ("enabled", {"mood": "sad", INJECT: "true"}, True),
        ("disabled", {"mood": "happy"}, True),
        ("disabled", {"mood": "happy", INJECT: "false"}, False),
    ],
)
def test_policy_and_selectors(policy: str, labels: Object, required: bool) -> None:
    never, always = [{}, {"matchLabels": {"mood": "sad"}}], [{}, {"matchExpressions": [{"key": "mood", "operator": "Exists"}]}]
    found = injector(policy=policy, neverInjectSelector=never, alwaysInjectSelector=always)
    assert found.requires(pod(labels=labels), "shop") is required
    assert "mood" in found.label_keys


def test_never() -> None:
    assert not injector().requires(pod(hostNetwork=True), "shop")
    for place in ("kube-system", "kube-public", "kube-node-lease", "local-path-storage"):
        assert not injector().requires(pod(place), place)


@pytest.mark.parametrize(
    ("values", "annotations", "image"),
    [
        ({}, {}, PLAIN),
        ({"hub": "localhost:5000/a"}, {}, "localhost:5000/a/proxyv2:1.30.0"),
        ({"tag": 1.3}, {}, f"{HUB}/proxyv2:1.3"),
        ({"proxy": {"image": "proxy-own"}}, {}, f"{HUB}/proxy-own:1.30.0"),
        ({"proxy": {"image": "a.test/proxy:7"}}, {}, "a.test/proxy:7"),
        ({"proxy": {"image": "a.test/proxy@sha256:1"}}, {}, "a.test/proxy@sha256:1"),
        ({"variant": "distroless"}, {}, f"{PLAIN}-distroless"),
        ({"tag": "1.30.0-distroless", "variant": "debug"}, {}, f"{PLAIN}-debug"),
        ({}, {"sidecar.istio.io/proxyImage": "b.test/p:1"}, "b.test/p:1"),
        ({}, {"sidecar.istio.io/proxyImage": "p"}, PLAIN),
        ({"proxy": {"image": "a.test/proxy:7"}}, {"sidecar.istio.io/proxyImage": "b.test/p:1"}, "b.test/p:1"),
        ({"variant": "distroless"}, {"sidecar.istio.io/proxyImageType": "debug"}, f"{PLAIN}-debug"),
        ({"variant": "distroless"}, {"sidecar.istio.io/proxyImageType": "default"}, PLAIN),
        ({}, {"proxy.istio.io/config": "image:\n  imageType: distroless\n"}, f"{PLAIN}-distroless"),
        ({}, {"proxy.istio.io/config": "{"}, PLAIN),
        ({"hub": ""}, {}, ""),
    ],
)
def test_images(values: Object, annotations: Object, image: str) -> None:
    assert injector(values=values).image_for(pod(annotations=annotations)) == image


def test_own_images_of_the_application() -> None:
    containers = [{"name": "app", "image": "web:1"}, {"name": "istio-proxy", "image": "auto"}]
    assert injector().image_for(pod(containers=containers)) == PLAIN
    containers[1]["image"] = "own.test/proxy:2"
    assert injector().image_for(pod(containers=containers)) == "own.test/proxy:2"
    overrides = '{"containers": [{"name": "istio-proxy", "image": "own.test/proxy:2"}]}'
    assert injector().image_for(pod(image="x/y:1", annotations={"proxy.istio.io/overrides": overrides})) == "own.test/proxy:2"
    assert injector().image_for(pod(image="x/y:1", annotations={"proxy.istio.io/overrides": '{"containers": null}'})) == PLAIN


def config(name: str, place: str, image_type: str, created: str = "2026-01-01T00:00:00Z", **labels: str) -> Object:
    spec: Object = {"image": {"imageType": image_type}} if image_type else {"concurrency": 1}
    selector = {"selector": {"matchLabels": labels}} if labels else {}
    return {"metadata": {"name": name, "namespace": place, "creationTimestamp": created}, "spec": {**spec, **selector}}


@pytest.mark.parametrize(
    ("configs", "annotations", "suffix"),
    [
        ([], {}, "-default-of-mesh"),
        ([config("a", "istio-system", "root")], {}, "-root"),
        ([config("a", "istio-system", "root"), config("b", "shop", "place")], {}, "-place"),
        ([config("b", "shop", "place")], {"proxy.istio.io/config": '{"image": {"imageType": "own"}}'}, "-own"),
        ([config("b", "shop", "app", app="a")], {"proxy.istio.io/config": '{"image": {"imageType": "own"}}'}, "-app"),
        ([config("b", "shop", "app", app="b")], {}, "-default-of-mesh"),
        ([config("b", "other", "place")], {}, "-default-of-mesh"),
        ([config("b", "shop", "young", "2026-02-01T00:00:00Z"), config("c", "shop", "old")], {}, "-old"),
        ([config("b", "shop", "")], {}, "-default-of-mesh"),
    ],
)
def test_variant_by_resources(configs: list[Object], annotations: Object, suffix: str) -> None:
    found = injector(configs=configs, mesh={"defaultConfig": {"image": {"imageType": "default-of-mesh"}}})
    assert found.image_for(pod(labels={"app": "a"}, annotations=annotations)) == f"{PLAIN}{suffix}"


def test_templates() -> None:
    found = injector(aliases={"both": ["sidecar", "grpc-simple"], "bad": ["sidecar", "nonsense"]})
    key = "inject.istio.io/templates"
    assert found.adds_proxy(pod())
    assert found.adds_proxy(pod(annotations={key: "both"}))
    assert not found.adds_proxy(pod(annotations={key: "grpc-simple"}))
    assert found.missing_template(pod(annotations={key: "grpc-simple, gateway"})) == ""
    assert found.missing_template(pod(annotations={key: "nonsense"})) == "nonsense"
    assert found.missing_template(pod(annotations={key: "bad"})) == "nonsense"


@pytest.mark.parametrize(
    ("variant", "tag"),
    [("", "1-distroless"), ("default", "1"), ("debug", "1-debug"), ("distroless", "1-distroless")],
)
def test_variants_replace_each_other(variant: str, tag: str) -> None:
    assert with_variant("1-distroless", variant) == tag


def test_an_old_configuration_with_one_template() -> None:
    text = "policy: enabled\ntemplate: |\n  containers:\n  - name: istio-proxy\n"
    data = {"values": config_map()["data"]["values"], "config": text}
    found = read_injector("default", "istio-system", injector={"data": data}, mesh=None)
    assert found.known
    assert found.adds_proxy(pod())
    assert found.requires(pod(), "shop")
    assert found.image_for(pod()) == PLAIN


@pytest.mark.parametrize("data", [None, {}, {"values": "{", "config": "policy: enabled"}, {"values": "{}", "config": "}{"}])
def test_a_damaged_configuration_takes_no_sidecar_away(data: Object | None) -> None:
    found = read_injector("default", "istio-system", injector=None if data is None else {"data": data}, mesh=mesh_map())
    assert not found.known
    assert found.requires(pod(), "shop")
    assert found.image_for(pod()) == ""


def test_digest() -> None:
    one = injector()
    assert one.digest == injector().digest
    others = [
        injector(values={"logging": {"level": "debug"}}),
        injector(policy="disabled"),
        injector(templates={"sidecar": "istio-proxy"}),
        injector(mesh={"defaultConfig": {"holdApplicationUntilProxyStarts": True}}),
        injector(mesh={"trustDomain": "other"}),
        injector(native="true"),
        injector("1-31"),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == len(others) + 1
    assert injector(mesh={"accessLogFile": "/dev/stdout"}).digest == one.digest
