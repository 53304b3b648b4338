# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values from one chart of the family to another, there and back: what is carried, what is left behind, and what is said about it."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._cli.chart import Chart, read_chart
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preset_values import preset_only_effects, translate
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.product import FSM, PRODUCTS, Product
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.values import (
    Policy,
    carry_over,
    coalesced,
    dropped_findings,
    effective_user_values,
    pin_installer_values,
    schema_violations,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

Values = dict[str, Any]
CHARTS = Path(__file__).resolve().parents[2] / "sandbox" / "charts"
RELEASE = ObjectRef("Release", "osm", "osm-system")
OSM_EDGE_CHARTS = ("osm-edge-1.1.3", "osm-edge-1.2.3", "osm-edge-1.3.9")
NEWEST = {"osm-edge": "osm-edge-1.3.9", "osm": "osm-1.2.4", "fsm": "fsm-1.5.1"}
IN_THE_POD = "in 1.2.3 the repository of the sidecars' code always runs in the pod of osm-controller"
POLICIES: tuple[Policy, ...] = ("reset_then_reuse", "reset", "reuse")


@cache
def chart(name: str) -> Chart:
    return read_chart(str(CHARTS / name))


def nested(path: str, value: Any) -> Values:
    head, dummy, rest = path.partition(".")
    return {head: nested(rest, value) if rest else value}


def has(values: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


# Every setting of the old chart, as helm's reuse-values would give them to the new one. The downgrades are these in reverse.
DROPPED = {
    ("osm-edge-1.1.3", "osm-edge-1.2.3"): {"osm.multicluster", "osm.nodeSelector", "osm.featureFlags.enableMulticlusterMode"},
    ("osm-edge-1.2.3", "osm-edge-1.3.9"): {"osm.pipyRepoImage"},
    ("osm-edge-1.3.9", "osm-edge-1.3.9"): set(),
}


@pytest.mark.parametrize(("old", "new"), DROPPED)
def test_keys_that_a_newer_chart_has_no_more(old: str, new: str) -> None:
    carried = carry_over(chart(old).values, {}, chart(new).schema)
    assert set(carried.dropped) == DROPPED[old, new]
    assert schema_violations(coalesced(chart(new).values, carried.values), chart(new).schema) == []


@pytest.mark.parametrize(
    ("old", "new", "path", "value", "remedy"),
    [
        # up
        ("osm-edge-1.2.3", "osm-edge-1.3.9", "osm.pipyRepoImage", "mirror/pipy-repo:1", "chart 1.3.9 has osm.repoServer.image for it"),
        (
            "osm-edge-1.1.3",
            "osm-edge-1.2.3",
            "osm.nodeSelector",
            {"disk": "ssd"},
            "chart 1.2.3 has osm.osmController.nodeSelector, osm.injector.nodeSelector, osm.osmBootstrap.nodeSelector for it",
        ),
        ("osm-edge-1.1.3", "osm-edge-1.2.3", "osm.multicluster", {"gatewayLogLevel": "debug"}, "in 1.2.3 it has no multicluster gateway"),
        ("osm-edge-1.1.3", "osm-edge-1.2.3", "osm.featureFlags.enableMulticlusterMode", True, "in 1.2.3 it has no multicluster gateway"),
        # down
        ("osm-edge-1.3.9", "osm-edge-1.2.3", "osm.repoServer", {"image": "mirror/pipy-repo:1"}, "chart 1.2.3 has osm.pipyRepoImage for it"),
        (
            "osm-edge-1.3.9",
            "osm-edge-1.2.3",
            "osm.repoServer",
            {"image": "mirror/pipy-repo:1", "standalone": True},
            f"chart 1.2.3 has osm.pipyRepoImage for it; {IN_THE_POD}",
        ),
        (
            "osm-edge-1.3.9",
            "osm-edge-1.2.3",
            "osm.repoServer",
            {"ipaddr": "10.0.0.1"},
            IN_THE_POD,
        ),
        ("osm-edge-1.3.9", "osm-edge-1.2.3", "osm.trafficInterceptionMode", "ebpf", "in 1.2.3 it always redirects traffic by iptables"),
        ("osm-edge-1.3.9", "osm-edge-1.2.3", "osm.pluginChains", {"inbound-tcp": []}, "in 1.2.3 its chains are built in"),
        ("osm-edge-1.3.9", "osm-edge-1.2.3", "osm.localDNSProxy", {"enable": True}, "remove it from your values files"),
        ("osm-edge-1.2.3", "osm-edge-1.1.3", "osm.injector.nodeSelector", {"disk": "ssd"}, "chart 1.1.3 has osm.nodeSelector for it"),
        ("osm-edge-1.2.3", "osm-edge-1.1.3", "osm.trustDomain", "mesh.example", "in 1.1.3 its trust domain is always cluster.local"),
    ],
)
def test_a_user_s_value_that_is_left_behind(old: str, new: str, path: str, value: Any, remedy: str) -> None:
    user = nested(path, value)
    assert has(chart(old).values, path)
    carried = carry_over(user, {}, chart(new).schema)
    assert carried.dropped == [path]
    (finding,) = dropped_findings(carried.dropped, RELEASE, chart(new).version, user)
    assert finding.what == f"the value {path} is not carried over"
    assert finding.remedy == remedy


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(OSM_EDGE_CHARTS, 2)))
def test_what_a_remedy_names_is_there(old: str, new: str) -> None:
    user = chart(old).values
    carried = carry_over(user, {}, chart(new).schema)
    for finding in dropped_findings(carried.dropped, RELEASE, chart(new).version, user):
        words = finding.remedy.replace(",", " ").split()
        assert [word for word in words if word.startswith("osm.") and not has(chart(new).values, word)] == []


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("old", "new"), [*itertools.permutations(OSM_EDGE_CHARTS, 2), ("fsm-1.5.1", "fsm-1.5.1"), ("osm-1.2.4", "osm-1.2.4")]
)
def test_every_policy_ends_in_values_that_the_chart_accepts(old: str, new: str, policy: Policy) -> None:
    """With a user who had set everything, and a mesh that has another name than its release and lives elsewhere."""
    before, after = chart(old), chart(new)
    product = next(item for item in PRODUCTS if item.chart_name == before.name)
    wanted = effective_user_values(policy, before.values, before.values, {})
    pinned = pin_installer_values(
        wanted,
        product,
        mesh_name="prod",
        osm_namespace="mesh",
        release_namespace="releases",
        old_user_values=before.values,
        passed_values={},
    )
    carried = carry_over(pinned.values, {}, after.schema)
    assert schema_violations(coalesced(after.values, carried.values), after.schema) == []
    root = carried.values[product.values_root]
    assert (root["meshName"], root[product.namespace_value]) == ("prod", "mesh")
    assert root["caBundleSecretName"] == product.ca_secret
    if policy == "reuse":
        # A default tag of the old chart would run the old release; here it is what a user supplied.
        assert root["image"]["tag"] == before.values[product.values_root]["image"]["tag"]


@pytest.mark.parametrize(("old", "new"), [("osm-edge-1.2.3", "osm-edge-1.3.9"), ("fsm-1.5.1", "fsm-1.5.1"), ("osm-1.2.4", "osm-1.2.4")])
def test_reused_defaults_bring_no_image_of_the_old_chart(old: str, new: str) -> None:
    reused = effective_user_values("reuse", {}, chart(old).values, {})
    assert not [path for path in leaves(reused) if path[-1] in ("tag", "digest", "sidecarDrivers") or path[-1].lower().endswith("image")]
    after = coalesced(chart(new).values, carry_over(reused, {}, chart(new).schema).values)
    root = next(iter(chart(new).values))
    assert after[root]["image"] == chart(new).values[root]["image"]
    assert after[root]["prometheus"]["image"] == chart(new).values[root]["prometheus"]["image"]


def leaves(values: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(values, dict):
        return [leaf for key, item in values.items() for leaf in leaves(item, (*path, key))]
    return [path]


# What reaches only the preset


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.id)
def test_values_that_become_settings_exist_in_the_chart(product: Product) -> None:
    """Each value that is said to reach the preset only is one of the newest chart's, or of one before it."""
    newest = chart(NEWEST[product.chart_name])
    known = [newest.values, *(chart(name).values for name in OSM_EDGE_CHARTS if product.chart_name == "osm-edge")]
    user = {product.values_root: newest.values[product.values_root]}
    effects = preset_only_effects(user, product)
    assert effects
    assert [path for path in effects if not any(has(values, path) for values in known)] == []


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ({"tag": "1.5.12"}, "flomesh/pipy:1.5.12"),
        ({"registry": "mirror.example/flomesh"}, "mirror.example/flomesh/pipy:1.5.10"),
        ({"registry": "a", "name": "b", "tag": "c"}, "a/b:c"),
        ({}, None),
    ],
)
def test_the_sidecar_of_fsm_is_given_in_parts(given: Values, image: str | None) -> None:
    result = translate({"fsm": {"sidecar": {"image": given}}}, {}, FSM, "fsm-system", chart("fsm-1.5.1").values)
    assert result.spec == ({"sidecar": {"sidecarImage": image}} if image else {})
    assert result.paths == ({"fsm.sidecar.image": "sidecar.sidecarImage"} if image else {})


def test_a_part_alone_without_the_chart_s_defaults_is_no_image() -> None:
    assert translate({"fsm": {"sidecar": {"image": {"tag": "1"}}}}, {}, FSM, "fsm-system").spec == {}


def test_values_of_fsm_are_below_its_own_root() -> None:
    values = {"fsm": {"featureFlags": {"enableSidecarPrettyConfig": False}, "repoServer": {"port": 6061}}, "osm": {"enableEgress": True}}
    result = translate(values, {}, FSM, "fsm-system")
    assert result.spec == {"featureFlags": {"enableSidecarPrettyConfig": False}, "repoServer": {"port": 6061}}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("fsm.fsmControler", {}, "fsmController"),
        ("fsm.image.tga", "1", "tag"),
        ("fsm.osmNamespace", "x", "fsmNamespace"),
        ("fsm.prometheus.image", "prom/prometheus:v2.45.0", "object"),
    ],
)
def test_wrong_values_of_fsm_are_named(path: str, value: Any, words: str) -> None:
    given = nested(path, value)
    (violation,) = schema_violations(coalesced(chart("fsm-1.5.1").values, given), chart("fsm-1.5.1").schema)
    assert violation.where == path
    assert words in (*violation.nearest, *(violation.expected or ()))
